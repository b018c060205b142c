/**
 * The loudspeaker in the audio thread: a queue of samples at the context's rate, copied out in order, faster or slower
 * when asked. It counts what it played and says so; when to start, pause and stop is decided on the page.
 */
import { Stretch } from "./stretch.js";

/** Collected before the first sample sounds, so that one late chunk is not heard. */
const PREBUFFER_SECONDS = 0.06;
const PROGRESS_SECONDS = 0.25;
/** A cut is faded over 5 ms: fast enough to feel immediate, slow enough not to click. */
const FADE_SECONDS = 0.005;
const FADE_SAMPLES = Math.round(FADE_SECONDS * sampleRate);

class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.source = new Stretch(sampleRate);
    this.reset(null);
    this.fade = new Float32Array(0);
    this.port.onmessage = ({ data }) => this[data.type](data);
  }

  reset(stream) {
    this.stream = stream;
    this.source.clear();
    this.reportedAt = 0;
    this.underruns = 0;
    this.running = false;
    this.primed = false;
    this.started = false;
    this.risen = FADE_SAMPLES;
  }

  open({ stream }) {
    this.reset(stream);
  }

  data({ stream, samples }) {
    if (stream === this.stream) this.source.feed(samples);
  }

  end({ stream }) {
    if (stream === this.stream) this.source.end();
  }

  /** For this stream and all that follow. */
  speed({ value }) {
    this.source.setSpeed(value);
  }

  /** A pause takes nothing away: the samples that fade out sound again, fading in, when it goes on. */
  run({ stream, on }) {
    if (stream !== this.stream || on === this.running) return;
    this.running = on;
    if (!this.started) return;
    if (on) this.risen = 0;
    else this.fadeOut();
    this.report();
  }

  flush({ stream }) {
    if (stream !== this.stream) return;
    if (this.running && this.started) this.fadeOut();
    this.port.postMessage({ type: "flushed", stream, played: this.source.position });
    this.reset(null);
  }

  fadeOut() {
    const tail = this.source.peek(FADE_SAMPLES);
    this.fade = tail.map((value, i) => value * (1 - i / tail.length));
  }

  process(_inputs, outputs) {
    const out = outputs[0][0];
    if (this.fade.length) {
      out.set(this.fade.subarray(0, out.length));
      this.fade = this.fade.subarray(out.length);
      return true;
    }
    if (this.stream === null || !this.running || !this.isPrimed()) return true;
    const copied = this.source.pull(out);
    if (!this.started && copied) {
      this.started = true;
      this.reportedAt = currentTime;
      this.port.postMessage({ type: "started", stream: this.stream, time: currentTime });
    }
    for (let i = 0; i < copied && this.risen < FADE_SAMPLES; i++) out[i] *= this.risen++ / FADE_SAMPLES;
    if (copied < out.length) this.starve(copied);
    else if (currentTime - this.reportedAt >= PROGRESS_SECONDS) this.report();
    return true;
  }

  isPrimed() {
    if (!this.primed) this.primed = this.source.ended || this.source.left >= PREBUFFER_SECONDS * sampleRate;
    return this.primed;
  }

  starve(copied) {
    if (this.source.ended) {
      const { stream, underruns } = this;
      const played = this.source.position;
      this.port.postMessage({ type: "drained", stream, played, underruns, time: currentTime + copied / sampleRate });
      this.reset(null);
    } else {
      this.underruns += 1;
      this.primed = false;
    }
  }

  report() {
    this.reportedAt = currentTime;
    const { stream, underruns } = this;
    this.port.postMessage({ type: "progress", stream, played: this.source.position, underruns, time: currentTime });
  }
}

registerProcessor("clawmux-player", Player);
