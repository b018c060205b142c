/**
 * The microphone in the audio thread: native rate in, frames of 512 samples of 16 kHz PCM16 out.
 * Between turns nothing leaves this thread; the last 300 ms are kept as pre-roll and overwritten.
 */
import { Resampler } from "./resample.js";

const RATE = 16000;
/** 32 ms: one window of the voice detector, so that it never waits for a window to fill. */
const FRAME_SAMPLES = 512;
const PRE_ROLL_SAMPLES = RATE * 0.3;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new Resampler(sampleRate, RATE);
    this.preRoll = new Int16Array(PRE_ROLL_SAMPLES);
    this.preRollAt = 0;
    this.preRollCount = 0;
    this.frame = new Int16Array(FRAME_SAMPLES);
    this.fill = 0;
    this.turn = null;
    this.metered = false;
    this.power = 0;
    this.counted = 0;
    this.port.onmessage = ({ data }) => this[data.type](data);
  }

  start({ turn, pre_ms }) {
    if (this.turn !== null) this.stop({ turn: this.turn });
    this.turn = turn;
    this.fill = 0;
    const count = Math.min(this.preRollCount, Math.round((pre_ms * RATE) / 1000));
    for (let i = 0; i < count; i++) {
      this.push(this.preRoll[(this.preRollAt - count + i + PRE_ROLL_SAMPLES) % PRE_ROLL_SAMPLES]);
    }
    this.port.postMessage({ type: "started", turn, pre_ms: Math.round((count * 1000) / RATE) });
    this.preRollCount = 0;
  }

  stop({ turn }) {
    if (turn !== this.turn) return;
    this.send(this.frame.slice(0, this.fill), true);
    this.turn = null;
  }

  /** Whether the level is told between turns: a number for each frame, no sound. */
  meter({ on }) {
    this.metered = on;
    this.power = this.counted = 0;
  }

  process(inputs) {
    const channels = inputs[0];
    if (!channels.length) return true;
    for (const value of this.resampler.process(mono(channels))) {
      const sample = Math.max(-32768, Math.min(32767, Math.round(value * 32768)));
      if (this.turn === null) this.keep(sample);
      else this.push(sample);
    }
    return true;
  }

  keep(sample) {
    this.preRoll[this.preRollAt] = sample;
    this.preRollAt = (this.preRollAt + 1) % PRE_ROLL_SAMPLES;
    this.preRollCount = Math.min(PRE_ROLL_SAMPLES, this.preRollCount + 1);
    if (!this.metered) return;
    this.power += (sample / 32768) ** 2;
    if (++this.counted < FRAME_SAMPLES) return;
    this.port.postMessage({ type: "level", level: Math.sqrt(this.power / FRAME_SAMPLES) });
    this.power = this.counted = 0;
  }

  push(sample) {
    this.frame[this.fill++] = sample;
    if (this.fill < FRAME_SAMPLES) return;
    this.send(this.frame, false);
    this.frame = new Int16Array(FRAME_SAMPLES);
    this.fill = 0;
  }

  send(samples, last) {
    let power = 0;
    for (const sample of samples) power += (sample / 32768) ** 2;
    const level = samples.length ? Math.sqrt(power / samples.length) : 0;
    const message = { type: "frame", turn: this.turn, samples, level, last, clock_ms: currentTime * 1000 };
    this.port.postMessage(message, [samples.buffer]);
  }
}

function mono(channels) {
  if (channels.length === 1) return channels[0];
  return channels[0].map((value, i) => (value + channels[1][i]) / 2);
}

registerProcessor("clawmux-capture", Capture);
