/** The log of messages between agents, beside the conversation: search, how far each has come, and every step of one. */
import { cancel, follow, hide, list, load, loadEarlier, open, search, show, wish } from "../messages.js";
import * as store from "../store.js";
import { html, useEffect, useRef } from "../vendor/ui.js";
import { clock, clockSeconds, isLiving, messageTag, nameOf, sideName, stepWords } from "../words.js";
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
      <input type="search" aria-label="Search messages" placeholder="Search messages" value=${wish.value.q} onInput=${(event) => search({ q: event.target.value })} />
      <${Side} />
    </div>
    <${List} />
  </div>`;
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
      ${ids.map((id) => html`<${Row} key=${id} id=${id} />`)}
    </ul>
    ${more && html`<button class="btn older" disabled=${isLoading} onClick=${loadEarlier}>Show earlier</button>`}
  </div>`;
}

function emptyWords() {
  const { q, with: side } = wish.value;
  if (q.trim() || side) return "No message is like that.";
  return "No messages yet. Agents write to each other with clawmux send.";
}

/** @param {{id: string}} props */
function Row({ id }) {
  const ref = useRef(null);
  const message = store.messageOf(id).value;
  const isOpen = open.value?.id === id;
  useEffect(() => {
    if (isOpen) ref.current?.scrollIntoView({ block: "nearest" });
  }, [isOpen]);
  if (!message) return null;
  const tag = messageTag(message);
  const text = isOpen || message.text.length <= GLIMPSE_CHARACTERS ? message.text : `${message.text.slice(0, GLIMPSE_CHARACTERS)}…`;
  return html`<li ref=${ref} data-message=${id} data-state=${message.state}>
    <button class="mrow" aria-expanded=${isOpen} onClick=${() => (isOpen ? hide() : show(id))}>
      <span class="rt">
        <b><bdi>${sideName(message.from, message.from_name)}</bdi></b><${Icon} name="arrow-right" size="s" /><span class="sr"> to </span>
        <b><bdi>${sideName(message.to, message.to_name)}</bdi></b>
        <time>${clock(message.created)}</time>
      </span>
      <span class="words" dir="auto">${text}</span>${" "}
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
