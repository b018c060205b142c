/**
 * The drawing of a terminal by xterm.js: nothing but what tmux draws, at its size, in letters that fit or can be read. It asks
 * nobody anything and answers no question that stands in the bytes.
 */
import { Terminal, styledDocument } from "./vendor/xterm.js";

/** Read well at a desk; the smallest that is still told apart. */
const LETTERS_PX = 12.5;
const LETTERS_MIN_PX = 5;
/** Lines under the cursor that belong to what is being typed, such as hints under an input box. */
const LINES_BELOW = 6;

const THEME = Object.freeze({
  background: "#0f1115", foreground: "#d6dae0", cursor: "#d6dae0", cursorAccent: "#0f1115", selectionBackground: "#3a4a7a",
  black: "#1d2026", red: "#ff7d78", green: "#7fd39b", yellow: "#e8c06a", blue: "#8db7ff", magenta: "#d3a4f0", cyan: "#76d0d6", white: "#d6dae0",
  brightBlack: "#8b929d", brightRed: "#ff9c98", brightGreen: "#a1e6b7", brightYellow: "#f3d58f", brightBlue: "#b1cdff", brightMagenta: "#e2c3f7", brightCyan: "#a0e3e8", brightWhite: "#ffffff",
});

/**
 * What tmux asks or sets at its terminal, and what we neither answer nor do: the size is the hub's, the page's title and
 * clipboard are the user's, mouse and focus are not reported. @type {{prefix?: string, intermediates?: string, final: string}[]}
 */
const UNANSWERED = [
  { final: "c" }, { prefix: ">", final: "c" }, { prefix: "=", final: "c" }, { final: "n" }, { prefix: "?", final: "n" },
  { prefix: ">", final: "q" }, { final: "t" }, { intermediates: "$", final: "p" }, { prefix: "?", intermediates: "$", final: "p" },
];
const OSC_IGNORED = [0, 1, 2, 4, 7, 8, 9, 10, 11, 12, 50, 52, 104, 110, 111, 112, 133, 633, 777, 1337];
/** Private modes of which a page's terminal wants nothing: alternate screens (there is no other), mouse, focus, brackets. */
const MODES_IGNORED = new Set([47, 1047, 1049, 9, 1000, 1002, 1003, 1005, 1006, 1015, 1016, 1004, 2004]);

export class Screen {
  /** @param {HTMLElement} scroller @param {HTMLElement} holder inside it @param {{onKeys: (keys: string) => void, onLeave: () => void, reader: boolean}} options */
  constructor(scroller, holder, { onKeys, onLeave, reader }) {
    this.scroller = scroller;
    this.holder = holder;
    this.size = { cols: 80, rows: 24, above: 0, below: 0 };
    this.fits = false;
    this.isFollowing = true;
    this.isMine = false;
    this.isControl = false;
    this.onKeys = onKeys;
    this.term = new Terminal({
      cols: 80, rows: 24, scrollback: 0, fontSize: LETTERS_PX, lineHeight: 1.25, theme: THEME, minimumContrastRatio: 4.5,
      fontFamily: '"JetBrains Mono", ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
      disableStdin: true, cursorBlink: false, cursorInactiveStyle: "outline", screenReaderMode: reader, documentOverride: styledDocument,
      linkHandler: { activate() {} }, macOptionIsMeta: true,
    });
    this.ignore();
    this.term.open(holder);
    this.term.attachCustomWheelEventHandler(() => false);
    this.term.attachCustomKeyEventHandler((event) => this.takesKey(event, onLeave));
    this.term.onData((keys) => this.press(keys));
    this.listen();
    this.take(false);
  }

  ignore() {
    const { parser } = this.term;
    for (const id of UNANSWERED) parser.registerCsiHandler(id, () => true);
    for (const number of OSC_IGNORED) parser.registerOscHandler(number, () => true);
    for (const intermediates of ["$", "+"]) parser.registerDcsHandler({ intermediates, final: "q" }, () => true);
    for (const final of ["h", "l"]) {
      parser.registerCsiHandler({ prefix: "?", final }, (numbers) => numbers.every((n) => typeof n === "number" && MODES_IGNORED.has(n)));
    }
  }

  listen() {
    let isOurs = false;
    this.scrollTo = (top) => {
      if (Math.abs(this.scroller.scrollTop - top) < 1) return;
      isOurs = true;
      this.scroller.scrollTop = top;
    };
    this.scroller.addEventListener("scroll", () => {
      if (isOurs) isOurs = false;
      else this.isFollowing = Math.abs(this.scroller.scrollTop - this.wantedTop()) < 2 * this.cellHeight();
    });
    this.watching = new ResizeObserver(() => this.lay());
    this.watching.observe(this.scroller);
  }

  /** Some keys are the page's: the way out, and copy and paste as in every other box. @param {KeyboardEvent} event @param {() => void} onLeave */
  takesKey(event, onLeave) {
    if (!this.isMine) return false;
    const { key, ctrlKey, shiftKey, altKey, metaKey } = event;
    if (metaKey) return false;
    if (ctrlKey && shiftKey && (key === "Escape" || key === "ArrowUp")) {
      event.preventDefault();
      if (event.type === "keydown") onLeave();
      return false;
    }
    if (ctrlKey && shiftKey && key.toLowerCase() === "c" && this.term.hasSelection()) {
      event.preventDefault();
      if (event.type === "keydown") navigator.clipboard?.writeText(this.term.getSelection());
      return false;
    }
    return !(ctrlKey && !altKey && key.toLowerCase() === "v");
  }

  /** The next letter is a control character, for keyboards without that key. @param {boolean} on */
  holdControl(on) {
    this.isControl = on;
  }

  /** @param {string} keys */
  press(keys) {
    const isLetter = this.isControl && /^[a-z@[\\\]^_]$/i.test(keys);
    this.isControl = false;
    this.onKeys(isLetter ? String.fromCharCode(keys.toUpperCase().charCodeAt(0) & 31) : keys);
  }

  reset() {
    this.term.reset();
    this.isFollowing = true;
  }

  /** @param {Uint8Array} bytes @param {() => void} drawn */
  draw(bytes, drawn) {
    this.term.write(bytes, () => {
      drawn();
      if (this.isFollowing) this.follow();
    });
  }

  /** @param {{cols: number, rows: number, above: number, below: number}} size */
  resize(size) {
    const { cols, rows, above, below } = size;
    if (!cols || !rows) return;
    this.size = { cols, rows, above, below };
    this.term.resize(cols, rows + above + below);
    this.lay();
  }

  /** The whole width in view, or letters that can be read. @param {boolean} fits */
  fit(fits) {
    this.fits = fits;
    this.lay();
  }

  /** @param {boolean} isMine */
  take(isMine) {
    this.isMine = isMine;
    this.term.options.disableStdin = !isMine;
    if (this.term.textarea) this.term.textarea.tabIndex = isMine ? 0 : -1;
    if (isMine) this.focus();
    else this.term.blur();
  }

  focus() {
    this.term.focus();
  }

  /** @param {boolean} on */
  readOut(on) {
    this.term.options.screenReaderMode = on;
  }

  /** tmux's own bar is outside the holder, which cuts it off. */
  lay() {
    const { cols, rows, above } = this.size;
    const room = this.scroller.clientWidth - 2 * this.padding();
    const size = this.fits && room > 0 ? Math.max(LETTERS_MIN_PX, Math.floor((room / this.cellWidth(1) / cols) * 8) / 8) : LETTERS_PX;
    if (size !== this.term.options.fontSize) this.term.options.fontSize = size;
    const height = this.cellHeight();
    this.holder.style.width = `${Math.ceil(this.cellWidth() * cols)}px`;
    this.holder.style.height = `${Math.ceil(height * rows)}px`;
    if (this.term.element) this.term.element.style.marginTop = `${-height * above}px`;
    if (this.isFollowing) this.follow();
  }

  padding() {
    return Number.parseFloat(getComputedStyle(this.scroller).paddingLeft) || 0;
  }

  /** Of the letters in use, or of letters of so many pixels. @param {number} [letters_px] */
  cellWidth(letters_px) {
    const width = this.box().width / this.term.cols;
    return letters_px === undefined ? width : (width / Number(this.term.options.fontSize)) * letters_px;
  }

  cellHeight() {
    return this.box().height / this.term.rows;
  }

  box() {
    const { width, height } = /** @type {HTMLElement} */ (this.term.element?.querySelector(".xterm-screen")).style;
    return { width: Number.parseFloat(width) || 1, height: Number.parseFloat(height) || 1 };
  }

  /** Where the cursor is, and what stands a little below it. */
  wantedTop() {
    const { active } = this.term.buffer;
    let last = active.cursorY;
    for (let row = Math.min(active.cursorY + LINES_BELOW, this.size.rows + this.size.above - 1); row > last; row -= 1) {
      if (active.getLine(row)?.translateToString(true)) last = row;
    }
    const bottom = (last - this.size.above + 1) * this.cellHeight() + 2 * this.padding();
    return Math.max(0, bottom - this.scroller.clientHeight);
  }

  follow() {
    this.scrollTo(this.wantedTop());
    if (!this.isMine || this.fits) return;
    const left = this.term.buffer.active.cursorX * this.cellWidth();
    const { scrollLeft, clientWidth } = this.scroller;
    if (left < scrollLeft || left > scrollLeft + clientWidth - 60) this.scroller.scrollLeft = Math.max(0, left - clientWidth / 2);
  }

  end() {
    this.watching.disconnect();
    this.term.dispose();
  }
}
