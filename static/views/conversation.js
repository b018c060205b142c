/** The middle of the page: whose conversation it is, and all that was said, oldest first. */
import { parse } from "../md.js";
import { openSettings } from "../route.js";
import * as store from "../store.js";
import { loadHistory, replay, sendAgain } from "../talk.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef } from "../vendor/ui.js";
import { clock, folderName, nameOf, stateOf } from "../words.js";
import { askToClose } from "./agents.js";
import { Dot, Icon } from "./parts.js";

/** So near to the end the reader counts as being there, and is kept there. */
const NEAR_END_PX = 80;

export function Header() {
  const session = store.current.value;
  if (!session) return html`<header class="head"><h1>ClawMux</h1><span class="sp"></span><${Gear} /></header>`;
  const { words, shape } = stateOf(session, store.voice.value, store.statusText.value[session.id]);
  const name = nameOf(session);
  return html`<header class="head">
    <h1>${name}</h1>
    <span class="pill"><${Dot} shape=${shape} />${words}</span>
    <span class="hint where" title=${session.dir}>${[folderName(session.dir), session.runtime].filter(Boolean).join(" · ")}</span>
    <span class="sp"></span>
    <button class="ibtn" aria-label="Keyboard help" title="Keyboard help" data-wide onClick=${() => (store.dialog.value = { view: "help" })}>
      <${Icon} name="keyboard" />
    </button>
    <${Gear} />
    <button class="ibtn touch-only" aria-label=${`Close ${name}`} onClick=${() => askToClose(session.id)}><${Icon} name="x" /></button>
  </header>`;
}

function Gear() {
  return html`<button class="ibtn" data-open="settings" aria-label="Settings" title="Settings" onClick=${openSettings}><${Icon} name="settings" /></button>`;
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
  const { turn, mode } = store.voice.value;
  const partial = turn?.session_id === id && (mode === "listening" || mode === "sending") ? store.partial.value : null;
  useAnchoredEnd(ref, entries);
  const notSpoken = new Map(entries.filter(({ type }) => type === "not_spoken").map((entry) => [entry.msg_id, entry.reason]));
  const name = nameOf(store.current.value);
  return html`<div class="log" id="log" ref=${ref} role="log" aria-label=${`Conversation with ${name}`} aria-live="off" tabindex="0">
    <div class="col">
      ${more && html`<button class="btn older" disabled=${loading} onClick=${() => loadHistory(id, entries[0]?.n)}>Show earlier</button>`}
      ${loaded && !entries.length && html`<p class="hint nothing">${name} has said nothing yet.</p>`}
      ${entries.map((entry) => html`<${Entry} key=${entry.n} entry=${entry} reason=${notSpoken.get(entry.msg_id)} />`)}
      ${outgoing.map((sent) => html`<${Outgoing} key=${sent.id} sent=${sent} />`)}
      ${partial && partial.turn === turn.id && partial.text && html`<${Partial} text=${partial.text} />`}
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

/** @param {{entry: any, reason?: string}} props */
function Entry({ entry, reason }) {
  if (entry.type === "user_text") return html`<${UserText} entry=${entry} />`;
  if (entry.type === "assistant_text") return html`<${AssistantText} entry=${entry} reason=${reason} />`;
  if (entry.type === "notice") return html`<${Notice} text=${entry.text} remedy=${entry.remedy} level=${entry.level} />`;
  if (entry.type === "session_terminated") return html`<${Notice} text=${`Ended. ${entry.reason ?? ""}`} level="info" />`;
  return null;
}

function UserText({ entry }) {
  return html`<div class="msg user" data-msg=${entry.msg_id}><span class="sr">You: </span>${entry.text}</div>`;
}

/** @param {{entry: any, reason?: string}} props */
function AssistantText({ entry, reason }) {
  const session = store.current.value;
  const isSounding = store.voice.value.mode === "speaking" && store.speakingMsg.value === entry.msg_id;
  return html`<article class="msg bot" data-msg=${entry.msg_id} data-sounding=${isSounding ? "" : undefined}>
    <div class="meta">
      <b>${nameOf(session)}</b><time>${clock(entry.ts)}</time>
      <button class="ibtn" aria-label="Play this message again" title="Play this message again" onClick=${() => replay(entry.session_id, entry.msg_id)}>
        <${Icon} name="play" size="s" />
      </button>
      ${reason !== undefined && html`<span class="tag wait" title=${reason}>not spoken</span>`}
    </div>
    <${Written} text=${entry.text} />
  </article>`;
}

function Outgoing({ sent }) {
  const refused = sent.state === "refused";
  return html`<div class="msg user pending" data-state=${sent.state}>
    ${sent.text}
    <span class="sendstate">
      ${refused ? html`Not delivered. ${sent.reason} <button class="link" onClick=${() => sendAgain(sent)}>Try again</button>` : "Sending…"}
    </span>
  </div>`;
}

function Partial({ text }) {
  return html`<div class="msg user partial"><span class="sr">You are saying: </span>${text}<span class="caret"></span></div>`;
}

/** @param {{text: string, remedy?: string, level: string}} props */
function Notice({ text, remedy, level }) {
  return html`<div class="mail ${level}"><${Icon} name=${level === "info" ? "info" : "triangle-alert"} size="s" /><span>${text}${remedy ? ` ${remedy}` : ""}</span></div>`;
}

/** @param {{text: string}} props */
function Written({ text }) {
  const blocks = useMemo(() => parse(text), [text]);
  return blocks.map((block, i) => html`<${Block} key=${i} block=${block} />`);
}

function Block({ block }) {
  if (block.kind === "code") return html`<${Code} info=${block.info} text=${block.text} />`;
  if (block.kind === "h") return html`<p class="heading"><${Spans} spans=${block.spans} /></p>`;
  if (block.kind === "p") return html`<p><${Spans} spans=${block.spans} /></p>`;
  const items = block.items.map((spans, i) => html`<li key=${i}><${Spans} spans=${spans} /></li>`);
  return block.ordered ? html`<ol start=${block.start}>${items}</ol>` : html`<ul>${items}</ul>`;
}

function Spans({ spans }) {
  return spans.map(({ kind, text }) => {
    if (kind === "code") return html`<code>${text}</code>`;
    return kind === "bold" ? html`<strong>${text}</strong>` : text;
  });
}

/** @param {{info: string, text: string}} props */
function Code({ info, text }) {
  const canCopy = Boolean(navigator.clipboard);
  const label = info || "code";
  const copy = async (event) => {
    const words = event.currentTarget.querySelector("span");
    await navigator.clipboard.writeText(text);
    words.textContent = "Copied";
    setTimeout(() => (words.textContent = "Copy"), 2000);
  };
  return html`<div class="codehd">
      <span>${label}</span>
      ${canCopy && html`<button class="btn small" onClick=${copy}><${Icon} name="copy" size="s" /><span>Copy</span></button>`}
    </div>
    <pre tabindex="0" role="region" aria-label=${`Code: ${label}`}><code>${/diff|patch/.test(info) ? text.split("\n").map(changeLine) : text}</code></pre>`;
}

/** @param {string} line @param {number} i @param {string[]} lines */
function changeLine(line, i, lines) {
  const change = { "+": "add", "-": "del" }[line[0]];
  const end = i < lines.length - 1 ? "\n" : "";
  return change ? html`<span class=${change}>${line}</span>${end}` : `${line}${end}`;
}
