/** Small pieces that several views share: icon, dot, avatar, modal dialog. */
import { ask } from "../notes.js";
import * as store from "../store.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/ui.js";
import { duration, voiceName } from "../words.js";

/** Beside the modules, so of the same build. */
const ICONS = new URL("../icons.svg", import.meta.url).pathname;

/** @param {{name: string, size?: ""|"s"|"l"}} props */
export function Icon({ name, size = "" }) {
  return html`<svg class="ic ${size}" aria-hidden="true"><use href=${`${ICONS}#${name}`} /></svg>`;
}

/** @param {{shape: string}} props */
export function Dot({ shape }) {
  return html`<i class="dot ${shape}" aria-hidden="true"></i>`;
}

/** What an agent does, in words, and since when where that tells something. @param {{state: ReturnType<typeof import("../words.js").stateOf>}} props */
export function Doing({ state }) {
  const { words, shape, since } = state;
  return html`<${Dot} shape=${shape} /><span class="words">${words}</span>${since && html`<span class="for">· <${Age} since=${since} /></span>`}`;
}

/** Time since a moment of the hub's clock, kept up to date. @param {{since: number}} props */
export function Age({ since }) {
  return html`<span class="age">${duration(store.now.value - since)}</span>`;
}

const AVATAR_COLOURS = 6;
/** Chosen so that the first six voices get six colours. */
const [SPREAD, WRAP] = [15, 509];

/** @param {{name: string, id: string}} props */
export function Avatar({ name, id }) {
  let sum = 0;
  for (const letter of id) sum = (sum * SPREAD + letter.charCodeAt(0)) % WRAP;
  return html`<span class="av c${sum % AVATAR_COLOURS}" aria-hidden="true">${name.charAt(0)}</span>`;
}

/** Voices and programs that a new agent may have. */
export async function loadChoices() {
  const [voices, runtimes] = await Promise.all([ask("GET", "/api/voices"), ask("GET", "/api/runtimes")]);
  // The hub may wrap its lists; a voice may be a bare id.
  if (voices) store.voices.value = (voices.voices ?? voices).map((voice) => (typeof voice === "string" ? { id: voice } : voice));
  if (runtimes) store.runtimes.value = runtimes.runtimes ?? runtimes;
}

/** The voices by language, because several languages have a Santa. @param {{voices: any[], taken?: Set<string>}} props */
export function VoiceOptions({ voices, taken = new Set() }) {
  const languages = new Map();
  for (const voice of voices) languages.set(voice.language, [...(languages.get(voice.language) ?? []), voice]);
  const option = ({ id }) =>
    html`<option key=${id} value=${id} disabled=${taken.has(id)}>${voiceName(id)}${taken.has(id) ? " (in use)" : ""}</option>`;
  return [...languages].map(([language, those]) =>
    language ? html`<optgroup key=${language} label=${language}>${those.map(option)}</optgroup>` : those.map(option),
  );
}

/**
 * A modal dialog; Escape and a click beside it close it. The focus then goes to what ``returnTo`` finds, else where it was before.
 * @param {{label: string, onClose: () => void, returnTo?: () => any, children?: any}} props
 */
export function Modal({ label, onClose, returnTo = () => null, children }) {
  const ref = useRef(null);
  const before = useRef(document.activeElement);
  // With the drawing, not after it: a key pressed in between would find a dialog that is not open yet.
  useLayoutEffect(() => ref.current.showModal(), []);
  // While it stands, nothing outside of it takes the focus.
  useEffect(() => () => {
    const to = returnTo() || before.current;
    if (to instanceof HTMLElement) to.focus();
  }, []);
  const onClick = (event) => event.target === ref.current && onClose();
  const onCancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog class="modal" ref=${ref} aria-label=${label} onClick=${onClick} onCancel=${onCancel}>
    <div class="modal-in">${children}</div>
  </dialog>`;
}

/** Most visits never open these: their modules are fetched when somebody does. @param {{id?: string, load: () => Promise<any>, what: string}} props */
export function Fetched({ id, load, what }) {
  const [state, setState] = useState({ View: null, fault: "" });
  useEffect(() => {
    load().then(
      (View) => setState({ View, fault: "" }),
      () => setState({ View: null, fault: `${what} could not be loaded: the hub does not answer, or has a newer page. Reload this one.` }),
    );
  }, []);
  return state.View ? html`<${state.View} />` : html`<div class="fetching" id=${id}><p class="hint">${state.fault}</p></div>`;
}

const ONGOING = { arming: "The microphone is opening.", listening: "The microphone is on.", sending: "Understanding…", speaking: "An agent is speaking." };

/** A microphone that is open must be seen to be open, wherever the user is. @param {{back: () => void}} props */
export function Ongoing({ back }) {
  const { mode, stream } = store.voice.value;
  const words = store.isPreview(stream) ? "" : ONGOING[mode];
  return html`<div class="ongoing" data-mode=${mode}>
    ${words && html`<span>${words}</span><button class="btn" onClick=${back}>Back to the conversation</button>`}
  </div>`;
}
