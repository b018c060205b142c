/** The middle of the page: whose conversation it is, and all that was said, oldest first. */
import * as store from "../store.js";
import { loadHistory, showMessages } from "../talk.js";
import { html, useEffect, useLayoutEffect, useRef } from "../vendor/ui.js";
import { clock, nameOf } from "../words.js";
import { waitingWords } from "./agents.js";
import { Entry, Outgoing, Partial, isShown } from "./entries.js";
import { Icon } from "./parts.js";

/** So near to the end the reader counts as being there, and is kept there. */
const NEAR_END_PX = 80;

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
  const { entries, more, loaded, loading } = store.conversation(id).value;
  const outgoing = store.outgoing.value.filter(({ session_id }) => session_id === id);
  useAnchoredEnd(ref, entries);
  const notSpoken = new Map(entries.filter(({ type }) => type === "not_spoken").map((entry) => [entry.msg_id, entry.reason]));
  const name = nameOf(store.current.value);
  return html`<div class="log" id="log" ref=${ref} role="log" aria-label=${`Conversation with ${name}`} aria-live="off" tabindex="0">
    <div class="col">
      ${more && html`<button class="btn older" disabled=${loading} onClick=${() => loadHistory(id, entries[0]?.n)}>Show earlier</button>`}
      ${loaded && !entries.length && html`<p class="hint nothing">${name} has said nothing yet.</p>`}
      ${entries.filter(isShown).map((entry) => html`<${Entry} key=${entry.n} entry=${entry} reason=${notSpoken.get(entry.msg_id)} />`)}
      ${outgoing.map((sent) => html`<${Outgoing} key=${sent.id} sent=${sent} />`)}
      <${Partial} id=${id} />
    </div>
  </div>`;
}

/** Keeps the end in view unless the reader went up; keeps the reader's place when older entries come in above. */
function useAnchoredEnd(ref, entries) {
  const place = useRef({ isAtEnd: true, first: null, height: 0 });
  useEffect(() => {
    const log = ref.current;
    const look = () => {
      place.current.isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
    };
    const stay = new ResizeObserver(() => place.current.isAtEnd && log.scrollTo(0, log.scrollHeight));
    log.addEventListener("scroll", look, { passive: true });
    stay.observe(log);
    stay.observe(log.firstElementChild);
    return () => {
      log.removeEventListener("scroll", look);
      stay.disconnect();
    };
  }, []);
  useLayoutEffect(() => {
    const log = ref.current;
    const first = entries[0]?.n ?? null;
    const { isAtEnd, first: before, height } = place.current;
    if (isAtEnd) log.scrollTo(0, log.scrollHeight);
    else if (before !== null && first !== null && first < before) log.scrollTop += log.scrollHeight - height;
    place.current.first = first;
    place.current.height = log.scrollHeight;
  });
}
