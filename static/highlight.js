/**
 * Paints the word that sounds in the conversation, and dims those that are to come, over whatever nodes show the text: by
 * ranges of the CSS Custom Highlight API, so that nothing of the page is changed. Browsers without it show who speaks, no more.
 */
import { estimated, markAt, placed, wordsOf } from "./marks.js";

const TICK_MS = 60;
/** Not part of what is spoken: who, when, and the heads of code. */
const APART = ".meta, .codehd, button, .sr";
const BLOCK = "p, li, pre, td, th, h1, h2, h3, h4, h5, h6, blockquote, div, article";

export const canHighlight = typeof globalThis.Highlight === "function" && Boolean(CSS.highlights);

/** Follows one stream of speech through one message. */
export class SpokenWords {
  /**
   * @param {{stream: string, msg_id: string, text: string, est_ms?: number}} start the hub's speech_start
   * @param {{soundingMs: (id: string) => number, wholeMs: (id: string) => number|null}} player
   */
  constructor(start, player) {
    this.start = start;
    this.player = player;
    /** @type {import("./marks.js").Mark[]} */
    this.marks = [];
    this.isGuess = true;
    this.whole = null;
    this.nodes = [];
    this.shownAt = NaN;
    this.now = new Highlight();
    this.later = new Highlight();
    CSS.highlights.set("word-now", this.now);
    CSS.highlights.set("word-later", this.later);
    this.timer = setInterval(() => this.paint(), TICK_MS);
    this.paint();
  }

  /** What the hub knows: some marks at a time, in order; they begin anew after a break. @param {import("./marks.js").Mark[]} marks */
  add(marks) {
    if (!marks.length) return;
    this.marks = [...(this.isGuess ? [] : this.marks.filter(([start]) => start < marks[0][0])), ...marks];
    this.isGuess = false;
    this.places = null;
  }

  end() {
    clearInterval(this.timer);
    this.now.clear();
    this.later.clear();
  }

  paint() {
    if (!this.find()) return;
    this.guess();
    if (!this.places) {
      this.places = placed(this.start.text, this.marks, this.words);
      this.shownAt = NaN;
    }
    const at = markAt(this.marks, this.player.soundingMs(this.start.stream));
    if (at === this.shownAt) return;
    this.shownAt = at;
    this.now.clear();
    this.later.clear();
    const place = this.places[at] ?? -1;
    if (place >= 0) this.now.add(this.rangeOf(this.words[place].from, this.words[place].to));
    const rest = this.places.find((found, i) => i > at && found >= 0);
    if (rest !== undefined) this.later.add(this.rangeOf(this.words[rest].from, this.length));
  }

  guess() {
    if (!this.isGuess) return;
    const whole = this.player.wholeMs(this.start.stream);
    if (this.marks.length && whole === this.whole) return;
    this.whole = whole;
    this.marks = estimated(this.start.text, whole ?? this.start.est_ms ?? null);
    this.places = null;
  }

  /** The message's text nodes: found anew when the page has drawn it again. @returns {boolean} whether it is shown */
  find() {
    if (this.nodes.length && this.nodes.every(({ node, text }) => node.isConnected && node.data === text)) return true;
    const message = document.querySelector(`[data-msg="${CSS.escape(this.start.msg_id)}"].bot`);
    this.nodes = [];
    this.length = 0;
    if (!message) return false;
    const walker = document.createTreeWalker(message, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT, (node) => {
      if (node.nodeType === Node.TEXT_NODE) return NodeFilter.FILTER_ACCEPT;
      return /** @type {Element} */ (node).matches(APART) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_SKIP;
    });
    let text = "";
    let block = null;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const within = node.parentElement.closest(BLOCK);
      if (within !== block) text += "\n"; // words of two paragraphs are two words
      block = within;
      this.nodes.push({ node, text: node.data, from: text.length });
      text += node.data;
    }
    this.length = text.length;
    this.words = wordsOf(text);
    this.places = null;
    return this.nodes.length > 0;
  }

  /** @param {number} from @param {number} to offsets in the shown text */
  rangeOf(from, to) {
    const [startContainer, startOffset] = this.placeOf(from);
    const [endContainer, endOffset] = this.placeOf(to - 1);
    return new StaticRange({ startContainer, startOffset, endContainer, endOffset: endOffset + 1 });
  }

  /** @param {number} offset @returns {[Text, number]} */
  placeOf(offset) {
    const found = this.nodes.findLast(({ from }) => from <= offset) ?? this.nodes[0];
    return [found.node, Math.min(offset - found.from, found.node.length - 1)];
  }
}
