/** Texts of a conversation: an agent's markdown, and words as they were said. What is very long shows its beginning first. */
import { copyCode, written } from "../md.js";
import { html, useLayoutEffect, useRef, useState } from "../vendor/ui.js";
import { shown } from "../words.js";

/** More than some three screens. */
const [FOLD_CHARACTERS, FOLD_LINES] = [6000, 150];
/** Longer markdown is shown as it stands: reading it would hold the page up. */
const MARKDOWN_CHARACTERS = 60000;
/** One block of a plain text: what is not in view is not laid out. */
const BLOCK_CHARACTERS = 4000;

/** @param {{text: string, isOpen?: boolean}} props `isOpen`: whole, whatever its length */
export function Written({ text, isOpen = false }) {
  return html`<${Folded} text=${text} isOpen=${isOpen} Body=${Markdown} />`;
}

/** @param {{text: string, isOpen?: boolean}} props */
export function Plain({ text, isOpen = false }) {
  return html`<${Folded} text=${text} isOpen=${isOpen} Body=${Blocks} />`;
}

/** @param {{text: string, isOpen: boolean, Body: any}} props */
function Folded({ text, isOpen, Body }) {
  const [isUnfolded, setUnfolded] = useState(false);
  const end = foldAt(text);
  if (end === text.length) return html`<${Body} text=${text} />`;
  const whole = isOpen || isUnfolded;
  return html`<${Body} text=${whole ? text : text.slice(0, end)} />
    <button class="link fold" aria-expanded=${whole} onClick=${() => setUnfolded(!whole)}>
      ${whole ? "Show less" : `Show all (${amount(text.length)})`}
    </button>`;
}

/** Where the beginning ends, at a line's or a word's end near by where there is one. @param {string} text */
function foldAt(text) {
  let end = text.length;
  for (let at = -1, line = 0; line < FOLD_LINES && end === text.length; line += 1) {
    at = text.indexOf("\n", at + 1);
    if (at < 0) break;
    if (line === FOLD_LINES - 1) end = at;
  }
  if (end <= FOLD_CHARACTERS * 1.2) return end;
  const near = Math.max(...["\n", " "].map((mark) => text.lastIndexOf(mark, FOLD_CHARACTERS)));
  return near > FOLD_CHARACTERS / 2 ? near : FOLD_CHARACTERS;
}

/** @param {number} characters */
function amount(characters) {
  return characters < 1e6 ? `${Math.ceil(characters / 1000)}k characters` : `${(characters / 1e6).toFixed(1)}M characters`;
}

/** @param {{text: string}} props */
function Markdown({ text }) {
  const ref = useRef(null);
  const isReadable = text.length <= MARKDOWN_CHARACTERS;
  useLayoutEffect(() => {
    if (isReadable) ref.current.replaceChildren(written(text));
  }, [text]);
  if (!isReadable) return html`<${Blocks} text=${text} />`;
  return html`<div class="md" dir="auto" ref=${ref} onClick=${copyCode}></div>`;
}

/** @param {{text: string}} props */
function Blocks({ text }) {
  const clean = shown(text);
  if (clean.length <= BLOCK_CHARACTERS) return html`<div class="plain" dir="auto">${clean}</div>`;
  const blocks = [];
  for (let at = 0; at < clean.length; ) {
    const wanted = at + BLOCK_CHARACTERS;
    const line = clean.lastIndexOf("\n", wanted);
    const end = wanted >= clean.length ? clean.length : line > at ? line + 1 : wanted;
    blocks.push(html`<div key=${at} class="plain block" dir="auto">${clean.slice(at, end)}</div>`);
    at = end;
  }
  return blocks;
}
