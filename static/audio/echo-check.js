/**
 * Whether the microphone hears the device's own loudspeaker: its level while speech sounds against that of the room.
 * Pure: levels in, a verdict out. A device that passes may be talked into; on others headphones help.
 */

/** Frames of the microphone are 32 ms. The first of a stream are left out: an echo canceller needs a moment to find in. */
const SKIPPED_FRAMES = 5;
const FRAMES = 12;
const QUIET_FRAMES = 64;
/** Below this the loudspeaker says nothing that could be heard. */
const AUDIBLE = 0.01;
/** Rooms with a browser's noise suppression are digitally silent: what is below this disturbs nobody (-60 dBFS). */
const FLOOR = 0.001;
/** An echo that raises the level by less than 6 dB is not taken for a voice. */
const RISE = 2;
/** Somebody who talks meanwhile looks like an echo: that has to be so several times. */
const TRIES = 3;

export class EchoCheck {
  constructor() {
    /** @type {"clear"|"echo"|null} */
    this.verdict = null;
    /** @type {number[]} */
    this.room = [];
    this.failed = 0;
    this.begin();
  }

  /** A stream begins to sound. */
  begin() {
    this.skipped = 0;
    /** @type {number[]} */
    this.frames = [];
  }

  /** Nothing sounds. @param {number} level of the microphone, 0 to 1 */
  quiet(level) {
    this.room.push(level);
    if (this.room.length > QUIET_FRAMES) this.room.shift();
  }

  /** @param {number} level of the microphone @param {number} out of the loudspeaker, both 0 to 1 */
  sounding(level, out) {
    if (out < AUDIBLE || this.skipped++ < SKIPPED_FRAMES) return;
    this.frames.push(level);
    if (this.frames.length < FRAMES) return;
    const power = Math.sqrt(this.frames.reduce((sum, value) => sum + value * value, 0) / FRAMES);
    this.frames = [];
    if (power < Math.max(FLOOR, this.floor()) * RISE) this.verdict = "clear";
    else if (++this.failed >= TRIES) this.verdict = "echo";
  }

  floor() {
    return this.room.length ? [...this.room].sort((a, b) => a - b)[this.room.length >> 1] : 0;
  }
}
