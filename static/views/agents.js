/** The list of agents: a column on wide screens, a row of chips on phones; and what stands at its foot. */
import { ask } from "../notes.js";
import { closeSettings, toggle } from "../route.js";
import * as store from "../store.js";
import { select } from "../talk.js";
import { html, useEffect, useRef } from "../vendor/ui.js";
import { evidence, folderName, isBlocked, nameOf, speechWords, stateOf } from "../words.js";
import { Avatar, Doing, Dot, Icon, Modal } from "./parts.js";

export function Agents() {
  return html`<aside class="side" aria-label="Agents">
    <div class="brand"><${Logo} />ClawMux</div>
    <div class="rowwrap">
      <ul class="agents">
        ${store.sessions.value.map((session) => html`<${Agent} key=${session.id} session=${session} />`)}
      </ul>
      <button class="newrow" aria-label="New agent" onClick=${() => (store.dialog.value = { view: "new-agent" })}>
        <${Icon} name="plus" /><span class="tx">New agent</span>
      </button>
    </div>
    <${Foot} />
  </aside>`;
}

export function Logo() {
  return html`<svg class="logo" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M5 13a7 7 0 0 1 9-8M19 11a7 7 0 0 1-9 8M9 12h.01M12 12h.01M15 12h.01" />
  </svg>`;
}

/** @param {{session: any}} props */
function Agent({ session }) {
  const name = nameOf(session);
  const isCurrent = session.id === store.currentId.value;
  const state = stateOf(session, store.voice.value, store.statusText.value[session.id]);
  const needs = isBlocked(session) && !isCurrent;
  const waiting = session.messages?.waiting ?? 0;
  const row = useRef(null);
  // On a phone the row of agents is longer than the screen, and keys and questions go to any of them.
  useEffect(() => void (isCurrent && row.current.scrollIntoView({ block: "nearest", inline: "nearest" })), [isCurrent]);
  const show = () => {
    closeSettings();
    select(session.id);
  };
  return html`<li class="agent" data-session=${session.id}>
    <button class="row" ref=${row} aria-current=${isCurrent ? "true" : undefined} onClick=${show}>
      <${Avatar} name=${name} id=${session.id} />
      <span class="tx">
        <span class="nm"><b>${name}</b>${" "}<small>${folderName(session.dir)}</small></span>
        <span class="st" title=${evidence(session)}><${Doing} state=${state} /></span>
      </span>
      <span class="badges">
        ${waiting > 0 && html`<span class="badge wait" title=${waitingWords(session)}><${Icon} name="message-square" size="s" />${waiting}<span class="sr"> messages wait</span></span>`}
        ${needs && html`<span class="badge"><span class="sr">Needs you: </span>1</span>`}
      </span>
    </button>
    <button class="close ibtn" aria-label=${`Close ${name}`} title=${`Close ${name}`} onClick=${() => askToClose(session.id)}>
      <${Icon} name="x" size="s" />
    </button>
  </li>`;
}

/** What is on its way to an agent, and what holds it up. @param {any} session */
export function waitingWords(session) {
  const waiting = session.messages?.waiting ?? 0;
  const reason = store.held.value[session.id]?.reason;
  const words = waiting === 1 ? "1 message waits" : `${waiting} messages wait`;
  return `${words} for ${nameOf(session)}${reason ? `: ${reason}` : ""}`;
}

/** @param {string} id */
export function askToClose(id) {
  store.dialog.value = { view: "close-agent", id };
}

/** @param {{id: string}} props */
export function CloseAgent({ id }) {
  const session = store.sessionOf(id);
  const leave = () => (store.dialog.value = null);
  // It has ended meanwhile, closed by somebody else: there is nothing left to ask.
  useEffect(() => void (session || leave()), [session]);
  if (!session) return null;
  const name = nameOf(session);
  const close = async () => {
    leave();
    store.closing.add(id);
    if (await ask("DELETE", `/api/sessions/${encodeURIComponent(id)}`)) store.remove(id);
    store.closing.delete(id);
  };
  return html`<${Modal} label=${`Close ${name}`} onClose=${leave}>
    <h2>Close ${name}?</h2>
    <p class="hint">Its program in ${folderName(session.dir) || "its folder"} ends. Files stay as they are, and so does this conversation's history.</p>
    <div class="modal-foot">
      <button class="btn" onClick=${leave}>Keep it open</button>
      <button class="btn danger" data-do="close" onClick=${close}>Close ${name}</button>
    </div>
  <//>`;
}

const LINK_WORDS = { online: "Connected", connecting: "Connecting…", offline: "Reconnecting…" };

function Foot() {
  const link = store.link.value;
  const speech = speechWords(store.speech.value);
  return html`<div class="foot">
    <button class="ibtn" data-open="settings" aria-label="Settings" title="Settings (,)" onClick=${() => toggle("settings")}><${Icon} name="settings" /></button>
    <b>${speech.title}</b>
    ${speech.detail && html`<span class="detail">${speech.detail}</span>`}
    <span class="linkline"><${Dot} shape=${link === "online" ? "ready" : "starting"} />${LINK_WORDS[link] ?? "Not connected"}</span>
  </div>`;
}
