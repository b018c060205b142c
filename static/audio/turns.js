/**
 * The turns of the microphone: every frame is kept until the hub says that the turn is done, and is sent from the
 * first one again after a reconnect. Nothing here touches the microphone or the socket: both are given as functions.
 */
import { FLAG, KIND, encodeFrame } from "../protocol.js";

const FRAMES_PER_SECOND = 31.25;
/** The socket's own buffer is filled to 2 s of sound; what is beyond waits here, where it can be sent again. */
const BUFFERED_MAX_BYTES = 64000;
/** How soon a full socket is tried again. */
const RETRY_MS = 100;
/** The last frame comes within one audio quantum; this is for a microphone that died. */
const LAST_FRAME_MS = 1000;
/** A forgotten open microphone ends here. */
export const TURN_MAX_SECONDS = 600;

/**
 * @typedef {{samples: Int16Array, last: boolean, clock_ms: number}} Frame
 * @typedef {{id: string, session_id: string, slot: number, why: string|null, review: boolean, pre_ms: number|null, frames: Frame[],
 *   sent: number, opened: boolean, closed: string|null, ended: boolean, announced: boolean, closeSent: boolean}} Kept
 */

export class Turns {
  /** @param {{send: (message: any) => boolean, sendBytes: (bytes: Uint8Array) => boolean, bufferedBytes: () => number}} link */
  constructor(link) {
    this.link = link;
    /** @type {Map<string, Kept>} */
    this.kept = new Map();
    this.slots = 0;
  }

  /** Frames are collected from here on, and wait for `open`. @param {string} id @param {string} session_id */
  begin(id, session_id) {
    this.slots = (this.slots % 65535) + 1;
    this.kept.set(id, {
      id, session_id, slot: this.slots, why: null, review: false, pre_ms: null, frames: [],
      sent: 0, opened: false, closed: null, ended: false, announced: false, closeSent: false,
    });
  }

  /** @param {string} id @param {number} pre_ms how much of the first frames lies before the beginning */
  preRolled(id, pre_ms) {
    const turn = this.kept.get(id);
    if (turn) turn.pre_ms = pre_ms;
    this.pump();
  }

  /** @param {string} id @param {string} why @param {boolean} [review] whether its words come back to be corrected */
  open(id, why, review = false) {
    const turn = this.kept.get(id);
    if (!turn) return;
    turn.opened = true;
    turn.why = why;
    turn.review = review;
    this.pump();
  }

  /** @param {string} id @param {Frame} frame @returns {boolean} false when the turn has become too long */
  add(id, frame) {
    const turn = this.kept.get(id);
    if (!turn || turn.ended) return true;
    turn.frames.push(frame);
    turn.ended = frame.last;
    this.pump();
    return turn.frames.length < TURN_MAX_SECONDS * FRAMES_PER_SECOND;
  }

  /** `send` waits for the last frame; every other end is told at once.
   * @param {string} id @param {string} why */
  close(id, why) {
    const turn = this.kept.get(id);
    if (!turn || turn.closed) return;
    turn.closed = why;
    if (why === "discard") {
      turn.frames = [];
      turn.sent = 0;
    }
    if (why !== "send") turn.ended = true;
    else setTimeout(() => this.endWithout(turn), LAST_FRAME_MS);
    this.pump();
  }

  /** An audio thread that stands still sends no last frame; what there is must not wait for it. @param {Kept} turn */
  endWithout(turn) {
    turn.ended = true;
    this.pump();
  }

  /** @param {string} id */
  forget(id) {
    this.kept.delete(id);
  }

  /** It comes to nothing: the hub is told only when it has heard of it. @param {string} id */
  drop(id) {
    if (this.kept.get(id)?.announced) this.close(id, "discard");
    else this.forget(id);
  }

  /** For hello: turns that will be sent again. */
  held() {
    return [...this.kept.values()].filter(({ opened }) => opened).map(({ id }) => id);
  }

  /** A new connection knows nothing: announce and send everything again. */
  reconnected() {
    for (const turn of this.kept.values()) {
      turn.sent = 0;
      turn.announced = false;
      turn.closeSent = false;
    }
    this.pump();
  }

  /** Send what the link takes now. Called on every frame, and when the link has room again. */
  pump() {
    clearTimeout(this.again);
    for (const turn of this.kept.values()) {
      if (!turn.opened || turn.pre_ms === null || this.pumpTurn(turn)) continue;
      this.again = setTimeout(() => this.pump(), RETRY_MS);
      return;
    }
  }

  /** @param {Kept} turn @returns {boolean} whether the link took all of it */
  pumpTurn(turn) {
    const { id, session_id, slot, why, review, pre_ms } = turn;
    if (!turn.announced) {
      turn.announced = this.link.send({ type: "mic_open", session_id, turn: id, slot, why, pre_ms, ...(review ? { review } : {}) });
      if (!turn.announced) return false;
    }
    while (turn.sent < turn.frames.length) {
      if (this.link.bufferedBytes() > BUFFERED_MAX_BYTES) return false;
      if (!this.link.sendBytes(bytesOf(turn, turn.sent))) return false;
      turn.sent += 1;
    }
    if (turn.closed && turn.ended && !turn.closeSent) {
      turn.closeSent = this.link.send({ type: "mic_close", turn: id, why: turn.closed });
    }
    return true;
  }
}

/** @param {Kept} turn @param {number} seq */
function bytesOf(turn, seq) {
  const { samples, last, clock_ms } = turn.frames[seq];
  const flags = (seq === 0 ? FLAG.first : 0) | (last ? FLAG.last : 0);
  const payload = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  return encodeFrame({ kind: KIND.mic, flags, slot: turn.slot, seq, clock_ms }, payload);
}
