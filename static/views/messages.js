/** The log of messages between agents, beside the conversation: search, how far each has come, and every step of one. */
import { cancel, draft, follow, hide, list, load, loadEarlier, open, openBatch, rowsOf, search, sendDraft, show, wish } from "../messages.js";
import { isComposing } from "../keys.js";
import * as store from "../store.js";
import { html, useEffect, useRef } from "../vendor/ui.js";
import { batchTag, clock, clockSeconds, isLiving, messageTag, nameOf, sideName, stepWords } from "../words.js";
import { Icon } from "./parts.js";

/** Of a closed message so much is shown; the open one is whole. */
const GLIMPSE_CHARACTERS = 240;

export function Messages() {
  useEffect(follow, []);
  const { id, with: side } = store.logAt.value;
  useEffect(() => {
    if (side !== undefined) search({ with: side, q: "" });
    if (id) show(id);
  }, [id, side, store.logAt.value]);
  return html`<div class="mbox">
    <div class="filter">
      <${Icon} name="search" size="s" />
      <input type="search" aria-label="Search messages" placeholder="Search" value=${wish.value.q} onInput=${(event) => search({ q: event.target.value })} />
      <${Side} />
    </div>
    <${List} />
    <${Compose} />
  </div>`;
}

/** What the one who sits here writes to one agent, or to all of them. */
function Compose() {
  const sessions = store.sessions.value;
  const { text, isSending, fault } = draft.value;
  if (!sessions.length) return null;
  const to = [draft.value.to, wish.value.with, "all"].find((id) => id === "all" || sessions.some((session) => session.id === id));
  const name = to === "all" ? "everyone" : nameOf(sessions.find(({ id }) => id === to));
  const onSubmit = (event) => {
    event.preventDefault();
    sendDraft(to);
  };
  const onKeyDown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
    event.preventDefault();
    sendDraft(to);
  };
  return html`<form class="compose" onSubmit=${onSubmit}>
    ${fault && html`<p class="refusal" role="alert">${fault}</p>`}
    <select aria-label="To" value=${to} onChange=${(event) => (draft.value = { ...draft.value, to: event.target.value })}>
      <option value="all">Everyone</option>
      ${sessions.map((session) => html`<option key=${session.id} value=${session.id}>${nameOf(session)}</option>`)}
    </select>
    <textarea rows="1" aria-label=${`Message to ${name}`} placeholder=${`Message to ${name}`} value=${text} onInput=${(event) => (draft.value = { ...draft.value, text: event.target.value })} onKeyDown=${onKeyDown}></textarea>
    <button class="ibtn" aria-label=${`Send to ${name}`} title="Send (Enter)" disabled=${isSending || !text.trim()}><${Icon} name="send-horizontal" /></button>
  </form>`;
}

/** Whose messages are listed. */
function Side() {
  const sessions = store.sessions.value;
  const side = wish.value.with;
  const isGone = side && !sessions.some(({ id }) => id === side);
  return html`<select class="side-of" aria-label="Whose messages" value=${side} onChange=${(event) => search({ with: event.target.value })}>
    <option value="">Everyone</option>
    ${sessions.map((session) => html`<option key=${session.id} value=${session.id}>${nameOf(session)}</option>`)}
    ${isGone && html`<option value=${side}>${nameOf({ id: side })}</option>`}
    <option value="user">You</option>
  </select>`;
}

function List() {
  const { ids, more, isLoading, isLoaded, fault } = list.value;
  const opened = open.value;
  const isElsewhere = opened && isLoaded && !ids.includes(opened.id);
  return html`<div class="mscroll" role="region" aria-label="List of messages" aria-busy=${isLoading || !(isLoaded || fault)} tabindex="0">
    ${fault && html`<p class="refusal" role="alert">${fault} <button class="link" onClick=${load}>Try again</button></p>`}
    ${isLoaded && !ids.length && html`<p class="hint nothing">${emptyWords()}</p>`}
    <ul class="mlog">
      ${isElsewhere && html`<${Row} key=${opened.id} id=${opened.id} />`}
      ${rowsOf(ids).map(({ key, ids: those }) => (key === those[0] ? html`<${Row} key=${key} id=${key} />` : html`<${Batch} key=${key} batch=${key} ids=${those} />`))}
    </ul>
    ${more && html`<button class="btn older" disabled=${isLoading} onClick=${loadEarlier}>Show earlier</button>`}
  </div>`;
}

function emptyWords() {
  const { q, with: side } = wish.value;
  if (q.trim() || side) return "No message is like that.";
  return "No messages yet. Agents write to each other with clawmux send.";
}

/** One text that went to everybody: unfolded, how far it has come with each. @param {{batch: string, ids: string[]}} props */
function Batch({ batch, ids }) {
  const messages = ids.map((id) => store.messageOf(id).value).filter(Boolean);
  if (!messages.length) return null;
  const [{ from, from_name, created, text }] = messages;
  const isOpen = openBatch.value === batch;
  const tag = batchTag(messages);
  return html`<li data-batch=${batch}>
    <button class="mrow" aria-expanded=${isOpen} onClick=${() => (openBatch.value = isOpen ? "" : batch)}>
      <${Sides} from=${sideName(from, from_name)} to="Everyone" created=${created} />
      <span class="words" dir="auto">${isOpen ? text : glimpse(text)}</span>${" "}
      <span class="tag ${tag.tone}">${tag.words}</span>
    </button>
    ${isOpen && html`<ul class="each">${ids.map((id) => html`<${Row} key=${id} id=${id} isOfBatch />`)}</ul>`}
  </li>`;
}

/** @param {{from: string, to: string, created: number}} props */
function Sides({ from, to, created }) {
  return html`<span class="rt">
    <b><bdi>${from}</bdi></b><${Icon} name="arrow-right" size="s" /><span class="sr"> to </span>
    <b><bdi>${to}</bdi></b>
    <time>${clock(created)}</time>
  </span>`;
}

/** @param {string} text */
function glimpse(text) {
  return text.length > GLIMPSE_CHARACTERS ? `${text.slice(0, GLIMPSE_CHARACTERS)}…` : text;
}

/** @param {{id: string, isOfBatch?: boolean}} props  of a batch, its text stands above it already */
function Row({ id, isOfBatch = false }) {
  const ref = useRef(null);
  const message = store.messageOf(id).value;
  const isOpen = open.value?.id === id;
  useEffect(() => {
    if (isOpen) ref.current?.scrollIntoView({ block: "nearest" });
  }, [isOpen]);
  if (!message) return null;
  const tag = messageTag(message);
  return html`<li ref=${ref} data-message=${id} data-state=${message.state}>
    <button class="mrow" aria-expanded=${isOpen} onClick=${() => (isOpen ? hide() : show(id))}>
      ${isOfBatch
        ? html`<b><bdi>${sideName(message.to, message.to_name)}</bdi></b>${" "}`
        : html`<${Sides} from=${sideName(message.from, message.from_name)} to=${sideName(message.to, message.to_name)} created=${message.created} />
          <span class="words" dir="auto">${isOpen ? message.text : glimpse(message.text)}</span>${" "}`}
      <span class="tag ${tag.tone}">${tag.words}</span>
    </button>
    ${isLiving(message) && message.held && html`<p class="why"><${Icon} name="info" size="s" />Held: ${message.held}</p>`}
    ${message.reason && html`<p class="why bad"><${Icon} name="triangle-alert" size="s" />${message.reason}</p>`}
    ${isOpen && html`<${Way} message=${message} />`}
  </li>`;
}

/** Every step of a message with its time, and what can still be done about it. @param {{message: any}} props */
function Way({ message }) {
  const { steps, fault } = open.value;
  return html`<div class="way">
    ${message.reply && html`<p class="answer"><b>Answer: </b><span dir="auto">${message.reply}</span></p>`}
    ${steps && html`<ol class="steps" aria-label="What became of it">
      ${steps.map(({ ts, step, detail }, i) => html`<li key=${i}><time>${clockSeconds(ts)}</time><span>${stepWords(step)}${detail && step !== "responded" && html`<small dir="auto">${detail}</small>`}</span></li>`)}
    </ol>`}
    ${fault && html`<p class="refusal" role="alert">${fault}</p>`}
    <p class="way-foot">
      <code>${message.id}</code>
      ${message.expects_response && isLiving(message) && html`<span class="hint">an answer is expected</span>`}
      ${isLiving(message) && html`<button class="btn small" data-do="cancel" onClick=${() => cancel(message.id)}>Take it back</button>`}
    </p>
  </div>`;
}
