/**
 * The loop that joins the parts: events from user, hub and sound go into the voice reducer, its effects are carried out
 * here. What should happen is decided in voice.js; what is shown lies in store.js.
 */
import { ApiError, request, signIn } from "./api.js";
import { Microphone } from "./audio/capture.js";
import { Sound } from "./audio/context.js";
import { playCue } from "./audio/cues.js";
import { Player } from "./audio/player.js";
import { Turns } from "./audio/turns.js";
import { clientId, deviceName, freshId, keepForReload, loadOptions, loadSwitches, saveSwitches, unconfirmedTexts } from "./device.js";
import { loadHistory } from "./history.js";
import { FLAG, KIND } from "./protocol.js";
import * as store from "./store.js";
import { closePanel, openMessages, view } from "./route.js";
import { INITIAL, reduce } from "./voice.js";
import { attentionWords, nameOf, turnWords } from "./words.js";
import { Link } from "./ws.js";

/** What the person spoke shortly before the tap belongs to the turn; after an agent's own voice it would be echo. */
const PRE_ROLL_MS = Object.freeze({ hold: 300, tap: 300, auto: 0, barge: 0 });
const NOTE_MS = 6000;
const LEVELS_KEPT = 34;
const TICK_MS = 1000;
/** An agent of which nothing is known has to count as resting, or the page would wait for it for ever. */
const RESTING = new Set(["idle", "unknown"]);
/** Ends of a turn that the person chose; the controls show them already. */
const OWN_DOING = new Set(["discard", "mute"]);

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

const link = new Link({
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

const microphone = new Microphone(sound, {
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

/** @param {import("./voice.js").Event} event */
export function dispatch(event) {
  const before = store.voice.value;
  const { state, effects } = reduce(before, { at_ms: performance.now(), ...event });
  store.voice.value = state;
  if (state.mode !== before.mode) record("mode", { mode: state.mode, by: event.type });
  for (const effect of effects) EFFECTS[effect.do](effect);
  overhearing?.follow(store.voice.value);
  if (ATTENDED.has(state.mode)) attending ??= import("./attend.js").catch(() => (attending = null));
}

/** @type {Record<string, (effect: any) => void>} */
const EFFECTS = {
  arm: async ({ turn, session_id, why }) => {
    store.levels.value = [];
    turns.begin(turn, session_id);
    const failure = await microphone.open();
    if (failure) return dispatch({ type: "mic_failed", why: failure });
    if (!overhearing) fetchOverhearing().catch(() => {}); // tried again with the next turn
    if (store.voice.value.turn?.id !== turn) return undefined;
    microphone.start(turn, PRE_ROLL_MS[why ?? "hold"]);
    return dispatch({ type: "mic_ready", turn });
  },
  open: ({ turn, why }) => {
    turns.open(turn, why, store.options.value.review);
    say("Listening");
  },
  close: ({ turn, why }) => {
    turns.close(turn, why);
    microphone.stop(turn);
    if (why === "send") say("Sent");
  },
  drop: ({ turn }) => {
    microphone.stop(turn);
    turns.drop(turn);
  },
  forget: ({ turn }) => turns.forget(turn),
  play: ({ stream }) => {
    player.play(stream);
    if (standing.delete(stream)) link.send({ type: "playback_paused", stream, on: false, ms: Math.round(player.soundingMs(stream)) });
  },
  pause: ({ stream }) => {
    const ms = Math.round(player.soundingMs(stream));
    record("pause", { stream, clock: sound.context?.currentTime });
    player.pause(stream);
    standing.add(stream);
    if (store.voice.value.held) say("Paused");
    link.send({ type: "playback_paused", stream, on: true, ms });
  },
  stop: ({ stream, why }) => player.stop(stream, why),
  interrupt: ({ stream, session_id }) => {
    const at_ms = Math.round(player.soundingMs(stream));
    record("interrupt", { stream, clock: sound.context?.currentTime });
    link.send({ type: "interrupt", session_id, stream, at_ms });
  },
  cue: ({ name }) => playCue(sound, name),
  show: ({ session_id }) => select(session_id),
  review: (words) => {
    store.review.value = words;
    tell("Correct your words if need be, then press Enter");
  },
  prefs: () => {
    const { muted, auto } = store.voice.value;
    microphone.mute(muted);
    saveSwitches({ muted, auto });
    link.send({ type: "prefs", muted, auto });
    say(muted ? "Muted" : "Microphone on");
  },
};

function hello() {
  const { muted, auto } = store.voice.value;
  return {
    type: "hello", v: 2, client: clientId, device: deviceName(), last: store.lastSeen(), muted, auto,
    audio_in: ["pcm16/16000"], audio_out: ["pcm16/24000"],
    marks: true, streams: player.snapshot(), turns: turns.held(),
  };
}

/** @param {any} message */
function receive(message) {
  record(message.type, { stream: message.stream, turn: message.turn });
  store.apply(message);
  ON_MESSAGE[message.type]?.(message);
  terminal?.message(message);
}

/** What a message does besides changing the store. @type {Record<string, (message: any) => void>} */
const ON_MESSAGE = {
  welcome: (m) => {
    if (loadSwitches() || m.settings?.auto_listen === undefined) return;
    const { muted } = store.voice.value;
    const auto = Boolean(m.settings.auto_listen);
    store.voice.value = { ...store.voice.value, auto };
    link.send({ type: "prefs", muted, auto });
  },
  resync: () => {
    store.forgetConversations();
    if (store.currentId.value) loadHistory(store.currentId.value);
  },
  session_list: () => follow(),
  session_status: (m) => {
    follow();
    if (!m.session.question) dispatch({ type: "unasked", session_id: m.session_id });
    if (m.session.state === "dead") dispatch({ type: "session_gone", session_id: m.session_id });
    else if (RESTING.has(m.session.activity) && !m.session.question) dispatch({ type: "agent_rests", session_id: m.session_id });
  },
  session_terminated: (m) => {
    dispatch({ type: "session_gone", session_id: m.session_id });
    follow();
  },
  user_text: (m) => dispatch({ type: "answered", session_id: m.session_id }),
  attention: (m) => {
    if (m.session_id === store.currentId.value && document.visibilityState === "visible") link.send({ type: "seen", session_id: m.session_id });
    else playCue(sound, "attention");
    say(attentionWords(nameOf(sessionOf(m.session_id)), m.kind));
  },
  audio_owner: (m) => m.client && dispatch({ type: "owner", mine: m.client === clientId }),
  speech_start: (m) => {
    if (!player.announce(m)) return;
    onWords((spoken) => spoken.announce(m));
    if (standing.has(m.stream)) link.send({ type: "playback_paused", stream: m.stream, on: true, ms: Math.round(player.soundingMs(m.stream)) });
    store.speakingMsg.value = m.msg_id;
    dispatch({ type: "speech_start", stream: m.stream, session_id: m.session_id });
    say(`${nameOf(sessionOf(m.session_id))} is speaking`);
  },
  speech_marks: (m) => onWords((spoken) => spoken.add(m)),
  speech_end: (m) => player.complete(m.stream),
  speech_cancel: (m) => dispatch({ type: "speech_cancel", stream: m.stream }),
  listening: (m) => dispatch({ type: "listening", session_id: m.session_id, auto: m.auto ?? false, turn: freshId() }),
  vad: (m) => {
    const session_id = m.speaking ? overhearing?.heard(m.turn) : null;
    if (!session_id) return;
    dispatch({ type: "overheard", turn: m.turn, session_id });
    say("Listening");
  },
  turn_end: (m) => dispatch({ type: "turn_end", turn: m.turn }),
  turn_done: (m) => {
    const wasTurn = !overhearing?.over(m.turn, m.reason) && m.reason !== "echo";
    dispatch({ type: "turn_done", turn: m.turn, text: m.text ?? null, review: m.review ?? false });
    if (wasTurn && !m.text && !OWN_DOING.has(m.reason)) tell(turnWords(m.reason));
  },
  text_ack: (m) => {
    if (m.state === "refused") tell(m.reason || "The agent cannot take text now", "warn");
    else setTimeout(() => (store.outgoing.value = store.outgoing.value.filter(({ id }) => id !== m.id)), 1000);
  },
  notice: (m) => say(m.text),
  error: (m) => tell(m.text, "error"),
};

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
export function sessionOf(id) {
  return store.sessions.value.find((session) => session.id === id);
}

/** @param {string} id */
export function select(id) {
  store.currentId.value = id;
  follow();
  loadOnce(id); // the voice may have been with this agent before its conversation came into view
  link.send({ type: "seen", session_id: id });
}

export const measureLink = () => link.measure();

/** How link, microphone and loudspeaker stand, for who looks for a fault. */
export function insides() {
  const { context } = sound;
  return {
    round_trip_ms: link.roundTripMs,
    reconnects: Math.max(0, link.welcomes - 1),
    microphone: microphone.track?.readyState === "live" ? microphone.track.getSettings() : null,
    sample_rate: context?.sampleRate ?? null,
    latency_ms: context?.state === "running" ? Math.round(1000 * ((context.baseLatency ?? 0) + (context.outputLatency ?? 0))) : null,
    underruns: player.underruns,
  };
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
  const name = nameOf(sessionOf(session_id));
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

/**
 * Ask the hub for something and show its refusal: over the dock, or where the asker says.
 * @param {string} method @param {string} path @param {any} [body] @param {(words: string) => void} [refused]
 */
export async function ask(method, path, body, refused = (words) => tell(words, "error")) {
  try {
    return await request(method, path, body);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) store.link.value = "signed_out";
    refused([error.message, error.remedy].filter(Boolean).join("\n"));
    return null;
  }
}

/** Voices and programs that a new agent may have. */
export async function loadChoices() {
  const [voices, runtimes] = await Promise.all([ask("GET", "/api/voices"), ask("GET", "/api/runtimes")]);
  // The hub may wrap its lists; a voice may be a bare id.
  if (voices) store.voices.value = (voices.voices ?? voices).map((voice) => (typeof voice === "string" ? { id: voice } : voice));
  if (runtimes) store.runtimes.value = runtimes.runtimes ?? runtimes;
}

/** Passing words over the dock. @param {string} text @param {"info"|"warn"|"error"} [level] */
export function tell(text, level = "info") {
  const note = { text, level };
  store.note.value = note;
  say(text);
  setTimeout(() => store.note.value === note && (store.note.value = null), NOTE_MS);
}

/** @param {string} text */
function say(text) {
  store.spokenStatus.value = text;
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
  addEventListener("pagehide", () => {
    keepForReload(store.outgoing.value.filter(({ state }) => state === "sending"));
  });
  setInterval(() => document.visibilityState === "visible" && store.tick(), TICK_MS);
  document.addEventListener("visibilitychange", store.tick);
  store.link.value = "connecting";
  link.start();
}
