/**
 * The screen of an agent's terminal on the page: nothing but what tmux draws, at its size, in letters that fit or can be read,
 * and over it, when the user asks for them, the lines that have gone off its top.
 */
import { LETTERS_PX, cellOf, makeTerminal } from "./xterm.js";

/** The smallest letters that are still told apart. */
const LETTERS_MIN_PX = 5;
/** Lines under the cursor that belong to what is being typed, such as hints under an input box. */
const LINES_BELOW = 6;

export class Screen {
  /**
   * @param {{scroller: HTMLElement, past: HTMLElement, holder: HTMLElement}} places `past` and `holder` lie in the scroller, in this order
   * @param {{onKeys: (keys: string) => void, onLeave: () => void, onTop: () => void, reader: boolean}} options `onTop`: the user looks for more above
   */
  constructor({ scroller, past, holder }, { onKeys, onLeave, onTop, reader }) {
    this.scroller = scroller;
    this.pastHolder = past;
    this.holder = holder;
    /** Lines that have gone off the top, as they were when they were asked for. @type {ReturnType<typeof makeTerminal>|null} */
    this.past = null;
    this.isPastSeen = false;
    this.onTop = onTop;
    this.size = { cols: 80, rows: 24, above: 0, below: 0 };
    this.fits = false;
    this.isFollowing = true;
    this.isMine = false;
    this.isControl = false;
    this.onKeys = onKeys;
    this.term = makeTerminal({ cols: 80, rows: 24, reader });
    this.term.open(holder);
    this.term.attachCustomWheelEventHandler(() => false);
    this.term.attachCustomKeyEventHandler((event) => this.takesKey(event, onLeave));
    this.term.onData((keys) => this.press(keys));
    this.listen();
    this.take(false);
  }

  listen() {
    /** Where we have scrolled to ourselves: the event of that says nothing about the user. */
    this.own = 0;
    this.scroller.addEventListener("scroll", () => {
      if (Math.abs(this.scroller.scrollTop - this.own) >= 1) this.scrolled();
    });
    this.watching = new ResizeObserver(() => this.lay());
    this.watching.observe(this.scroller);
  }

  /** @param {number} top */
  scrollTo(top) {
    this.scroller.scrollTop = top;
    this.own = this.scroller.scrollTop;
  }

  /** By the user: who goes up reads there, and who comes back to the cursor stays with it. */
  scrolled() {
    const { scrollTop } = this.scroller;
    this.own = -1;
    this.isFollowing = Math.abs(scrollTop - this.wantedTop()) < 2 * cellOf(this.term).height;
    if (!this.isFollowing) this.isPastSeen = true;
    else if (this.isPastSeen) this.dropPast();
    if (scrollTop < 2 && !this.past) this.onTop();
  }

  /** The lines before the first of the screen, with their colours. @param {string[]} lines */
  showPast(lines) {
    this.dropPast();
    if (!lines.length) return;
    const before = this.scroller.scrollHeight - this.scroller.scrollTop;
    this.past = makeTerminal({ cols: this.size.cols, rows: lines.length, reader: this.term.options.screenReaderMode });
    this.past.open(this.pastHolder);
    this.past.attachCustomWheelEventHandler(() => false);
    this.past.attachCustomKeyEventHandler(() => false);
    if (this.past.textarea) this.past.textarea.tabIndex = -1;
    this.past.write(`\x1b[?25l${lines.join("\r\n")}`);
    this.past.options.fontSize = this.term.options.fontSize;
    this.isFollowing = false;
    this.isPastSeen = false;
    // A line of them in view, so that it is seen that there are more.
    this.scrollTo(this.scroller.scrollHeight - before - 3 * cellOf(this.term).height);
  }

  dropPast() {
    this.past?.dispose();
    this.past = null;
    this.isPastSeen = false;
    this.pastHolder.replaceChildren();
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
    this.dropPast();
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
    if (cols !== this.size.cols) this.dropPast();
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
    const widthOfOne = cellOf(this.term).width / Number(this.term.options.fontSize);
    const size = this.fits && room > 0 ? Math.max(LETTERS_MIN_PX, Math.floor((room / widthOfOne / cols) * 8) / 8) : LETTERS_PX;
    for (const term of [this.term, this.past]) if (term && term.options.fontSize !== size) term.options.fontSize = size;
    const { width, height } = cellOf(this.term);
    this.holder.style.width = `${Math.ceil(width * cols)}px`;
    this.holder.style.height = `${Math.ceil(height * rows)}px`;
    if (this.term.element) this.term.element.style.marginTop = `${-height * above}px`;
    if (this.isFollowing) this.follow();
  }

  padding() {
    return Number.parseFloat(getComputedStyle(this.scroller).paddingLeft) || 0;
  }

  /** Where the cursor is, and what stands a little below it. */
  wantedTop() {
    const { active } = this.term.buffer;
    let last = active.cursorY;
    for (let row = Math.min(active.cursorY + LINES_BELOW, this.size.rows + this.size.above - 1); row > last; row -= 1) {
      if (active.getLine(row)?.translateToString(true)) last = row;
    }
    const { offsetTop } = this.holder;
    const bottom = offsetTop + (last - this.size.above + 1) * cellOf(this.term).height + 2 * this.padding();
    const { clientHeight, scrollHeight } = this.scroller;
    return Math.min(scrollHeight - clientHeight, Math.max(offsetTop, bottom - clientHeight));
  }

  follow() {
    this.scrollTo(this.wantedTop());
    if (!this.isMine || this.fits) return;
    const left = this.term.buffer.active.cursorX * cellOf(this.term).width;
    const { scrollLeft, clientWidth } = this.scroller;
    if (left < scrollLeft || left > scrollLeft + clientWidth - 60) this.scroller.scrollLeft = Math.max(0, left - clientWidth / 2);
  }

  end() {
    this.watching.disconnect();
    this.dropPast();
    this.term.dispose();
  }
}
