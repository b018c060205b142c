/** What a conversation is made of: one component for each kind of entry. They read and draw; what comes next to what is decided elsewhere. */
import * as store from "../store.js";
import { replay, sendAgain, showMessages } from "../talk.js";
import { html } from "../vendor/ui.js";
import { clock, messageTag, nameOf, sentence, shown, sideName } from "../words.js";
import { Icon } from "./parts.js";
import { Plain, Written } from "./written.js";

/** A long message is read in the log; in the conversation its beginning is enough. */
const LINE_CHARACTERS = 600;

/** @type {Record<string, any>} */
const ENTRIES = {
  user_text: UserText,
  assistant_text: AssistantText,
  notice: NoticeOf,
  agent_message: AgentMessage,
  session_terminated: ({ entry }) => html`<${Notice} n=${entry.n} text=${`Ended. ${entry.reason ?? ""}`} level="info" />`,
};

/** Whether there is something to be seen of it. @param {any} entry */
export function isShown({ type }) {
  return type in ENTRIES;
}

/** @param {{entry: any, reason?: string, isOpen: boolean}} props `reason`: why it was not spoken; `isOpen`: nothing of it is folded */
export function Entry({ entry, reason, isOpen }) {
  return html`<${ENTRIES[entry.type]} entry=${entry} reason=${reason} isOpen=${isOpen} />`;
}

/** @param {{entry: any, isOpen: boolean}} props */
function UserText({ entry, isOpen }) {
  return html`<div class="msg user" data-n=${entry.n} data-msg=${entry.msg_id}><span class="sr">You: </span><${Plain} text=${entry.text} isOpen=${isOpen} /></div>`;
}

/** @param {{entry: any, reason?: string, isOpen: boolean}} props */
function AssistantText({ entry, reason, isOpen }) {
  const isSounding = store.sounding.value === entry.msg_id;
  return html`<article class="msg bot" data-n=${entry.n} data-msg=${entry.msg_id} data-sounding=${isSounding ? "" : undefined}>
    <div class="meta">
      <b>${store.currentName.value}</b><time>${clock(entry.ts)}</time>
      <button class="ibtn" aria-label="Play this message again" title="Play this message again" onClick=${() => replay(entry.session_id, entry.msg_id)}>
        <${Icon} name="play" size="s" />
      </button>
      ${reason !== undefined && html`<span class="tag wait" title=${reason}>not spoken</span>`}
    </div>
    <${Written} text=${entry.text} isOpen=${isOpen} />
  </article>`;
}

/** A message to or from another agent, as a thin line. @param {{entry: any}} props */
function AgentMessage({ entry }) {
  const { n, msg_id, direction, peer, peer_name, text } = entry;
  const me = store.currentName.value;
  const other = sideName(peer, peer_name);
  const [from, to] = direction === "out" ? [me, other] : [other, me];
  const message = store.messageOf(msg_id).value;
  const tag = messageTag(message ?? { state: entry.re ? "acknowledged" : "", tries: 0, re: entry.re });
  return html`<div class="mail agents-mail" data-n=${n} data-msg=${msg_id} data-direction=${direction}>
    <button class="ibtn tiny" aria-label=${`Show this message of ${from} in the log`} title="Show in the log" onClick=${() => showMessages({ id: msg_id })}><${Icon} name="message-square" size="s" /></button>
    <p>
      <b><bdi>${from}</bdi> <span aria-hidden="true">→</span><span class="sr">to</span> <bdi>${to}</bdi></b>${" "}
      <span class="words" dir="auto">${shortened(shown(text), LINE_CHARACTERS)}</span>${" "}
      ${tag.words && html`<span class="tag ${tag.tone}">${tag.words}</span>`}
    </p>
  </div>`;
}

/** @param {string} text @param {number} most */
function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** @param {{entry: any}} props */
function NoticeOf({ entry: { n, text, remedy, level } }) {
  return html`<${Notice} n=${n} text=${text} remedy=${remedy} level=${level} />`;
}

/** @param {{n: number, text: string, remedy?: string, level: string}} props */
function Notice({ n, text, remedy, level }) {
  const icon = level === "info" ? "info" : "triangle-alert";
  return html`<div class="mail ${level}" data-n=${n}><${Icon} name=${icon} size="s" /><span>${shown(remedy ? `${text} ${remedy}` : text)}</span></div>`;
}

/** Words that are on their way. @param {{sent: any}} props */
export function Outgoing({ sent }) {
  const refused = sent.state === "refused";
  return html`<div class="msg user pending" data-state=${sent.state}>
    <${Plain} text=${sent.text} />
    <span class="sendstate">
      ${refused ? html`Not delivered. ${sentence(sent.reason)} <button class="link" onClick=${() => sendAgain(sent)}>Try again</button>` : "Sending…"}
    </span>
  </div>`;
}

/** What is being said just now. @param {{id: string}} props */
export function Partial({ id }) {
  const { turn, mode } = store.voice.value;
  const isOurs = turn?.session_id === id && (mode === "listening" || mode === "sending");
  const { turn: of, text } = store.partial.value;
  if (!isOurs || of !== turn.id || !text) return null;
  return html`<div class="msg user partial"><span class="sr">You are saying: </span>${text}<span class="caret"></span></div>`;
}
