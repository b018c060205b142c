/** The dock: what happens now in one line, the microphone and its switches, and the text box. */
import { focusText, isComposing } from "../keys.js";
import { ask, tell } from "../notes.js";
import * as store from "../store.js";
import { dismiss, dispatch, sendText, sound } from "../talk.js";
import { pauseOrResume, skip, speedWords } from "../transport.js";
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { drafts, freshId } from "../device.js";
import { controls } from "../voice.js";
import { MIC_WORDS, TEXT_MOST_BYTES, elapsed, nameOf, terminalQuestion } from "../words.js";
import { Fetched, Icon, VoiceOptions, loadChoices } from "./parts.js";

const BARS = 34;
/** Speech seldom passes a fifth of full scale: this makes the bars use their height. */
const BAR_GAIN = 5;
const TICK_MS = 100;
/** Stages of a question before its first sound. */
const ABOUT_TO_SPEAK = new Set(["queued", "speaking"]);

export function Dock() {
  const session = store.current.value;
  if (!session) return html`<div id="talk"></div>`;
  const name = nameOf(session);
  return html`<section class="dock" aria-label=${`Talk to ${name}`} data-mode=${store.voice.value.mode} data-typing=${store.typing.value ? "" : undefined}>
    <div class="dockin">
      <div class="now-line"><div class="now"><${NowLine} name=${name} /></div><${Transport} /></div>
      <${Controls} session=${session} />
      <${TypeBox} session=${session} name=${name} />
    </div>
  </section>`;
}

function NowLine({ name }) {
  const voice = store.voice.value;
  const note = store.note.value;
  const speaker = nameOf(store.sessionOf(voice.stream?.session_id));
  if (voice.mode === "listening") return html`<${Recording} since=${voice.since_ms} turn=${voice.turn} />`;
  if (voice.mode === "speaking") return html`<${Bars} read=${() => sound.level()} kind="spk" /><span>${speaker} is speaking. Tap ${store.overhearing.value.isOpen ? "or talk " : ""}to interrupt.</span>`;
  if (note) return html`<span class=${`note ${note.level}`}>${note.text}</span>`;
  return html`<span>${hint(voice, name, speaker)}</span>`;
}

/** @param {any} voice @param {string} name @param {string} speaker */
function hint(voice, name, speaker) {
  const isOffline = store.link.value !== "online";
  const session = store.current.value;
  if (voice.mode === "locked" && voice.stream) return `Tap anywhere to hear ${speaker}`;
  if (voice.mode === "paused" && voice.held) return `${speaker} is paused`;
  if (voice.mode === "paused") return `${speaker} was paused. Tap anywhere to go on`;
  if (voice.mode === "arming") return "Opening the microphone…";
  if (voice.mode === "sending") return isOffline ? "Kept. It is sent when the connection is back" : "Understanding…";
  if (isOffline) return "Reconnecting to the hub…";
  if (voice.mic === "insecure") {
    return html`You can listen and type on this page. <button class="link" onClick=${() => (store.dialog.value = { view: "insecure" })}>Why no microphone?</button>`;
  }
  if (voice.mode === "blocked") return MIC_WORDS[voice.mic];
  if (session.state === "dead") return `${name} has ended. ${session.reason ?? ""}`;
  if (session.state === "starting") return `${name} is starting. ${session.reason ?? ""}`;
  if (session.permission) return `${name} waits for your decision`;
  if (terminalQuestion(session)) return `${name} waits in its terminal`;
  if (store.speech.value.state !== "ready") return `Speech is not ready. You can type to ${name}`;
  if (voice.mode === "muted") return "Muted. Agents still speak";
  if (ABOUT_TO_SPEAK.has(session.question?.stage)) return `${name} is about to speak`;
  if (session.question) return html`${name} waits for your answer. <button class="link" onClick=${() => dismiss(session.id)}>Dismiss</button>`;
  if (voice.mode === "waiting") return `${name} has your words`;
  if (isDeaf(session)) return `${name} hears you when it asks something`;
  return html`Tap the microphone${store.hasKeys.value && html`<span class="desk">, or hold <kbd>Space</kbd>,</span>`} and talk to ${name}`;
}

/** Such an agent's program takes no words by itself: only a question of its own is answered. @param {any} session */
function isDeaf(session) {
  return session.accepts_text === false && !session.question;
}

/** Whoever looks at another agent meanwhile must see whom the words go to. @param {{since: number, turn: any}} props */
function Recording({ since, turn }) {
  const [now, setNow] = useState(since);
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [since]);
  const isHold = turn.why === "hold";
  const other = turn.session_id === store.currentId.value ? null : store.sessionOf(turn.session_id);
  return html`<span class="rec-t" role="timer" aria-label="Recording time">${elapsed(now - since)}</span>
    ${other && html`<span data-line="goes-to">to ${nameOf(other)}</span>`}
    <${Bars} read=${() => store.levels.value.at(-1) ?? 0} kind="" />
    ${store.hasKeys.value && html`<span class="desk keys"><kbd>Space</kbd> ${isHold ? "let go to send" : "send"} · <kbd>Esc</kbd> discard</span>`}`;
}

/** Pause and skip while an agent speaks, and the way to the options of this device. */
function Transport() {
  const { mode, stream } = store.voice.value;
  const isPaused = mode === "paused";
  const sounds = stream && (mode === "speaking" || isPaused);
  return html`<div class="transport">
    ${sounds && html`<button key="pause" class="ibtn" data-do="pause" aria-label=${isPaused ? "Go on" : "Pause"} title=${isPaused ? "Go on (.)" : "Pause (.)"} onClick=${pauseOrResume}>
        <${Icon} name=${isPaused ? "play" : "pause"} />
      </button>
      <button key="skip" class="ibtn" data-do="skip" aria-label="Skip the rest" title="Skip the rest (Esc)" onClick=${skip}><${Icon} name="skip-forward" /></button>`}
    <${Options} />
  </div>`;
}

const loadOptions = () => import("./talk-options.js").then(({ TalkOptions }) => TalkOptions);

function Options() {
  const [isOpen, setOpen] = useState(false);
  const { speed } = store.options.value;
  return html`<button class="ibtn" data-open="talk-options" popovertarget="talk-options" aria-label=${`Talk options, speed ${speedWords(speed)}`} title="Talk options">
      ${speed === 1 ? html`<${Icon} name="sliders-horizontal" />` : html`<b class="speed">${speedWords(speed)}</b>`}
    </button>
    <div class="menu talk-options" id="talk-options" popover="auto" role="group" aria-label="Talk options" onToggle=${(event) => setOpen(event.newState === "open")}>
      ${isOpen && html`<${Fetched} id="talk-options-in" load=${loadOptions} what="The options" />`}
    </div>`;
}

/** Heights are set on the nodes themselves: 34 bars ten times a second need no diffing. */
function Bars({ read, kind }) {
  const ref = useRef(null);
  useEffect(() => {
    const bars = [...ref.current.children];
    const heights = new Array(BARS).fill(0);
    const timer = setInterval(() => {
      heights.push(Math.min(1, read() * BAR_GAIN));
      heights.shift();
      bars.forEach((bar, i) => bar.style.setProperty("--h", String(Math.round(10 + 90 * heights[i]))));
      document.documentElement.style.setProperty("--lv", heights.at(-1).toFixed(2));
    }, TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return html`<span class=${`bars ${kind}`} ref=${ref} aria-hidden="true">${Array.from({ length: BARS }, (_, i) => html`<i key=${i}></i>`)}</span>`;
}

function Controls({ session }) {
  const { mic, mute, auto } = controls(store.voice.value);
  return html`<div class="ctl">
    <div class="l">
      <button class="cbtn mob" aria-pressed=${store.typing.value} onClick=${toggleTypeBox}><${Icon} name="keyboard" />Type</button>
      <button class="cbtn mute" data-do="mute" aria-pressed=${mute.pressed} aria-label=${mute.pressed ? "Muted, tap to unmute microphone" : "Mute microphone"} disabled=${mute.disabled} onClick=${() => dispatch({ type: "mute" })}>
        <${Icon} name="mic-off" />${mute.pressed ? "Muted" : "Mute"}
      </button>
    </div>
    <div class="micw">
      <button id="talk" class=${`mic ${mic.recording ? "rec" : ""}`} data-do="mic" aria-label=${mic.label} disabled=${mic.disabled} onClick=${() => dispatch({ type: "tap", turn: freshId() })}>
        <${Icon} name=${mic.icon} size="l" />
      </button>
      <span aria-hidden="true">${mic.label}</span>
    </div>
    <div class="r">
      <button class="cbtn auto" data-do="auto" aria-pressed=${auto.pressed} aria-label=${`${auto.label} listening`} disabled=${auto.disabled} onClick=${() => dispatch({ type: "auto" })}>
        <${Icon} name=${auto.icon} />${auto.label}
      </button>
      <${Voice} session=${session} />
    </div>
  </div>`;
}

function toggleTypeBox() {
  if (store.typing.value) store.typing.value = false;
  else focusText();
}

function Voice({ session }) {
  useEffect(() => void (store.voices.value.length || loadChoices()), []);
  const voices = store.voices.value.length ? store.voices.value : [{ id: session.voice }];
  const change = async ({ target }) => {
    const changed = await ask("PUT", `/api/sessions/${encodeURIComponent(session.id)}/voice`, { voice: target.value });
    if (!changed) target.value = session.voice;
  };
  return html`<div class="voice">
    <span class="face" aria-hidden="true"><${Icon} name="volume-2" />Voice</span>
    <label for="voice">Voice</label>
    <select id="voice" value=${session.voice} onChange=${change}>
      <${VoiceOptions} voices=${voices} />
    </select>
    <${Icon} name="chevron-down" size="s" />
  </div>`;
}

function TypeBox({ session, name }) {
  const ref = useRef(null);
  // An id comes back with the next agent of that name: what was meant for the one before is not said to it.
  const whom = `${session.id} ${session.first_n}`;
  useEffect(() => {
    ref.current.value = drafts.get(whom) ?? "";
    fit(ref.current);
  }, [whom]);
  const reviewed = store.review.value;
  useEffect(() => {
    if (reviewed?.session_id !== session.id) return;
    store.review.value = null;
    ref.current.value = [ref.current.value.trimEnd(), reviewed.text].filter(Boolean).join(" ");
    drafts.set(whom, ref.current.value);
    fit(ref.current);
    focusText();
  }, [reviewed, whom]);
  const send = (event) => {
    event?.preventDefault();
    const text = ref.current.value.trim();
    if (!text) return;
    const kilobytes = Math.ceil(new TextEncoder().encode(text).length / 1024);
    if (kilobytes * 1024 > TEXT_MOST_BYTES) {
      tell(`That is too long: ${kilobytes} kB, and an agent takes ${TEXT_MOST_BYTES / 1024}. Put it into a file and name the file`, "warn");
      return;
    }
    sendText(session.id, text);
    drafts.delete(whom);
    ref.current.value = "";
    fit(ref.current);
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !isComposing(event)) send(event);
    if (event.key === "Escape") event.target.blur();
  };
  const onInput = ({ target }) => {
    drafts.set(whom, target.value);
    fit(target);
  };
  const asked = session.question ? `Or type your answer to ${name}` : `Or type to ${name}`;
  const prompt = isDeaf(session) ? `${name} takes words when it asks` : asked;
  return html`<form class="typebox" onSubmit=${send}>
    <textarea id="typebox" ref=${ref} rows="1" aria-label=${`Message to ${name}`} placeholder=${prompt} enterkeyhint="send" onKeyDown=${onKeyDown} onInput=${onInput}></textarea>
    <button class="ibtn" aria-label="Send message"><${Icon} name="send-horizontal" /></button>
  </form>`;
}

const BOX_MAX_PX = 160;

/** @param {HTMLTextAreaElement} box */
function fit(box) {
  box.style.height = "auto";
  box.style.height = `${Math.min(BOX_MAX_PX, box.scrollHeight)}px`;
}
