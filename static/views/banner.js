/** What stands over a conversation until it is dealt with: the most pressing thing only. */
import { freshId } from "../device.js";
import { closeSettings, view } from "../route.js";
import * as store from "../store.js";
import { claim, dispatch, select } from "../talk.js";
import { html } from "../vendor/ui.js";
import { nameOf, speechWords, terminalQuestion } from "../words.js";
import { Icon, Modal } from "./parts.js";

export function Banner() {
  // The settings show by themselves how speech stands.
  const parts = view.value === "settings" ? [Asks, Offered, Said] : [Insecure, Elsewhere, Asks, Offered, Speech, Said];
  const shown = parts.map((Part) => Part()).filter(Boolean);
  return html`<div class="banners">${shown.slice(0, 2)}</div>`;
}

function Insecure() {
  if (store.voice.value.mic !== "insecure") return null;
  return html`<div class="alert warn" role="note" data-banner="insecure">
    <${Icon} name="shield" />
    <p><b>This address is not secure,</b> so the browser keeps the microphone closed. On the hub's computer run <code>clawmux phone</code> and open the address it shows.</p>
  </div>`;
}

function Elsewhere() {
  const { client, device } = store.owner.value;
  if (!client || client === store.me.value || store.link.value !== "online") return null;
  return html`<div class="alert" role="note" data-banner="elsewhere">
    <${Icon} name="monitor-smartphone" />
    <p>Playing on <b>${device}</b>.</p>
    <button class="btn primary" onClick=${claim}>Play here</button>
  </div>`;
}

function Asks() {
  const session = store.waitingAgents.value[0];
  if (!session) return null;
  const { id } = session;
  const { permission, question } = session;
  const inTerminal = terminalQuestion(session);
  const blocks = permission ? `to use ${permission.tool || "a tool"}: ${permission.text}` : inTerminal;
  const text = blocks || store.attention.value[id]?.text || question?.text || "needs your answer";
  const putOff = () => (store.later.value = { ...store.later.value, [id]: true });
  const answer = () => {
    closeSettings();
    select(id);
    if (!blocks && store.voice.value.mode === "idle") dispatch({ type: "tap", turn: freshId() });
  };
  return html`<div class="alert asks" role="note" data-banner="asks">
    <${Icon} name="bell" />
    <p class="clamped"><b>${nameOf(session)} asks${permission ? "" : ":"}</b> ${text}</p>
    <button class="btn" onClick=${putOff}>Later</button>
    <button class="btn primary" onClick=${answer}>${blocks ? "Look" : "Answer"}</button>
  </div>`;
}

function Offered() {
  const [offer] = store.offers.value;
  if (!offer) return null;
  return html`<div class="alert" role="note" data-banner=${offer.id}>
    <${Icon} name=${offer.icon} />
    <p>${offer.text}</p>
    <button class="btn" onClick=${offer.close}>Not now</button>
    <button class="btn primary" onClick=${offer.act}>${offer.words}</button>
  </div>`;
}

function Speech() {
  const { state } = store.speech.value;
  if (state === "ready" || state === "starting") return null;
  const { title, detail, file } = speechWords(store.speech.value);
  const { done_bytes, total_bytes } = store.speech.value.progress ?? {};
  return html`<div class="alert warn" role="note" data-banner="speech">
    <${Icon} name=${state === "downloading" ? "download" : "triangle-alert"} />
    <p>
      <b>${title}.</b> ${detail}
      ${total_bytes > 0 && html`<progress aria-label=${`Downloading ${file}`} max=${total_bytes} value=${done_bytes}></progress>`}
    </p>
  </div>`;
}

function Said() {
  const notice = store.notices.value.at(-1);
  if (!notice) return null;
  const close = () => (store.notices.value = store.notices.value.filter(({ n }) => n !== notice.n));
  return html`<div class=${`alert ${notice.level}`} role="note" data-banner="notice">
    <${Icon} name=${notice.level === "info" ? "info" : "triangle-alert"} />
    <p>${notice.text} ${notice.remedy ?? ""}</p>
    <button class="ibtn" aria-label="Close notice" onClick=${close}><${Icon} name="x" size="s" /></button>
  </div>`;
}

export function WhyInsecure() {
  return html`<${Modal} label="Why no microphone?" onClose=${() => (store.dialog.value = null)}>
    <h2>Why no microphone?</h2>
    <p>Browsers give the microphone only to pages with a secure address: https, or this computer's own.</p>
    <p>On the computer where the hub runs, <code>clawmux open</code> opens such an address, and <code>clawmux phone</code> makes one for other devices. This page speaks and takes text.</p>
    <div class="modal-foot"><button class="btn primary" onClick=${() => (store.dialog.value = null)}>Close</button></div>
  <//>`;
}
