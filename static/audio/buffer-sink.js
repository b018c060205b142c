/**
 * The loudspeaker where AudioWorklet is missing (a plain http page): one AudioBufferSource after another.
 * It speaks the same messages as player-worklet.js, so that the player does not know the difference.
 */

const PREBUFFER_SECONDS = 0.06;
const PROGRESS_MS = 250;

export class BufferSink {
  /** @param {AudioContext} context @param {AudioNode} output @param {(message: any) => void} onMessage */
  constructor(context, output, onMessage) {
    this.context = context;
    this.output = output;
    this.onMessage = onMessage;
    this.clear(null);
  }

  /** @param {string|null} stream */
  clear(stream) {
    clearInterval(this.timer);
    this.stream = stream;
    /** @type {Float32Array[]} */
    this.waiting = [];
    /** @type {{node: AudioBufferSourceNode, from: number, length: number}[]} */
    this.sounding = [];
    this.finished = 0;
    this.until = 0;
    this.running = false;
    this.started = false;
    this.ended = false;
  }

  /** @param {any} message */
  postMessage(message) {
    if (message.type === "open") return this.clear(message.stream);
    if (message.stream !== this.stream) return undefined;
    if (message.type === "data") this.waiting.push(message.samples);
    if (message.type === "end") this.ended = true;
    if (message.type === "flush") return this.flush();
    if (message.type === "run" && message.on !== this.running) this.run(message.on);
    return this.schedule();
  }

  /** A stopped source cannot go on: what has not sounded returns to the queue. @param {boolean} on */
  run(on) {
    this.running = on;
    if (on) return;
    const played = this.playedSamples() - this.finished;
    const rest = this.sounding.map(({ node }) => node.buffer.getChannelData(0).slice());
    this.silence();
    this.finished += played;
    let skip = played;
    const left = rest.map((samples) => {
      const cut = Math.min(skip, samples.length);
      skip -= cut;
      return samples.subarray(cut);
    });
    this.waiting.unshift(...left.filter((samples) => samples.length));
    this.until = 0;
    if (this.started) this.report();
  }

  schedule() {
    const ready = this.waiting.reduce((sum, samples) => sum + samples.length, 0) / this.context.sampleRate;
    if (!this.running || (!this.started && !this.ended && ready < PREBUFFER_SECONDS)) return;
    while (this.waiting.length) this.sound(this.waiting.shift());
    if (!this.started && this.sounding.length) this.start();
    this.checkEnd();
  }

  /** @param {Float32Array} samples */
  sound(samples) {
    const buffer = this.context.createBuffer(1, samples.length, this.context.sampleRate);
    buffer.copyToChannel(samples, 0);
    const node = this.context.createBufferSource();
    node.buffer = buffer;
    node.connect(this.output);
    const from = Math.max(this.until, this.context.currentTime + 0.005);
    this.until = from + samples.length / this.context.sampleRate;
    const entry = { node, from, length: samples.length };
    this.sounding.push(entry);
    node.onended = () => {
      this.sounding = this.sounding.filter((other) => other !== entry);
      this.finished += samples.length;
      this.checkEnd();
    };
    node.start(from);
  }

  start() {
    this.started = true;
    this.onMessage({ type: "started", stream: this.stream, time: this.sounding[0].from });
    this.timer = setInterval(() => {
      this.report();
    }, PROGRESS_MS);
  }

  report() {
    this.onMessage({ type: "progress", stream: this.stream, played: this.playedSamples(), underruns: 0, time: this.context.currentTime });
  }

  checkEnd() {
    if (!this.ended || this.waiting.length || this.sounding.length || this.stream === null) return;
    const { stream, finished } = this;
    this.clear(null);
    this.onMessage({ type: "drained", stream, played: finished, underruns: 0, time: this.context.currentTime });
  }

  playedSamples() {
    const now = this.context.currentTime;
    const rate = this.context.sampleRate;
    return this.sounding.reduce(
      (sum, { from, length }) => sum + Math.round(Math.max(0, Math.min(length, (now - from) * rate))),
      this.finished,
    );
  }

  silence() {
    for (const { node } of this.sounding) {
      node.onended = null;
      node.stop();
      node.disconnect();
    }
    this.sounding = [];
  }

  flush() {
    const { stream } = this;
    const played = this.playedSamples();
    this.silence();
    this.clear(null);
    this.onMessage({ type: "flushed", stream, played });
  }
}
