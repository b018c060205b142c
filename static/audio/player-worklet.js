/**
 * The loudspeaker in the audio thread: a queue of samples at the context's rate, copied out in order.
 * It counts what it played and says so; when to start, pause and stop is decided on the page.
 */

/** Collected before the first sample sounds, so that one late chunk is not heard. */
const PREBUFFER_SECONDS = 0.06;
const PROGRESS_SECONDS = 0.25;
/** A cut is faded over 5 ms: fast enough to feel immediate, slow enough not to click. */
const FADE_SECONDS = 0.005;

class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.reset(null);
    this.fade = new Float32Array(0);
    this.port.onmessage = ({ data }) => this[data.type](data);
  }

  reset(stream) {
    this.stream = stream;
    this.queue = [];
    this.queued = 0;
    this.headAt = 0;
    this.played = 0;
    this.reported = 0;
    this.underruns = 0;
    this.ended = false;
    this.running = false;
    this.primed = false;
    this.started = false;
  }

  open({ stream }) {
    this.reset(stream);
  }

  data({ stream, samples }) {
    if (stream !== this.stream || !samples.length) return;
    this.queue.push(samples);
    this.queued += samples.length;
  }

  end({ stream }) {
    if (stream === this.stream) this.ended = true;
  }

  run({ stream, on }) {
    if (stream === this.stream) this.running = on;
  }

  flush({ stream }) {
    if (stream !== this.stream) return;
    if (this.running && this.started) {
      const tail = new Float32Array(Math.min(this.queued, Math.round(FADE_SECONDS * sampleRate)));
      this.take(tail);
      this.fade = tail.map((value, i) => value * (1 - i / tail.length));
    }
    this.port.postMessage({ type: "flushed", stream, played: this.played });
    this.reset(null);
  }

  process(_inputs, outputs) {
    const out = outputs[0][0];
    if (this.fade.length) {
      out.set(this.fade.subarray(0, out.length));
      this.fade = this.fade.subarray(out.length);
      return true;
    }
    if (this.stream === null || !this.running || !this.isPrimed()) return true;
    const copied = this.take(out);
    if (!this.started && copied) {
      this.started = true;
      this.port.postMessage({ type: "started", stream: this.stream, time: currentTime });
    }
    if (copied < out.length) this.starve(copied);
    else if (this.played - this.reported >= PROGRESS_SECONDS * sampleRate) this.report();
    return true;
  }

  isPrimed() {
    if (!this.primed) this.primed = this.ended || this.queued >= PREBUFFER_SECONDS * sampleRate;
    return this.primed;
  }

  take(out) {
    let copied = 0;
    while (copied < out.length && this.queue.length) {
      const head = this.queue[0];
      const count = Math.min(out.length - copied, head.length - this.headAt);
      out.set(head.subarray(this.headAt, this.headAt + count), copied);
      copied += count;
      this.headAt += count;
      if (this.headAt === head.length) {
        this.queue.shift();
        this.headAt = 0;
      }
    }
    this.queued -= copied;
    this.played += copied;
    return copied;
  }

  starve(copied) {
    if (this.ended) {
      const { stream, played, underruns } = this;
      this.port.postMessage({ type: "drained", stream, played, underruns, time: currentTime + copied / sampleRate });
      this.reset(null);
    } else {
      this.underruns += 1;
      this.primed = false;
    }
  }

  report() {
    this.reported = this.played;
    this.port.postMessage({ type: "progress", stream: this.stream, played: this.played, underruns: this.underruns });
  }
}

registerProcessor("clawmux-player", Player);
