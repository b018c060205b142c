/** The middle of the page: whose conversation it is, and all that was said, oldest first. */
import { readAt } from "../excerpt.js";
import { loadEnd, loadHistory, loadNewer } from "../history.js";
import { tell } from "../notes.js";
import * as store from "../store.js";
import { showMessages } from "../talk.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/ui.js";
import { clock } from "../words.js";
import { waitingWords } from "./agents.js";
import { Entry, Outgoing, Partial, isShown } from "./entries.js";
import { Icon } from "./parts.js";

/** So near to the end the reader counts as being there, and is kept there. */
const NEAR_END_PX = 80;
/** So far before the reader comes to it more is fetched: a page's answer is there long before a finger has scrolled so far. */
const AHEAD_PX = 800;

/** What stands about the agent in view until it changes: what it says it works on, and what has not reached it yet. */
export function Standing() {
  const session = store.current.value;
  if (!session) return null;
  const { report, messages } = session;
  return html`<div class="standing">
    ${report && html`<p data-line="report"><span>Works on: <b dir="auto">${report.text}</b></span><time>${clock(report.at)}</time></p>`}
    ${messages?.waiting > 0 && html`<p data-line="waiting"><${Icon} name="message-square" size="s" /><span>${waitingWords(session)}</span><button class="link" onClick=${() => showMessages({ with: session.id })}>Show</button></p>`}
  </div>`;
}

export function Conversation() {
  const id = store.currentId.value;
  if (id === null) return html`<${Empty} />`;
  return html`<${Log} key=${id} id=${id} />`;
}

function Empty() {
  return html`<div class="log empty" id="log" tabindex="-1">
    <div class="col">
      <h2>No agent yet</h2>
      <p class="hint">Start one, and it will greet you. You can have several at once; each has its own voice.</p>
      <button class="btn primary" onClick=${() => (store.dialog.value = { view: "new-agent" })}><${Icon} name="plus" />New agent</button>
    </div>
  </div>`;
}

/** @param {{id: string}} props */
function Log({ id }) {
  const ref = useRef(null);
  const excerpt = store.conversation(id).value;
  const { entries, more, newer, loaded, loading } = excerpt;
  const found = store.found.value?.session_id === id ? store.found.value.n : null;
  const name = store.currentName.value;
  usePlace(ref, id, excerpt, found);
  useOwnWords(id);
  useFetching(ref, id, excerpt);
  const drawn = useRef(new Map());
  const rows = useMemo(() => (drawn.current = rowsOf(entries, found, drawn.current)), [entries, found]);
  return html`<div class="logbox">
    ${store.finding.value > 0 && html`<${LazyFind} key=${id} id=${id} />`}
    <div class="log" id="log" ref=${ref} role="log" aria-label=${`Conversation with ${name}`} aria-live="off" tabindex="0">
      <div class="col">
        ${more && html`<button class="btn older" data-fetch="older" disabled=${loading} onClick=${() => loadHistory(id, entries[0]?.n)}>Show earlier</button>`}
        ${loaded && !entries.length && html`<p class="hint nothing">${name} has said nothing yet.</p>`}
        ${[...rows.values()].map(({ row }) => row)}
        ${newer
          ? html`<button class="btn older" data-fetch="newer" disabled=${loading} onClick=${() => loadNewer(id)}>Show later</button>`
          : html`<${Coming} id=${id} />`}
      </div>
    </div>
    <${Latest} id=${id} />
  </div>`;
}

/** @param {{id: string}} props */
function LazyFind({ id }) {
  const [Find, setFind] = useState(null);
  useEffect(() => {
    const failed = () => {
      store.finding.value = 0;
      tell("The search could not be loaded: the hub does not answer.", "error");
    };
    import("./find.js").then((views) => setFind(() => views.Find), failed);
  }, []);
  return Find && html`<${Find} id=${id} />`;
}

/**
 * What is to be drawn of each entry, by its number. An entry that is as it was is what it was, so that it is not drawn again.
 * @param {any[]} entries @param {number|null} found number of the entry that was searched for @param {Map<number, any>} before
 */
function rowsOf(entries, found, before) {
  const notSpoken = new Map(entries.filter(({ type }) => type === "not_spoken").map((entry) => [entry.msg_id, entry.reason]));
  const rows = new Map();
  for (const entry of entries.filter(isShown)) {
    const reason = notSpoken.get(entry.msg_id);
    const isOpen = entry.n === found;
    const old = before.get(entry.n);
    const isSame = old?.reason === reason && old?.isOpen === isOpen && old?.row.props.entry === entry;
    const row = isSame ? old.row : html`<${Entry} key=${entry.n} entry=${entry} reason=${reason} isOpen=${isOpen} />`;
    rows.set(entry.n, { reason, isOpen, row });
  }
  return rows;
}

/** What is not part of the conversation yet. @param {{id: string}} props */
function Coming({ id }) {
  const outgoing = store.outgoing.value.filter(({ session_id }) => session_id === id);
  return html`${outgoing.map((sent) => html`<${Outgoing} key=${sent.id} sent=${sent} />`)}<${Partial} id=${id} />`;
}

/** @param {string} id */
async function goToEnd(id) {
  if (store.conversation(id).value.newer) await loadEnd(id);
  else store.changeConversation(id, (excerpt) => readAt(excerpt, true));
}

/** Who types something sees where it has gone. @param {string} id */
function useOwnWords(id) {
  const last = store.outgoing.value.findLast(({ session_id }) => session_id === id)?.id;
  useEffect(() => {
    if (last) void goToEnd(id);
  }, [last]);
}

/** The way back to the end, once the reader has left it. @param {{id: string}} props */
function Latest({ id }) {
  const { atEnd, unseen } = store.conversation(id).value;
  const go = async () => {
    await goToEnd(id);
    document.getElementById("log")?.focus();
  };
  if (atEnd) return null;
  const words = unseen ? `${unseen} new` : "Latest";
  return html`<button class="btn latest" data-do="latest" aria-label=${`${words}: go to the end of the conversation`} onClick=${go}>
    <${Icon} name="chevron-down" size="s" />${words}
  </button>`;
}

/** Fetches what is beyond an end of the piece before the reader comes to it. */
function useFetching(ref, id, { entries, more, newer }) {
  useEffect(() => {
    const seen = new IntersectionObserver(
      (marks) => {
        const near = new Set(marks.filter(({ isIntersecting }) => isIntersecting).map(({ target }) => target.dataset.fetch));
        if (near.has("newer")) loadNewer(id);
        else if (near.has("older")) loadHistory(id, entries[0]?.n);
      },
      { root: ref.current, rootMargin: `${AHEAD_PX}px 0px` },
    );
    for (const mark of ref.current.querySelectorAll("[data-fetch]")) seen.observe(mark);
    return () => seen.disconnect();
  }, [entries, more, newer]);
}

/**
 * Where the reader is: at the end, and kept there; or at an entry, which stays where it is whatever comes in above or below; or
 * at the one that was searched for.
 */
function usePlace(ref, id, { entries, atEnd, newer }, found) {
  const place = useRef({ entries: null, size: 0 });
  // What stands on the screen before this drawing, or stood there when it was left; without new entries nothing moves.
  const isMoving = entries !== place.current.entries && !atEnd;
  const held = isMoving ? (ref.current ? topmost(ref.current) : left.get(id)) : null;
  useEffect(() => {
    const log = ref.current;
    const excerpt = () => store.conversation(id).value;
    const look = () => {
      left.set(id, topmost(log));
      const isThere = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
      // What grew under the reader, or made the window smaller, is no leaving.
      const isMoved = log.scrollHeight + log.clientHeight === place.current.size;
      place.current.size = log.scrollHeight + log.clientHeight;
      if (isThere || isMoved || !excerpt().atEnd) store.changeConversation(id, (now) => readAt(now, isThere));
    };
    const stay = new ResizeObserver(() => excerpt().atEnd && log.scrollTo(0, log.scrollHeight));
    // What the reader unfolds stays where it is, though the end goes away under it.
    const unfold = ({ target }) => {
      if (!target.closest("summary, .fold")) return;
      store.changeConversation(id, (now) => readAt(now, false));
      requestAnimationFrame(() => requestAnimationFrame(look));
    };
    log.addEventListener("scroll", look, { passive: true });
    log.addEventListener("click", unfold, { capture: true });
    stay.observe(log);
    stay.observe(log.firstElementChild);
    return () => {
      log.removeEventListener("scroll", look);
      log.removeEventListener("click", unfold, { capture: true });
      stay.disconnect();
    };
  }, []);
  useLayoutEffect(() => {
    const log = ref.current;
    const target = found !== null && store.found.value !== reached ? entryOf(log, found) : null;
    if (target) {
      reached = store.found.value;
      target.scrollIntoView({ block: target.clientHeight < log.clientHeight ? "center" : "start" });
      requestAnimationFrame(() => log.dispatchEvent(new Event("scroll"))); // it may be at the end already
    } else if (held) log.scrollTop += (topOf(log, entryOf(log, held.n)) ?? held.top) - held.top;
    else if (atEnd) log.scrollTo(0, log.scrollHeight);
    place.current = { entries, size: log.scrollHeight + log.clientHeight };
  });
}

/** What was searched for and has been brought into view: once, or whoever comes back would find the place lost. */
let reached = null;

/** Where the reader was in a conversation that went out of view: one of another agent, or this one under the settings. */
const left = new Map();

/** The first entry that is in view, and where. @param {HTMLElement} log */
function topmost(log) {
  const { top } = log.getBoundingClientRect();
  for (const entry of log.querySelectorAll("[data-n]")) {
    if (entry.getBoundingClientRect().bottom <= top) continue;
    return { n: Number(/** @type {HTMLElement} */ (entry).dataset.n), top: topOf(log, entry) };
  }
  return null;
}

/** How far under the upper edge it is. @param {HTMLElement} log @param {Element|null} entry */
function topOf(log, entry) {
  return entry ? entry.getBoundingClientRect().top - log.getBoundingClientRect().top : null;
}

/** @param {HTMLElement} log @param {number} n */
function entryOf(log, n) {
  return log.querySelector(`[data-n="${n}"]`);
}
