/** The field over a conversation in which words are searched for, and the marks on what was found. */
import { forget, look, search, step } from "../find.js";
import * as store from "../store.js";
import { html, useEffect, useRef } from "../vendor/ui.js";
import { Icon } from "./parts.js";

/** So much of the conversation lies under the field. */
const COVERED_PX = 64;
/** Marks that are nowhere near the window are not seen, and a letter stands a million times in a long conversation. */
const NEAR_PX = 800;
const MARKS_MOST = 3000;
/** What stands around the words of an entry. */
const BESIDE = ".meta, .sr, .codehd, button, .tag";

/** @param {{id: string}} props */
export function Find({ id }) {
  const field = useRef(null);
  const { q, hits, more, at, fault } = search.value;
  useEffect(() => {
    field.current.focus();
    return forget;
  }, [id]);
  useEffect(() => field.current.focus(), [store.finding.value]);
  useMarks(q.trim());
  const close = () => {
    store.finding.value = 0;
    document.getElementById("log")?.focus();
  };
  const onKeyDown = (event) => {
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && event.target === field.current) step(id, event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const isOldest = at >= hits.length - 1 && !more;
  return html`<search class="find" aria-label="Find in this conversation" onKeyDown=${onKeyDown}>
    <${Icon} name="search" size="s" />
    <input ref=${field} type="text" enterkeyhint="search" maxlength="200" aria-label="Find in this conversation" placeholder="Find" value=${q} onInput=${(event) => look(id, event.target.value)} />
    <span class="count" role="status">${fault || countWords(search.value)}</span>
    <button class="ibtn" aria-label="Earlier match" title="Earlier match (Enter)" disabled=${isOldest} onClick=${() => step(id, 1)}><${Icon} name="chevron-down" size="s" /></button>
    <button class="ibtn" aria-label="Later match" title="Later match (Shift+Enter)" disabled=${at === 0} onClick=${() => step(id, -1)}><${Icon} name="chevron-down" size="s" /></button>
    <button class="ibtn" aria-label="Close the search" title="Close the search (Esc)" onClick=${close}><${Icon} name="x" size="s" /></button>
  </search>`;
}

/** @param {typeof search.value} state */
function countWords({ q, hits, more, at, isLoading }) {
  if (!q.trim()) return "";
  if (!hits.length) return isLoading ? "…" : "No match";
  return `${at + 1} of ${hits.length}${more ? "+" : ""}`;
}

/** Marks the words wherever they stand in the entries on the page, whatever is drawn anew. @param {string} q */
function useMarks(q) {
  const found = store.found.value?.n;
  useEffect(() => {
    const log = document.querySelector("#log .col");
    if (!log || !globalThis.Highlight || !CSS.highlights) return undefined; // the entry itself is marked
    const mark = () => {
      const [here, others] = [new Highlight(), new Highlight()];
      here.priority = 2;
      others.priority = 1;
      for (const entry of q ? near(log) : []) {
        const marks = Number(/** @type {HTMLElement} */ (entry).dataset.n) === found ? here : others;
        for (const range of rangesOf(entry, q, MARKS_MOST - here.size - others.size)) marks.add(range);
      }
      CSS.highlights.set("found-now", here);
      CSS.highlights.set("found", others);
    };
    let frame = 0;
    const soon = () => (frame ||= requestAnimationFrame(() => {
      frame = 0;
      mark();
    }));
    const changed = new MutationObserver(soon);
    changed.observe(log, { childList: true, subtree: true, characterData: true });
    log.parentElement?.addEventListener("scroll", soon, { passive: true });
    mark();
    showFirst(CSS.highlights.get("found-now"));
    return () => {
      changed.disconnect();
      log.parentElement?.removeEventListener("scroll", soon);
      cancelAnimationFrame(frame);
      CSS.highlights.delete("found-now");
      CSS.highlights.delete("found");
    };
  }, [q, found]);
}

/** In an entry that is higher than the screen the words themselves are brought into view. @param {Highlight|undefined} marks */
function showFirst(marks) {
  const range = marks && [...marks][0];
  const log = /** @type {HTMLElement} */ (document.getElementById("log"));
  if (!(range instanceof Range)) return;
  const [words, view] = [range.getBoundingClientRect(), log.getBoundingClientRect()];
  const isSeen = words.top > view.top + COVERED_PX && words.bottom < view.bottom;
  if (!isSeen) log.scrollTop += words.top - view.top - view.height / 2;
}

/** Entries in the window and a little beyond it. @param {Element} log */
function near(log) {
  return [...log.querySelectorAll("[data-n]")].filter((entry) => {
    const { top, bottom } = entry.getBoundingClientRect();
    return bottom > -NEAR_PX && top < innerHeight + NEAR_PX;
  });
}

/** Where the words stand in an entry, also across its nodes. @param {Element} entry @param {string} q @param {number} most @returns {Range[]} */
function rangesOf(entry, q, most) {
  const nodes = [];
  const walker = document.createTreeWalker(entry, NodeFilter.SHOW_TEXT, (node) =>
    node.parentElement?.closest(BESIDE) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
  );
  let text = "";
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    nodes.push({ node, from: text.length });
    text += node.nodeValue;
  }
  const ranges = [];
  const words = q.replace(/[*`~]/g, "").split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const pattern = words.map((word) => word.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")).join("\\s+");
  for (const match of text.matchAll(new RegExp(pattern, "giu"))) {
    if (ranges.length >= most) break;
    const range = document.createRange();
    range.setStart(...placeOf(nodes, match.index));
    range.setEnd(...placeOf(nodes, match.index + match[0].length));
    ranges.push(range);
  }
  return ranges;
}

/** @param {{node: Node, from: number}[]} nodes @param {number} at @returns {[Node, number]} */
function placeOf(nodes, at) {
  const { node, from } = /** @type {any} */ (nodes.findLast(({ from }) => from < at) ?? nodes[0]);
  return [node, at - from];
}
