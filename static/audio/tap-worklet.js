/** Tests only (`?test=1`): posts what reaches the master bus, with the time of its first sample. */

class Tap extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(4096);
    this.fill = 0;
    this.port.onmessage = () => this.post();
  }

  process(inputs, outputs) {
    const input = inputs[0][0] ?? new Float32Array(128);
    if (this.fill === 0) this.time = currentTime;
    this.block.set(input, this.fill);
    this.fill += input.length;
    if (this.fill === this.block.length) this.post();
    outputs[0][0]?.fill(0);
    return true;
  }

  post() {
    this.port.postMessage({ time: this.time ?? currentTime, samples: this.block.slice(0, this.fill) });
    this.fill = 0;
  }
}

registerProcessor("clawmux-tap", Tap);
