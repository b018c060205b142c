/**
 * The loop that joins the parts: events from user, hub and sound go into the voice reducer, and its effects are carried out.
 * What should happen is decided in voice.js; what is shown lies in store.js; effects.js and reception.js hold the single deeds.
 */
import { signIn } from "./api.js";
import { Microphone } from "./audio/capture.js";
import { Sound } from "./audio/context.js";
import { Player } from "./audio/player.js";
import { Turns } from "./audio/turns.js";
import { clientId, deviceName, freshId, keepForReload, loadNotify, loadOptions, loadSwitches, unconfirmedTexts } from "./device.js";
import { effects } from "./effects.js";
import { loadHistory } from "./history.js";
import { ask, tell } from "./notes.js";
import { FLAG, KIND } from "./protocol.js";
import { reactions } from "./reception.js";
import { closePanel, openMessages, view } from "./route.js";
import * as store from "./store.js";
import { effect, options, untracked } from "./vendor/ui.js";
import { INITIAL, reduce } from "./voice.js";
import { nameOf } from "./words.js";
import { Link } from "./ws.js";

const LEVELS_KEPT = 34;
const TICK_MS = 1000;

const params = new URLSearchParams(location.search);
export const isTest = params.get("test") === "1";
/** Tests only: what happened when. @type {any[]} */
export const events = [];

/** @param {string} type @param {any} [facts] */
function record(type, facts) {
  if (isTest) events.push({ type, at_ms: performance.now(), ...facts });
}

export const sound = new Sound({
  onRunning: () => dispatch({ type: "unlocked" }),
  onLost: () => dispatch({ type: "audio_lost" }),
  tap: isTest,
});

export const link = new Link({
  hello,
  onMessage: receive,
  onFrame: (frame) => {
    if (frame.kind === KIND.terminal_out) terminal?.frame(frame);
    if (frame.kind !== KIND.speech) return;
    player.receive(frame);
    if (frame.flags & FLAG.first) record("first_frame", { slot: frame.slot });
  },
  onState: (state) => {
    store.link.value = state;
    if (state === "online") comeOnline();
  },
  isSignedIn: async () => (await signIn()) !== "out",
});

/** The open terminal; its modules are fetched only when somebody opens one. @type {{frame: (frame: any) => void, message: (message: any) => void, online: () => void}|null} */
let terminal = null;
export const terminalLink = {
  join: (/** @type {NonNullable<typeof terminal>} */ opened) => (terminal = opened),
  leave: () => (terminal = null),
  send: (/** @type {any} */ message) => link.send(message),
  sendBytes: (/** @type {Uint8Array} */ bytes) => link.sendBytes(bytes),
};

const turns = new Turns({
  send: (message) => link.send(message),
  sendBytes: (bytes) => link.sendBytes(bytes),
  bufferedBytes: () => link.bufferedBytes(),
});

export const microphone = new Microphone(sound, {
  onFrame: (frame) => {
    store.levels.value = [...store.levels.value, frame.level].slice(-LEVELS_KEPT);
    if (!turns.add(frame.turn, frame)) dispatch({ type: "turn_end", turn: frame.turn });
  },
  onStarted: (turn, pre_ms) => turns.preRolled(turn, pre_ms),
  onLevel: (level) => overhearing?.level(level),
  onLost: () => dispatch({ type: "mic_failed", why: "absent" }),
  raw: isTest && !params.has("echo"), // a test of echoes wants the browser's cancelling
});

export const player = new Player(sound, {
  onStarted: (stream, latency_ms) => {
    record("playback_started", { stream: stream.id });
    onWords((spoken) => spoken.begin(stream.id));
    link.send({ type: "playback_started", stream: stream.id, latency_ms: Math.round(latency_ms) });
  },
  onProgress: (stream, ms) => link.send({ type: "playback_progress", stream: stream.id, ms: Math.round(ms) }),
  onDone: ({ session_id, stream, ms, why }) => {
    record("playback_done", { stream, why, clock: sound.context?.currentTime });
    standing.delete(stream);
    onWords((spoken) => spoken.end(stream));
    link.say({ type: "playback_done", session_id, stream, ms, why });
    dispatch({ type: "speech_over", stream });
  },
});

// What is of no use before an agent speaks, or before the microphone is open, is fetched then.
/** @type {Promise<import("./spoken.js").Spoken>|null} */
let words = null;
/** @param {(spoken: import("./spoken.js").Spoken) => void} act */
function onWords(act) {
  words ??= import("./spoken.js").then(({ Spoken }) => new Spoken(player));
  words.then(act, () => (words = null));
}

/** Most visits end before an agent calls. @type {Promise<import("./notify.js")>|null} */
let notifying = null;
/** @param {(notify: import("./notify.js")) => void} act */
export function needs(act = () => {}) {
  notifying ??= import("./notify.js");
  notifying.then(act, () => (notifying = null));
}

/** The conversation before the user's eyes: no device tells of what stands there. */
function inView() {
  const isVisible = store.visible.value;
  return { session_id: isVisible && view.value !== "settings" ? store.currentId.value : null, visible: isVisible };
}

/** @type {import("./audio/overhearing.js").Overhearing|null} */
let overhearing = null;
async function fetchOverhearing() {
  const { Overhearing } = await import("./audio/overhearing.js");
  const parts = { sound, microphone, turns, options: () => store.options.value };
  overhearing ??= new Overhearing(parts, { onChange: (state) => (store.overhearing.value = state) });
  overhearing.follow(store.voice.value);
}

/** @type {Promise<any>|null} */
let attending = null;
const ATTENDED = new Set(["listening", "speaking"]);
/** Streams of which the hub was told that they stand still. @type {Set<string>} */
const standing = new Set();

/**
 * What the single deeds work with. `overhear`: have the microphone followed while agents speak; `overhearing`: who does that,
 * null until it is there.
 * @typedef {{link: Link, sound: Sound, microphone: Microphone, turns: Turns, player: Player, standing: Set<string>,
 *   needs: typeof needs, dispatch: (event: any) => void, select: (id: string) => void, follow: () => void, record: (type: string, facts?: any) => void,
 *   onWords: typeof onWords, overhear: () => void, overhearing: () => import("./audio/overhearing.js").Overhearing|null}} Parts
 * @type {Parts}
 */
const parts = {
  link, sound, microphone, turns, player, standing, dispatch, select, follow, record, onWords, needs,
  overhear: () => void (overhearing ?? fetchOverhearing().catch(() => {})), // tried again with the next turn
  overhearing: () => overhearing,
};
const EFFECTS = effects(parts);
const ON_MESSAGE = reactions(parts);

/** @param {import("./voice.js").Event} event */
export function dispatch(event) {
  const before = store.voice.value;
  const { state, effects: due } = reduce(before, { at_ms: performance.now(), ...event });
  store.voice.value = state;
  if (state.mode !== before.mode) record("mode", { mode: state.mode, by: event.type });
  for (const effect of due) EFFECTS[effect.do](effect);
  overhearing?.follow(store.voice.value);
  if (ATTENDED.has(state.mode)) attending ??= import("./attend.js").catch(() => (attending = null));
}

function hello() {
  const { muted, auto } = store.voice.value;
  const { session_id, visible } = inView();
  return {
    type: "hello", v: 2, client: clientId, device: deviceName(), last: store.lastSeen(), muted, auto, in_view: session_id, visible,
    audio_in: ["pcm16/16000"], audio_out: ["pcm16/24000"],
    marks: true, streams: player.snapshot(), turns: turns.held(),
  };
}

/** After a long drawing of what the hub says the next one waits so many times as long: a flood is drawn in few pieces. */
const REST = 3;
const [LONG_MS, REST_MAX_MS] = [8, 200];
let isReceiving = false;
let restUntil = 0;

options.debounceRendering = (draw) => {
  const drawTimed = () => {
    const begun = performance.now();
    draw();
    const took = performance.now() - begun;
    restUntil = took > LONG_MS ? begun + took + Math.min(REST * took, REST_MAX_MS) : 0;
  };
  const rest = isReceiving ? restUntil - performance.now() : 0; // what a person does is seen at once
  if (rest > 0) setTimeout(drawTimed, rest);
  else queueMicrotask(drawTimed);
};

/** @param {any} message */
function receive(message) {
  isReceiving = true;
  try {
    take(message);
  } finally {
    isReceiving = false;
  }
}

/** @param {any} message */
function take(message) {
  record(message.type, { stream: message.stream, turn: message.turn });
  store.apply(message);
  ON_MESSAGE[message.type]?.(message);
  terminal?.message(message);
}

function comeOnline() {
  for (const { id, session_id, text, state } of store.outgoing.value) {
    if (state === "sending") link.send({ type: "text", id, session_id, text });
  }
  turns.reconnected();
  terminal?.online();
}

/** The store may have chosen another agent than the voice knows. */
function follow() {
  const id = store.currentId.value;
  if (store.voice.value.session === id) return;
  dispatch({ type: "select", session_id: id });
  loadOnce(id);
}

/** @param {string | null} id */
function loadOnce(id) {
  if (id && !store.conversation(id).value.loaded) loadHistory(id);
}

/** @param {string} id */
export function select(id) {
  store.currentId.value = id;
  follow();
  loadOnce(id); // the voice may have been with this agent before its conversation came into view
  link.send({ type: "seen", session_id: id });
}

export function toggleMessages() {
  if (view.value === "messages") closePanel();
  else showMessages({});
}

/** Open the log: at one message, at those of one agent, or as it was. @param {{id?: string, with?: string}} at */
export function showMessages(at) {
  store.logAt.value = at;
  openMessages();
}

/** Stop the agent's turn; its next state tells that it has stopped. @param {string} session_id */
export async function interrupt(session_id) {
  if (store.interrupting.value.has(session_id)) return;
  store.interrupting.value = new Set([...store.interrupting.value, session_id]);
  const done = await ask("POST", `/api/sessions/${encodeURIComponent(session_id)}/interrupt`, {});
  store.interrupting.value = new Set([...store.interrupting.value].filter((id) => id !== session_id));
  const name = nameOf(store.sessionOf(session_id));
  if (done) tell(done.interrupted ? `${name} has stopped` : `${name} rested already`);
}

/** @param {string} session_id @param {string} text */
export function sendText(session_id, text) {
  const id = freshId();
  store.outgoing.value = [...store.outgoing.value, { id, session_id, text, state: "sending" }];
  link.send({ type: "text", id, session_id, text });
}

/** @param {{id: string, session_id: string, text: string}} refused */
export function sendAgain({ id, session_id, text }) {
  store.outgoing.value = store.outgoing.value.filter((sent) => sent.id !== id);
  sendText(session_id, text);
}

/** @param {string} session_id @param {string} msg_id */
export function replay(session_id, msg_id) {
  sound.unlock();
  if (!link.send({ type: "replay", session_id, msg_id })) tell("Not connected. Try again in a moment", "warn");
}

/** Bring sound and microphone to this page. */
export function claim() {
  sound.unlock();
  link.send({ type: "audio_owner", claim: true });
}

/** How this device listens has been changed. */
export function optionsChanged() {
  overhearing?.follow(store.voice.value);
}

/** The agent is told that there will be no answer. @param {string} session_id */
export function dismiss(session_id) {
  link.say({ type: "cancel", session_id });
}

/** This browser was put out, and no control is left: it must neither listen nor speak on. */
function fallSilent() {
  dispatch({ type: "mic_failed", why: "absent" });
  dispatch({ type: "skip" });
  microphone.close();
}

/** The browser would open a file that was dropped in place of the page, in the middle of a sentence. @param {Event} event */
function refuseFiles(event) {
  const { dataTransfer } = /** @type {DragEvent} */ (event);
  if (!dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  dataTransfer.dropEffect = "none";
  if (event.type === "drop") tell("Files are not sent from here. Tell the agent where the file lies");
}

export function start() {
  store.me.value = clientId;
  const switches = loadSwitches() ?? { muted: false, auto: true };
  store.voice.value = { ...INITIAL, ...switches };
  microphone.mute(switches.muted);
  store.options.value = loadOptions();
  player.setSpeed(store.options.value.speed);
  store.outgoing.value = unconfirmedTexts.map((text) => ({ ...text, state: "sending" }));
  if (!Microphone.isPossible()) dispatch({ type: "mic_failed", why: globalThis.isSecureContext ? "absent" : "insecure" });
  effect(() => store.link.value === "signed_out" && untracked(fallSilent));
  for (const kind of ["dragover", "drop"]) addEventListener(kind, refuseFiles);
  addEventListener("pagehide", () => {
    keepForReload(store.outgoing.value.filter(({ state }) => state === "sending"));
  });
  setInterval(() => document.visibilityState === "visible" && store.tick(), TICK_MS);
  document.addEventListener("visibilitychange", () => {
    store.visible.value = document.visibilityState === "visible";
    store.tick();
  });
  effect(() => {
    const seen = inView();
    if (store.link.value === "online") link.send({ type: "in_view", ...seen });
  });
  effect(() => store.callingAgents.value.length && needs());
  if (loadNotify().on) addEventListener("load", () => needs());
  store.link.value = "connecting";
  link.start();
}
