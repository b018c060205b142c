/** What a conversation is made of: one component for each kind of entry. They read and draw; what comes next to what is decided elsewhere. */
import { summary, within } from "../deeds.js";
import { copyCode, written } from "../md.js";
import * as store from "../store.js";
import { replay, sendAgain, showMessages } from "../talk.js";
import { html, useLayoutEffect, useRef, useState } from "../vendor/ui.js";
import { clock, duration, messageTag, sentence, shown, sideName, undisguised } from "../words.js";
import { Icon } from "./parts.js";

/** A long message is read in the log; in the conversation its beginning is enough. */
const LINE_CHARACTERS = 600;

/** @type {Record<string, any>} */
const ENTRIES = {
  user_text: UserText,
  assistant_text: AssistantText,
  notice: NoticeOf,
  agent_message: AgentMessage,
  work: Work,
  session_terminated: ({ entry }) => html`<${Notice} n=${entry.n} text=${`Ended. ${entry.reason ?? ""}`} level="info" />`,
};

/** Whether there is something to be seen of it. @param {any} entry */
export function isShown({ type }) {
  return Object.hasOwn(ENTRIES, type);
}

/** @param {{entry: any, reason?: string, isOpen: boolean}} props `reason`: why it was not spoken; `isOpen`: nothing of it is folded */
export function Entry({ entry, reason, isOpen }) {
  return html`<${ENTRIES[entry.type]} entry=${entry} reason=${reason} isOpen=${isOpen} />`;
}

/** A mark that is there or not. @param {boolean} isFound */
function mark(isFound) {
  return isFound ? "" : undefined;
}

/** @param {{entry: any, isOpen: boolean}} props */
function UserText({ entry, isOpen }) {
  return html`<div class="msg user" data-n=${entry.n} data-found=${mark(isOpen)} data-msg=${entry.msg_id}><span class="sr">You: </span><${Plain} text=${entry.text} isOpen=${isOpen} /></div>`;
}

/** @param {{entry: any, reason?: string, isOpen: boolean}} props */
function AssistantText({ entry, reason, isOpen }) {
  const isSounding = store.sounding.value === entry.msg_id;
  return html`<article class="msg bot" data-n=${entry.n} data-found=${mark(isOpen)} data-msg=${entry.msg_id} data-sounding=${isSounding ? "" : undefined}>
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

/** A message to or from another agent, as a thin line. @param {{entry: any, isOpen: boolean}} props */
function AgentMessage({ entry, isOpen }) {
  const { n, msg_id, direction, peer, peer_name, text } = entry;
  const me = store.currentName.value;
  const other = sideName(peer, peer_name);
  const [from, to] = direction === "out" ? [me, other] : [other, me];
  // An answer that a waiting command has printed bears the id of its message, whose state is not its own.
  const message = entry.re === msg_id ? null : store.messageOf(msg_id).value;
  const tag = messageTag(message ?? { state: entry.re ? "acknowledged" : "", tries: 0, re: entry.re });
  return html`<div class="mail agents-mail" data-n=${n} data-found=${mark(isOpen)} data-msg=${msg_id} data-direction=${direction}>
    <button class="ibtn tiny" aria-label=${`Show this message of ${from} in the log`} title="Show in the log" onClick=${() => showMessages({ id: msg_id })}><${Icon} name="message-square" size="s" /></button>
    <p>
      <b><bdi>${from}</bdi> <span aria-hidden="true">→</span><span class="sr">to</span> <bdi>${to}</bdi></b>${" "}
      <span class="words" dir="auto">${isOpen ? shown(text) : shortened(shown(text), LINE_CHARACTERS)}</span>${" "}
      ${tag.words && html`<span class="tag ${tag.tone}">${tag.words}</span>`}
    </p>
  </div>`;
}

/** What it did with its tools: one line that unfolds. @param {{entry: any, isOpen: boolean}} props */
function Work({ entry: { n, items, seconds, left = 0 }, isOpen }) {
  const failed = items.filter(({ ok }) => !ok).length;
  return html`<details class="work" data-n=${n} data-found=${mark(isOpen)} data-kind="work" open=${isOpen}>
    <summary>
      <${Icon} name=${failed ? "triangle-alert" : "check"} size="s" />
      <span><b>${summary(items, left)}</b>${failed > 0 && html`, <span class="bad">${failed} failed</span>`}${seconds >= 1 && ` · ${duration(seconds)}`}</span>
      <${Icon} name="chevron-down" size="s" />
    </summary>
    <ul>${items.map((item, i) => html`<${Deed} key=${i} item=${item} />`)}${left > 0 && html`<li>and ${left} more</li>`}</ul>
  </details>`;
}

/** @param {{item: import("../deeds.js").Deed}} props */
function Deed({ item: { tool, detail, seconds, ok } }) {
  const what = undisguised(within(detail, store.currentFolder.value));
  return html`<li data-ok=${ok}>
    <span class="tool">${undisguised(tool)}</span>
    ${what && html`<code dir="ltr">${what}</code>`}
    ${!ok && html`<span class="bad">failed</span>`}
    ${seconds >= 1 && html`<span class="for">${duration(seconds)}</span>`}
  </li>`;
}

/** @param {string} text @param {number} most */
function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** @param {{entry: any, isOpen: boolean}} props */
function NoticeOf({ entry: { n, text, remedy, level }, isOpen }) {
  return html`<${Notice} n=${n} isOpen=${isOpen} text=${text} remedy=${remedy} level=${level} />`;
}

/** @param {{n: number, text: string, remedy?: string, level: string, isOpen?: boolean}} props */
function Notice({ n, text, remedy, level, isOpen = false }) {
  const icon = level === "info" ? "info" : "triangle-alert";
  return html`<div class="mail ${level}" data-n=${n} data-found=${mark(isOpen)}><${Icon} name=${icon} size="s" /><span>${shown(remedy ? `${text} ${remedy}` : text)}</span></div>`;
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

/** More than some three screens. */
const [FOLD_CHARACTERS, FOLD_LINES] = [6000, 150];
/** Longer markdown is shown as it stands: reading it would hold the page up. */
const MARKDOWN_CHARACTERS = 60000;
/** One block of a plain text: what is not in view is not laid out. */
const BLOCK_CHARACTERS = 4000;

/** @param {{text: string, isOpen?: boolean}} props `isOpen`: whole, whatever its length */
function Written({ text, isOpen = false }) {
  return html`<${Folded} text=${text} isOpen=${isOpen} Body=${Markdown} />`;
}

/** @param {{text: string, isOpen?: boolean}} props */
function Plain({ text, isOpen = false }) {
  return html`<${Folded} text=${text} isOpen=${isOpen} Body=${Blocks} />`;
}

/** @param {{text: string, isOpen: boolean, Body: any}} props */
function Folded({ text, isOpen, Body }) {
  const [isUnfolded, setUnfolded] = useState(false);
  const end = foldAt(text);
  if (end === text.length) return html`<${Body} text=${text} />`;
  const whole = isOpen || isUnfolded;
  return html`<${Body} text=${whole ? text : text.slice(0, end)} />
    <button class="link fold" aria-expanded=${whole} onClick=${() => setUnfolded(!whole)}>
      ${whole ? "Show less" : `Show all (${amount(text.length)})`}
    </button>`;
}

/** Where the beginning ends, at a line's or a word's end near by where there is one. @param {string} text */
function foldAt(text) {
  let end = text.length;
  for (let at = -1, line = 0; line < FOLD_LINES && end === text.length; line += 1) {
    at = text.indexOf("\n", at + 1);
    if (at < 0) break;
    if (line === FOLD_LINES - 1) end = at;
  }
  if (end <= FOLD_CHARACTERS * 1.2) return end;
  const near = Math.max(...["\n", " "].map((mark) => text.lastIndexOf(mark, FOLD_CHARACTERS)));
  return near > FOLD_CHARACTERS / 2 ? near : FOLD_CHARACTERS;
}

/** @param {number} characters */
function amount(characters) {
  return characters < 1e6 ? `${Math.ceil(characters / 1000)}k characters` : `${(characters / 1e6).toFixed(1)}M characters`;
}

/** @param {{text: string}} props */
function Markdown({ text }) {
  const ref = useRef(null);
  const isReadable = text.length <= MARKDOWN_CHARACTERS;
  useLayoutEffect(() => {
    if (isReadable) ref.current.replaceChildren(written(text));
  }, [text]);
  if (!isReadable) return html`<${Blocks} text=${text} />`;
  return html`<div class="md" dir="auto" ref=${ref} onClick=${copyCode}></div>`;
}

/** @param {{text: string}} props */
function Blocks({ text }) {
  const clean = shown(text);
  if (clean.length <= BLOCK_CHARACTERS) return html`<div class="plain" dir="auto">${clean}</div>`;
  const blocks = [];
  for (let at = 0; at < clean.length; ) {
    const wanted = at + BLOCK_CHARACTERS;
    const line = clean.lastIndexOf("\n", wanted);
    const end = wanted >= clean.length ? clean.length : line > at ? line + 1 : wanted;
    blocks.push(html`<div key=${at} class="plain block" dir="auto">${clean.slice(at, end)}</div>`);
    at = end;
  }
  return blocks;
}
