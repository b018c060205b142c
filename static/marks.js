/**
 * Which word of a text sounds at which moment, and where that word stands on the page. Pure: texts and numbers.
 * The hub sends such marks for what it speaks; without them they are estimated by length.
 */

/** @typedef {[start_ms: number, end_ms: number, from: number, to: number]} Mark times in the stream, characters in its text */

const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}'’_.-]*[\p{L}\p{N}\p{M}]|[\p{L}\p{N}]/gu;
const CODE = /^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^ {0,3}\1[^\n]*$|(?![\s\S]))/gm;
/** Addresses are not read aloud. Bounded: a text that is made for it must not cost the square of its length. */
const ADDRESS = /(?<=\])\([^()\s]{0,2000}(?:\s[^()]{0,300})?\)|\b[a-z][a-z0-9+.-]{1,30}:\/\/[^\s)>\]]+/gi;
/** Speech at normal speed, as long as its whole length is not known. */
const CHARACTERS_PER_SECOND = 15;
/** A pause after a mark, in characters' worth of time. */
const PAUSE = { ".": 6, "!": 6, "?": 6, ":": 4, ";": 4, ",": 2, "\n": 6 };
/** A short word takes longer than its letters. */
const WORD_COST = 1.5;
/** How many words of the page may lie between two that are spoken (a table, a line of code) or the other way round. */
const LOOK_AHEAD = 400;
const NEAR = 2;

/** @param {string} text @returns {{from: number, to: number, word: string}[]} */
export function wordsOf(text) {
  return [...text.matchAll(WORD)].map((found) => ({ from: found.index, to: found.index + found[0].length, word: plain(found[0]) }));
}

/** @param {string} word */
function plain(word) {
  return word.toLowerCase().replace(/[’_*`]/g, "'").replace(/^'+|'+$/g, "");
}

/** By length: good for a sentence or two, drifting in long answers. @param {string} text @param {number|null} whole_ms @returns {Mark[]} */
export function estimated(text, whole_ms) {
  const silent = text.replace(CODE, blank).replace(ADDRESS, blank);
  const words = wordsOf(silent);
  let length = 0;
  const spans = words.map(({ from, to }, i) => {
    const start = length;
    length += to - from + WORD_COST;
    const end = length;
    for (const sign of silent.slice(to, words[i + 1]?.from ?? to)) length += PAUSE[sign] ?? 0;
    return [start, end, from, to];
  });
  const unit = whole_ms && length ? whole_ms / length : 1000 / CHARACTERS_PER_SECOND;
  return spans.map(([start, end, from, to]) => [start * unit, end * unit, from, to]);
}

/** @param {string} part */
function blank(part) {
  return " ".repeat(part.length);
}

/** The mark that sounds at that time, or the last before it: -1 before the first. @param {Mark[]} marks @param {number} ms */
export function markAt(marks, ms) {
  let [low, high] = [0, marks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (marks[middle][0] <= ms) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/**
 * For each mark which word of the page it is, whose text lacks the signs of Markdown and may hold more: -1 for what is not shown.
 * @param {string} text @param {Mark[]} marks @param {{from: number, to: number, word: string}[]} shown words of the page, in order
 * @returns {number[]}
 */
export function placed(text, marks, shown) {
  const said = marks.map(([, , from, to]) => plain(text.slice(from, to)));
  let next = 0;
  return said.map((word, at) => {
    for (let i = next; i < Math.min(shown.length, next + LOOK_AHEAD); i++) {
      // Far ahead a word alone proves nothing: most texts have many a "the".
      const isSure = i - next <= NEAR || shown[i + 1]?.word === said[at + 1];
      if (shown[i].word !== word || !isSure) continue;
      next = i + 1;
      return i;
    }
    return -1;
  });
}
