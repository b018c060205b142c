/**
 * Speech faster or slower at the same pitch (WSOLA): short pieces of it are left out or said twice, each joined where the
 * waves fit best. At speed 1 every sample passes as it came. Pure: samples in, samples out; it knows no clock.
 */

/** A joint is faded over this time: two to three periods of a low voice. */
const HOP_SECONDS = 0.012;
/** How far around its due place a piece is looked for: a period of the lowest voice (80 Hz). */
const SEARCH_SECONDS = 0.0125;
/** Alike enough is found at every fourth sample; at all of them it would cost sixteen times as much. */
const COARSE = 4;
const FIRST_CAPACITY = 1 << 16;

export class Stretch {
  /** @param {number} rate samples a second */
  constructor(rate) {
    this.hop = Math.round(HOP_SECONDS * rate);
    this.search = Math.round(SEARCH_SECONDS * rate);
    this.speed = 1;
    this.rise = Float32Array.from({ length: this.hop }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / this.hop));
    this.joint = new Float32Array(this.hop);
    this.buffer = new Float32Array(FIRST_CAPACITY);
    this.clear();
  }

  clear() {
    this.from = 0; // the source's index of the buffer's first sample
    this.count = 0;
    this.at = 0; // the source's index of what would sound next, were nothing joined
    this.due = 0; // and of what should
    this.jointAt = this.hop; // what of the joint has sounded
    this.ended = false;
  }

  /** @param {number} speed 1 as it is, 2 twice as fast */
  setSpeed(speed) {
    this.speed = speed;
    this.due = this.at;
  }

  /** @param {Float32Array} samples */
  feed(samples) {
    if (this.count + samples.length > this.buffer.length) this.makeRoom(samples.length);
    this.buffer.set(samples, this.count);
    this.count += samples.length;
  }

  end() {
    this.ended = true;
  }

  /** Samples of the source that have not sounded. */
  get left() {
    return this.from + this.count - this.position;
  }

  /** The source's index of what sounds next. */
  get position() {
    const waiting = this.hop - this.jointAt;
    return Math.max(0, this.at - Math.round(waiting * this.speed));
  }

  /** Fills ``out`` as far as it can. @param {Float32Array} out @returns {number} how far */
  pull(out) {
    let done = 0;
    while (done < out.length) {
      const count = this.jointAt < this.hop ? this.pullJoint(out, done) : this.pullSource(out, done);
      if (!count) break;
      done += count;
    }
    return done;
  }

  /** What the next ``pull`` of so many samples gives at speed 1, without taking it: for a fade. @param {number} count */
  peek(count) {
    const begin = Math.round(this.position) - this.from;
    return this.buffer.slice(Math.max(0, begin), Math.min(this.count, Math.max(0, begin) + count));
  }

  pullJoint(out, done) {
    const count = Math.min(out.length - done, this.hop - this.jointAt);
    out.set(this.joint.subarray(this.jointAt, this.jointAt + count), done);
    this.jointAt += count;
    return count;
  }

  pullSource(out, done) {
    const begin = this.at - this.from;
    const available = this.count - begin;
    if (this.speed !== 1 && this.makeJoint()) return this.pullJoint(out, done);
    // Joints need some sound ahead: at the very end there is none, and the rest sounds as it is.
    if (this.speed !== 1 && !this.ended) return 0;
    const count = Math.min(out.length - done, available);
    out.set(this.buffer.subarray(begin, begin + count), done);
    this.at += count;
    this.due = this.at;
    return count;
  }

  /** The next piece, faded in over what would have followed. @returns {boolean} false when too little sound is here */
  makeJoint() {
    const { hop, from, buffer } = this;
    const old = this.at - from;
    const first = Math.max(0, Math.round(this.due) - this.search - from);
    const last = Math.round(this.due) + this.search - from;
    if (Math.max(old, last) + hop > this.count) return false;
    const start = this.bestStart(old, first, last);
    for (let i = 0; i < hop; i++) this.joint[i] = buffer[old + i] * (1 - this.rise[i]) + buffer[start + i] * this.rise[i];
    this.jointAt = 0;
    this.at = from + start + hop;
    this.due += hop * this.speed;
    return true;
  }

  /** Where the sound is most like that at ``old``, by normalised correlation. */
  bestStart(old, first, last) {
    let best = Math.max(first, Math.min(last, Math.round(this.due) - this.from));
    let highest = -Infinity;
    for (let start = first; start <= last; start += COARSE) {
      const alike = this.likeness(old, start);
      if (alike > highest) [highest, best] = [alike, start];
    }
    return best;
  }

  likeness(old, start) {
    const { buffer, hop } = this;
    let product = 0;
    let power = 1e-9;
    for (let i = 0; i < hop; i += COARSE) {
      product += buffer[old + i] * buffer[start + i];
      power += buffer[start + i] ** 2;
    }
    return product / Math.sqrt(power);
  }

  /** What has sounded is let go; a long wait for the listener makes the buffer grow. @param {number} more */
  makeRoom(more) {
    const keep = Math.max(0, Math.min(this.at, Math.floor(this.due)) - this.search - this.hop - this.from);
    const rest = this.buffer.subarray(keep, this.count);
    let capacity = this.buffer.length;
    while (rest.length + more > capacity) capacity *= 2;
    const next = capacity === this.buffer.length ? this.buffer : new Float32Array(capacity);
    if (next === this.buffer) next.copyWithin(0, keep, this.count);
    else next.set(rest);
    this.buffer = next;
    this.from += keep;
    this.count -= keep;
  }
}
