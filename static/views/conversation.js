/** The middle of the page: whose conversation it is, and all that was said, oldest first. */
import { parse } from "../md.js";
import { openSettings } from "../route.js";
import * as store from "../store.js";
import { interrupt, loadHistory, replay, sendAgain, showMessages, toggleMessages } from "../talk.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef } from "../vendor/ui.js";
import { clock, evidence, folderName, isWorking, messageTag, nameOf, sentence, sideName, stateOf } from "../words.js";
import { askToClose, waitingWords } from "./agents.js";
import { Doing, Icon } from "./parts.js";

/** So near to the end the reader counts as being there, and is kept there. */
const NEAR_END_PX = 80;

export function Header() {
  const session = store.current.value;
  if (!session) return html`<header class="head"><h1>ClawMux</h1><span class="sp"></span><${Mail} /><${Gear} /></header>`;
  const state = stateOf(session, store.voice.value, store.statusText.value[session.id]);
  const name = nameOf(session);
  return html`<header class="head">
    <h1>${name}</h1>
    <span class="pill" title=${evidence(session)}><${Doing} state=${state} /></span>
    ${isWorking(session) && html`<${Interrupt} session=${session} />`}
    <span class="hint where" title=${session.dir}>${[folderName(session.dir), session.runtime].filter(Boolean).join(" · ")}</span>
    <span class="sp"></span>
    <button class="ibtn" aria-label="Keyboard help" title="Keyboard help" data-wide onClick=${() => (store.dialog.value = { view: "help" })}>
      <${Icon} name="keyboard" />
    </button>
    <${Mail} /><${Gear} />
    <button class="ibtn touch-only" aria-label=${`Close ${name}`} onClick=${() => askToClose(session.id)}><${Icon} name="x" /></button>
  </header>`;
}

/** @param {{session: any}} props */
function Interrupt({ session }) {
  const isAsked = store.interrupting.value.has(session.id);
  return html`<button class="btn small stop" data-do="interrupt" disabled=${isAsked} aria-label=${`Interrupt ${nameOf(session)}`} onClick=${() => interrupt(session.id)}>
    <${Icon} name="square" size="s" /><span>${isAsked ? "Stopping…" : "Interrupt"}</span>
  </button>`;
}

function Mail() {
  return html`<button class="ibtn" data-open="messages" aria-label="Messages between agents" title="Messages between agents (L)" onClick=${toggleMessages}><${Icon} name="message-square" /></button>`;
}

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
  if (entry.type === "agent_message") return html`<${AgentMessage} entry=${entry} />`;
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

/** A long message is read in the log; in the conversation its beginning is enough. */
const LINE_CHARACTERS = 600;

/** A message to or from another agent, as a thin line. @param {{entry: any}} props */
function AgentMessage({ entry }) {
  const { msg_id, direction, peer, peer_name, text } = entry;
  const me = nameOf(store.sessions.value.find(({ id }) => id === entry.session_id));
  const other = sideName(peer, peer_name);
  const [from, to] = direction === "out" ? [me, other] : [other, me];
  const message = store.messageOf(msg_id).value;
  const tag = messageTag(message ?? { state: entry.re ? "acknowledged" : "", tries: 0, re: entry.re });
  return html`<div class="mail agents-mail" data-msg=${msg_id} data-direction=${direction}>
    <button class="ibtn tiny" aria-label=${`Show this message of ${from} in the log`} title="Show in the log" onClick=${() => showMessages({ id: msg_id })}><${Icon} name="message-square" size="s" /></button>
    <p>
      <b><bdi>${from}</bdi> <span aria-hidden="true">→</span><span class="sr">to</span> <bdi>${to}</bdi></b>${" "}
      <span class="words" dir="auto">${shortened(text, LINE_CHARACTERS)}</span>${" "}
      ${tag.words && html`<span class="tag ${tag.tone}">${tag.words}</span>`}
    </p>
  </div>`;
}

/** @param {string} text @param {number} most */
function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

function Outgoing({ sent }) {
  const refused = sent.state === "refused";
  return html`<div class="msg user pending" data-state=${sent.state}>
    ${sent.text}
    <span class="sendstate">
      ${refused ? html`Not delivered. ${sentence(sent.reason)} <button class="link" onClick=${() => sendAgain(sent)}>Try again</button>` : "Sending…"}
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
