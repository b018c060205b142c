/** The words of the stream that sounds: kept as the hub tells them, and painted while it sounds. Fetched when first needed. */
import { SpokenWords, canHighlight } from "./highlight.js";

export class Spoken {
  /** @param {import("./audio/player.js").Player} player */
  constructor(player) {
    this.player = player;
    /** @type {any} the hub's speech_start */
    this.start = null;
    /** @type {import("./marks.js").Mark[][]} */
    this.marks = [];
    this.words = null;
  }

  /** A stream comes, or comes again after a break. @param {any} start */
  announce(start) {
    if (this.start?.stream !== start.stream) this.marks = [];
    this.start = start;
  }

  /** @param {{stream: string, words: import("./marks.js").Mark[]}} message */
  add({ stream, words }) {
    if (this.start?.stream !== stream) return;
    this.marks.push(words);
    this.words?.add(words);
  }

  /** @param {string} stream */
  begin(stream) {
    if (!canHighlight || this.start?.stream !== stream || this.words?.start.stream === stream) return;
    this.words?.end();
    this.words = new SpokenWords(this.start, this.player);
    for (const some of this.marks) this.words.add(some);
  }

  /** @param {string} stream */
  end(stream) {
    if (this.words?.start.stream !== stream) return;
    this.words.end();
    this.words = null;
  }
}
