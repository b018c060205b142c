/**
 * Speech streams: takes their PCM in order, resamples it to the context's rate, and hands it to the audio thread.
 * Each stream ends exactly once, whatever ends it; whether a stream may sound is decided in voice.js.
 */
import { samplesOf } from "../protocol.js";
import { Resampler } from "./resample.js";

/** Ended streams whose answer may still have to be repeated to a hub that lost the connection. */
const REMEMBERED = 16;

/**
 * @typedef {{id: string, session_id: string, msg_id: string, slot: number, rate: number, base: number,
 *   received: number, skip: number, complete: boolean, resampler: Resampler|null, played: number}} Stream
 */

export class Player {
  /**
   * @param {import("./context.js").Sound} sound
   * @param {{onStarted: (stream: Stream, latency_ms: number) => void, onProgress: (stream: Stream, ms: number) => void,
   *   onDone: (done: {session_id: string, stream: string, ms: number, why: string}) => void}} handlers
   */
  constructor(sound, handlers) {
    this.sound = sound;
    this.handlers = handlers;
    /** @type {Map<string, Stream>} */
    this.streams = new Map();
    /** @type {Map<string, {session_id: string, stream: string, ms: number, why: string, received: number}>} */
    this.ended = new Map();
    /** @type {string|null} */
    this.inSink = null;
    /** @type {Promise<any>|null} */
    this.sinkReady = null;
    this.speed = 1;
    this.unknownFrames = 0;
    this.underruns = 0;
  }

  /** @param {any} start the hub's speech_start @returns {boolean} false when that stream has ended here already */
  announce(start) {
    const done = this.ended.get(start.stream);
    if (done) {
      this.handlers.onDone(done);
      return false;
    }
    const known = this.streams.get(start.stream);
    if (known) {
      this.continueFrom(known, start);
      return true;
    }
    const offset = start.offset ?? 0;
    const rate = start.rate ?? 24000;
    this.streams.set(start.stream, {
      id: start.stream, session_id: start.session_id, msg_id: start.msg_id, slot: start.slot, rate,
      base: offset, received: offset, skip: 0, complete: false, resampler: null, played: 0,
    });
    this.prepare().then((sink) => this.enter(sink, start.stream)).catch(() => this.finish(start.stream, "failed"));
    return true;
  }

  /** After a reconnect: what the hub sends again is skipped, so that nothing is heard twice. @param {Stream} stream @param {any} start */
  continueFrom(stream, start) {
    const held = stream.received + stream.skip;
    stream.received = start.offset ?? held;
    stream.skip = Math.max(0, held - stream.received);
    stream.slot = start.slot;
  }

  prepare() {
    // What could not be fetched is fetched again for the next stream.
    this.sinkReady ??= this.makeSink().catch((error) => {
      this.sinkReady = null;
      throw error;
    });
    return this.sinkReady;
  }

  async makeSink() {
    const context = this.sound.ensure();
    if (await this.sound.worklets) {
      const node = new AudioWorkletNode(context, "clawmux-player", { numberOfInputs: 0, outputChannelCount: [1] });
      node.connect(this.sound.master);
      node.port.onmessage = ({ data }) => this.heard(data);
      this.node = node;
      this.sink = node.port;
      this.sink.postMessage({ type: "speed", value: this.speed });
    } else {
      const { BufferSink } = await import("./buffer-sink.js"); // few pages need it
      this.sink = new BufferSink(context, this.sound.master, (message) => this.heard(message));
    }
    return this.sink;
  }

  /** @param {any} sink @param {string} id */
  enter(sink, id) {
    const stream = this.streams.get(id);
    if (!stream) return;
    stream.resampler = new Resampler(stream.rate, this.sound.context.sampleRate);
    sink.postMessage({ type: "open", stream: id });
    this.inSink = id;
    for (const samples of stream.early ?? []) this.pass(stream, samples);
    delete stream.early;
    if (stream.complete) this.passEnd(stream);
    if (this.running === id) sink.postMessage({ type: "run", stream: id, on: true });
  }

  /** @param {{slot: number, payload: Uint8Array}} frame */
  receive(frame) {
    const stream = [...this.streams.values()].find((candidate) => candidate.slot === frame.slot);
    if (!stream || stream.complete) {
      this.unknownFrames += 1;
      return;
    }
    const samples = samplesOf(frame.payload);
    stream.received += samples.length;
    const cut = Math.min(stream.skip, samples.length);
    stream.skip -= cut;
    if (cut < samples.length) this.pass(stream, samples.subarray(cut));
  }

  /** @param {Stream & {early?: Int16Array[]}} stream @param {Int16Array} samples */
  pass(stream, samples) {
    if (!stream.resampler) {
      (stream.early ??= []).push(samples.slice());
      return;
    }
    const floats = stream.resampler.process(Float32Array.from(samples, (value) => value / 32768));
    this.sink.postMessage({ type: "data", stream: stream.id, samples: floats }, [floats.buffer]);
  }

  /** The hub has sent the stream's last sample. @param {string} id */
  complete(id) {
    const stream = this.streams.get(id);
    if (!stream || stream.complete) return;
    stream.complete = true;
    if (stream.resampler) this.passEnd(stream);
  }

  /** @param {Stream} stream */
  passEnd(stream) {
    const floats = stream.resampler.flush();
    this.sink.postMessage({ type: "data", stream: stream.id, samples: floats }, [floats.buffer]);
    this.sink.postMessage({ type: "end", stream: stream.id });
  }

  /** @param {string} id */
  play(id) {
    const stream = this.streams.get(id);
    if (stream && this.running !== id) stream.playedAt = null; // the time of a pause is not counted
    this.running = id;
    if (this.inSink === id) this.sink.postMessage({ type: "run", stream: id, on: true });
  }

  /** Whether speech can be made faster and slower here: not on a page that is not secure. */
  get hasSpeed() {
    return Boolean(globalThis.AudioWorkletNode);
  }

  /** From now on, in the middle of a stream too. @param {number} speed 1 as it was spoken */
  setSpeed(speed) {
    this.speed = speed;
    if (this.node) this.sink.postMessage({ type: "speed", value: speed });
  }

  /** @param {string} id */
  pause(id) {
    if (this.running === id) this.running = null;
    if (this.inSink === id) this.sink.postMessage({ type: "run", stream: id, on: false });
  }

  /** @param {string} id @param {string} why interrupted, failed or not_owner */
  stop(id, why) {
    if (!this.streams.has(id)) return;
    if (this.inSink === id) this.sink.postMessage({ type: "flush", stream: id });
    this.finish(id, why);
  }

  /** @param {any} message from the audio thread */
  heard(message) {
    const stream = this.streams.get(message.stream);
    if (!stream) return;
    if (message.played !== undefined) stream.played = message.played;
    stream.playedAt = message.time ?? null;
    if (message.underruns) this.underruns = message.underruns;
    if (message.type === "started") this.handlers.onStarted(stream, this.sound.latencySeconds() * 1000);
    if (message.type === "progress") this.handlers.onProgress(stream, this.heardMs(stream));
    if (message.type === "drained") this.finishAtTheEar(stream, message.time);
  }

  /** The ear hears the last sample one output latency after it was rendered; the microphone must not open before.
   * @param {Stream} stream @param {number} renderedAt */
  finishAtTheEar(stream, renderedAt) {
    const wait = renderedAt + this.sound.latencySeconds() - this.sound.context.currentTime;
    setTimeout(() => this.finish(stream.id, "ended"), Math.max(0, wait * 1000));
  }

  /** @param {string} id @param {string} why */
  finish(id, why) {
    const stream = this.streams.get(id);
    if (!stream) return;
    const ms = why === "ended" ? this.lengthMs(stream) : this.soundingMs(id);
    this.streams.delete(id);
    if (this.inSink === id) this.inSink = null;
    if (this.running === id) this.running = null;
    const done = { session_id: stream.session_id, stream: id, ms: Math.round(ms), why, received: stream.received };
    // Another page goes on with it; when the sound comes back here, so does the rest of the stream.
    if (why !== "not_owner") this.ended.set(id, done);
    for (const old of [...this.ended.keys()].slice(0, -REMEMBERED)) this.ended.delete(old);
    this.handlers.onDone(done);
  }

  /** Heard so far, from the first sample of the stream. @param {Stream} stream */
  heardMs(stream) {
    const played = stream.base / stream.rate + stream.played / (this.sound.context?.sampleRate ?? 1);
    return Math.min(played * 1000, this.lengthMs(stream));
  }

  /** What of a stream reaches the ear now: counted on from the last report. @param {string} id */
  soundingMs(id) {
    const stream = this.streams.get(id);
    if (!stream) return 0;
    const isRunning = this.running === id && stream.playedAt != null;
    const since = isRunning ? this.sound.context.currentTime - stream.playedAt - this.sound.latencySeconds() : 0;
    return Math.max(0, Math.min(this.heardMs(stream) + since * 1000 * this.speed, this.lengthMs(stream)));
  }

  /** The whole length of a stream: known once all of it is here. @param {string} id @returns {number|null} */
  wholeMs(id) {
    const stream = this.streams.get(id);
    return stream?.complete ? this.lengthMs(stream) : null;
  }

  /** @param {Stream} stream */
  lengthMs(stream) {
    return ((stream.received + stream.skip) / stream.rate) * 1000;
  }

  /** For hello: what of each stream this page already has. `done` streams are not wanted again. */
  snapshot() {
    const streams = {};
    for (const { stream, received } of this.ended.values()) streams[stream] = { received, done: true };
    for (const [id, { received, skip }] of this.streams) streams[id] = { received: received + skip, done: false };
    return streams;
  }
}
