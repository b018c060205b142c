/** Replies as text for a screen reader, on devices where it reads instead of a voice. Fetched when it is first wanted. */
import * as store from "./store.js";
import { nameOf, shown } from "./words.js";

/** A screen reader cannot be stopped in the middle by a key of ours: what is long is read in the conversation. */
const MOST_CHARACTERS = 1500;
/** The region is read as things are added to it; what was read is taken out some replies later. */
const KEPT = 4;
let count = 0;

/** @param {{session_id: string, text: string, question?: boolean}} message */
export function announce({ session_id, text, question }) {
  const name = nameOf(store.sessionOf(session_id));
  count += 1;
  const words = plain(text);
  const said = words.length > MOST_CHARACTERS ? `${words.slice(0, MOST_CHARACTERS)}… The rest stands in the conversation.` : words;
  store.announced.value = [...store.announced.value, { id: count, text: `${name}${question ? " asks" : ""}: ${said}` }].slice(-KEPT);
}

/** Without the signs of markdown, which would be read out. @param {string} text */
export function plain(text) {
  return shown(text)
    .replace(/```[^\n]*\n([\s\S]*?)(?:```|$)/g, "\nCode: $1\n")
    .replace(/`([^`\n]+)`/g, "$1")
    .replace(/!?\[([^\]\n]*)\]\([^)\n]*\)/g, "$1")
    .replace(/^[ \t]*(?:#{1,6}|[-*+>]|\d+[.)])[ \t]+/gm, "")
    .replace(/(\*\*|__|\*|~~)(\S(?:[^\n]*?\S)?)\1/g, "$2")
    .replace(/\n{2,}/g, "\n")
    .trim();
}
