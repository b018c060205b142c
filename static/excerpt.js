/**
 * The piece of a conversation that the page holds: entries without a gap, oldest first, of which only so many are kept. What is
 * beyond either end is had from the hub again. Pure: values in, values out.
 *
 *   more     there are older entries than the first one here
 *   newer    there are newer ones than the last one here, so what comes in now does not join on
 *   newest   number of the newest entry of this conversation that was heard of
 *   atEnd    the reader is at the end, and stays there when something comes in
 *   unseen   so many came in since the reader left the end
 */

/** @typedef {{entries: any[], more: boolean, newer: boolean, newest: number, atEnd: boolean, unseen: number, loaded: boolean, loading: boolean}} Excerpt */

/** @type {Excerpt} */
export const EMPTY = Object.freeze({
  entries: [], more: false, newer: false, newest: 0, atEnd: true, unseen: 0, loaded: false, loading: false,
});

/** So many are kept, and so many more before the surplus is dropped in one piece. */
export const [KEPT, SLACK] = [300, 50];

/** Entries that are read by people. */
const READ = new Set(["user_text", "assistant_text", "agent_message", "notice"]);

/** An entry came in. @param {Excerpt} excerpt @param {any} event @returns {Excerpt} */
export function withEvent(excerpt, event) {
  const { entries, more, newer, atEnd } = excerpt;
  const heard = { ...excerpt, newest: Math.max(excerpt.newest, event.n), unseen: excerpt.unseen + Number(!atEnd && READ.has(event.type)) };
  const last = entries.at(-1)?.n ?? 0;
  if (event.n <= last) return isBefore(entries, event, more) ? heard : { ...heard, entries: merged(entries, [event]) };
  if (newer) return heard;
  const grown = [...entries, event];
  if (grown.length <= KEPT + SLACK) return { ...heard, entries: grown };
  // Somebody reads above: what he reads is not taken away, and the end is had again when he comes there.
  return atEnd ? { ...heard, entries: grown.slice(-KEPT), more: true } : { ...heard, newer: true };
}

/** It belongs above the first one here, where others are missing. */
function isBefore(entries, event, more) {
  return more && event.n < entries[0].n;
}

/** A page of entries before the first one here; without ``beyond`` those that are the end. @param {Excerpt} excerpt @param {{entries: any[], more: boolean}} page @returns {Excerpt} */
export function withOlder(excerpt, page) {
  const all = merged(excerpt.entries, page.entries);
  const isTooLong = all.length > KEPT + SLACK && !excerpt.atEnd;
  return settled({ ...excerpt, entries: isTooLong ? all.slice(0, KEPT) : all, more: page.more, newer: excerpt.newer || isTooLong });
}

/** A page of entries after the last one here. @param {Excerpt} excerpt @param {{entries: any[], more: boolean}} page @returns {Excerpt} */
export function withNewer(excerpt, page) {
  const all = merged(excerpt.entries, page.entries);
  const isTooLong = all.length > KEPT + SLACK;
  const entries = isTooLong ? all.slice(-KEPT) : all;
  // What came in while the page was fetched did not join on.
  const newer = page.more || (entries.at(-1)?.n ?? 0) < excerpt.newest;
  return settled({ ...excerpt, entries, more: excerpt.more || isTooLong, newer });
}

/** Another piece altogether. @param {Excerpt} excerpt @param {any[]} entries @param {{more: boolean, newer: boolean}} beyond @returns {Excerpt} */
export function moved(excerpt, entries, { more, newer }) {
  return settled({ ...excerpt, entries, more, newer: newer || (entries.at(-1)?.n ?? 0) < excerpt.newest, atEnd: false });
}

/** @param {Excerpt} excerpt @returns {Excerpt} */
function settled(excerpt) {
  return { ...excerpt, newest: Math.max(excerpt.newest, excerpt.entries.at(-1)?.n ?? 0), loaded: true, loading: false };
}

/** The reader came to the end, or left it. @param {Excerpt} excerpt @param {boolean} isThere @returns {Excerpt} */
export function readAt(excerpt, isThere) {
  const atEnd = isThere && !excerpt.newer;
  if (atEnd === excerpt.atEnd) return excerpt;
  return { ...excerpt, atEnd, unseen: atEnd ? 0 : excerpt.unseen };
}

/** Entries are known by `n` and never change their order. @param {any[]} old @param {any[]} more */
function merged(old, more) {
  const byN = new Map(old.map((entry) => [entry.n, entry]));
  for (const entry of more) byN.set(entry.n, entry);
  return [...byN.values()].sort((a, b) => a.n - b.n);
}
