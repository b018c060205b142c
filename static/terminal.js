/**
 * One agent's terminal as the hub sends it: what is open, who has the keyboard, which bytes were drawn. It draws nothing and
 * knows no page; the hub's side of it is hub/terminals.py.
 */
import { FLAG, KIND, encodeFrame } from "./protocol.js";

/** The hub refuses more at once; a key is a few bytes, and what is longer is cut at characters. */
const PIECE_CHARACTERS = 8000;

/**
 * `state`: opening until its first size is known, open, or closed with the reason in `words`. `mine`: this page has the
 * keyboard; `holder` names the device that has it, empty for none.
 * @typedef {{state: "opening"|"open"|"closed", words: string, cols: number, rows: number, above: number, below: number,
 *   mine: boolean, holder: string, why: string}} Shown
 */

/** @type {Shown} */
const NOTHING = Object.freeze({ state: "opening", words: "", cols: 0, rows: 0, above: 0, below: 0, mine: false, holder: "", why: "" });

export class TerminalLine {
  /**
   * @param {string} session_id
   * @param {string} client this page's id
   * @param {{send: (message: any) => boolean, sendBytes: (bytes: Uint8Array) => boolean, reset: () => void,
   *   draw: (bytes: Uint8Array, drawn: () => void) => void, changed: (shown: Shown) => void,
   *   earlier: (lines: string[]) => void}} to
   */
  constructor(session_id, client, to) {
    this.session_id = session_id;
    this.client = client;
    this.to = to;
    this.slot = 0;
    this.seq = 0;
    this.isOver = false;
    this.isLooking = false;
    this.shown = NOTHING;
    this.utf8 = new TextEncoder();
  }

  /** Ask for it: at first, after a broken connection, and when the hub has closed it. */
  open() {
    const { cols, rows, above, below, mine } = this.shown;
    this.slot = 0;
    this.isLooking = false;
    this.become({ ...NOTHING, cols, rows, above, below, why: mine ? "The connection broke: the keyboard went back." : "" });
    this.to.send({ type: "term_open", session_id: this.session_id });
  }

  close() {
    this.isOver = true;
    if (this.slot) this.to.send({ type: "term_close", slot: this.slot });
  }

  /** @param {boolean} on */
  take(on) {
    if (this.slot) this.to.send({ type: "term_take", slot: this.slot, on });
  }

  /** @param {string} keys */
  type(keys) {
    if (!this.shown.mine) return;
    for (const piece of pieces(keys)) {
      const head = { kind: KIND.terminal_in, flags: 0, slot: this.slot, seq: this.seq++, clock_ms: performance.now() };
      this.to.sendBytes(encodeFrame(head, this.utf8.encode(piece)));
    }
  }

  /** @param {string} text */
  paste(text) {
    if (this.shown.mine) this.to.send({ type: "term_paste", slot: this.slot, text });
  }

  /** Ask for the lines that have gone off the top; they come to `earlier`. */
  lookBack() {
    if (!this.slot || this.isLooking) return;
    this.isLooking = true;
    this.to.send({ type: "term_earlier", slot: this.slot });
  }

  /** @param {any} message */
  receive(message) {
    TAKES[message.type]?.(this, message);
  }

  /** @param {import("./protocol.js").FrameHead & {payload: Uint8Array}} frame */
  receiveFrame({ slot, flags, seq, payload }) {
    if (slot !== this.slot) return;
    if (flags & FLAG.first) this.to.reset();
    this.to.draw(payload, () => slot === this.slot && this.to.send({ type: "term_seen", slot, seq }));
  }

  /** @param {Shown} shown */
  become(shown) {
    this.shown = shown;
    this.to.changed(shown);
  }
}

/** @type {Record<string, (line: TerminalLine, message: any) => void>} */
const TAKES = {
  term_opened: (line, { session_id, slot }) => {
    if (line.isOver || session_id !== line.session_id) line.to.send({ type: "term_close", slot });
    else line.slot = slot;
  },
  term_size: (line, { slot, cols, rows, above = 0, below = 0 }) => {
    if (slot === line.slot) line.become({ ...line.shown, state: "open", cols, rows, above, below });
  },
  term_keyboard: (line, { session_id, client, device, why = "" }) => {
    if (session_id !== line.session_id || !line.slot) return;
    const isLost = line.shown.mine && client !== line.client;
    const lost = isLost && client ? `${device || "Another page"} has taken the keyboard.` : "";
    line.become({ ...line.shown, mine: client === line.client, holder: client ? device || "another page" : "", why: why || lost || (client === line.client ? "" : line.shown.why) });
  },
  term_earlier: (line, { slot, lines }) => {
    if (slot !== line.slot) return;
    line.isLooking = false;
    line.to.earlier(lines);
  },
  term_closed: (line, { slot, why, text }) => {
    if (slot !== line.slot && line.slot) return;
    line.slot = 0;
    const words = CLOSED[why] ?? "";
    line.become({ ...line.shown, state: "closed", mine: false, holder: "", words: [words, text].filter(Boolean).join(" ") });
  },
};

const CLOSED = { ended: "The agent has ended.", closed: "The view was closed by tmux.", failed: "The terminal could not be opened." };

/** @param {string} text */
function* pieces(text) {
  const characters = text.length > PIECE_CHARACTERS ? Array.from(text) : null;
  if (!characters) yield text;
  else for (let at = 0; at < characters.length; at += PIECE_CHARACTERS) yield characters.slice(at, at + PIECE_CHARACTERS).join("");
}
