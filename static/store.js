/**
 * What the page knows, as signals. The hub's messages and the user's choices change it here; views only read.
 * It opens nothing and sends nothing.
 */
import { EMPTY, withEvent, withOlder } from "./excerpt.js";
import { batch, computed, signal } from "./vendor/ui.js";
import { INITIAL } from "./voice.js";
import { isBlocked, nameOf } from "./words.js";

/** @type {{value: "boot"|"connecting"|"online"|"offline"|"signed_out"|"unreachable"}} */
export const link = signal("boot");
export const sessions = signal([]);
export const currentId = signal(null);
export const voice = signal(INITIAL);
/** `serving` and `wanted` are tiers of quality: unlike each other while a change is under way. */
export const speech = signal({ state: "starting", reason: "", progress: null });
export const settings = signal({});
/** The quality is being measured, or what became of that: {tier, doing, done, of, state, reason}. */
export const measuring = signal(null);
/** The build of the page's files that the hub has; empty: it names none. */
export const build = signal("");
/** What the page offers by itself, over the conversation. @type {{value: {id: string, icon: string, text: string, words: string, act: () => void, close: () => void}[]}} */
export const offers = signal([]);
export const owner = signal({ client: null, device: null });
export const me = signal("");
/** Counts how often the list of devices has changed. */
export const devicesTold = signal(0);
/** Words of the open turn so far. */
export const partial = signal({ turn: null, text: "" });
/** One line about each agent, in the hub's words. */
export const statusText = signal({});
/** What waits for the user, by session. */
export const attention = signal({});
/** Attention that the user put off. */
export const later = signal({});
/** Passing words over the dock: {text, level}. */
export const note = signal(null);
/** Notices that belong to no conversation. */
export const notices = signal([]);
/** Agents that the user closes on this page: their end is no news. @type {Set<string>} */
export const closing = new Set();
/** Typed words on their way: {id, session_id, text, state, reason}. */
export const outgoing = signal([]);
/** How this device talks and listens (device.js). @type {{value: import("./device.js").Options}} */
export const options = signal({ speed: 1, review: false, talk_in: true, announce: false, keys: true });
/** This page types into an agent's terminal: keys belong to that. */
export const inTerminal = signal(false);
/** Whether what the dock says about keys is true now. */
export const hasKeys = computed(() => options.value.keys && !inTerminal.value);
/** Replies for the screen reader of a device that plays none: {id, text}. */
export const announced = signal([]);
/** Whether an agent can be interrupted by talking now, and whether this device's microphone keeps its own sound apart.
 * @type {{value: {isOpen: boolean, echo: "clear"|"echo"|null}}} */
export const overhearing = signal({ isOpen: false, echo: null });
/** Words to be corrected before they are sent: {session_id, text}. */
export const review = signal(null);
/** The entry whose speech sounds now. */
export const speakingMsg = signal(null);
/** What a screen reader is told. */
export const spokenStatus = signal("");
export const dialog = signal(null);
/** Unix seconds of the hub's clock; counted on once a second. */
export const now = signal(Date.now() / 1000);
/** How far the hub's clock is before ours, in seconds. */
let ahead = 0;
/** The message between agents that was heard of last. */
export const heardOf = signal(null);
/** Where the log of messages is to open: at one of them, or at those of one agent. @type {{value: {id?: string, with?: string}}} */
export const logAt = signal({});
/** How long the parts of each agent's last turn took, as `turn_timing` tells it. @type {{value: Record<string, any>}} */
export const timings = signal({});
/** Agents whose turn is being stopped at this page's wish. @type {{value: Set<string>}} */
export const interrupting = signal(new Set());
export const typing = signal(false);
export const voices = signal([]);
export const runtimes = signal([]);
/** Loudness of the microphone, 0 to 1, newest last. */
export const levels = signal([]);

/** @param {string|null|undefined} session_id */
export function sessionOf(session_id) {
  return sessions.value.find(({ id }) => id === session_id);
}

/** Whether the page can be seen at all. */
export const visible = signal(globalThis.document?.visibilityState !== "hidden");
export const current = computed(() => sessions.value.find(({ id }) => id === currentId.value) ?? null);
/** The search in the conversation is open: how often it was asked for. */
export const finding = signal(0);
/** The entry that was searched for last. @type {{value: {session_id: string, n: number}|null}} */
export const found = signal(null);
export const currentName = computed(() => nameOf(current.value));
export const currentFolder = computed(() => current.value?.dir ?? "");
/** The entry that is being spoken, while it sounds. */
export const sounding = computed(() => (voice.value.mode === "speaking" ? speakingMsg.value : null));
/** Other agents that need the user and were not put off. */
export const waitingAgents = computed(() =>
  sessions.value.filter((session) => isBlocked(session) && session.id !== currentId.value && !later.value[session.id]),
);

/** All that need the user, but the one before their eyes: what title and badge count. Into an open microphone one talks already. */
export const callingAgents = computed(() =>
  sessions.value.filter((session) => isBlocked(session) && session.question?.stage !== "listening" && !(visible.value && session.id === currentId.value)),
);

export function tick() {
  now.value = Date.now() / 1000 + ahead;
}

/** So many messages between agents are remembered, those that were heard of last. */
const MESSAGES_KEPT = 2000;
/** @type {Map<string, {value: any}>} */
const messages = new Map();

/** How far a message between agents has come: null as long as nothing was heard of it. @param {string} id */
export function messageOf(id) {
  let message = messages.get(id);
  if (!message) messages.set(id, (message = signal(null)));
  return message;
}

/** @param {any} view as GET /api/messages/{id} shows it */
export function putMessage(view) {
  const message = messageOf(view.id);
  messages.delete(view.id);
  messages.set(view.id, message);
  if (messages.size > MESSAGES_KEPT) messages.delete(messages.keys().next().value);
  // An answer that was asked for earlier may come later.
  if (message.value && message.value.changed > view.changed) return;
  message.value = view;
  noteHeld(view);
}

export function messagesKept() {
  return messages.size;
}

/** @param {any[]} list */
export function putTimings(list) {
  timings.value = { ...timings.value, ...Object.fromEntries(list.map((timing) => [timing.session_id, timing])) };
}

/** Why a message waits, by its recipient: the newest reason. @type {{value: Record<string, {id: string, reason: string}>}} */
export const held = signal({});

/** @param {any} view */
function noteHeld({ id, to, held: reason }) {
  if (reason) held.value = { ...held.value, [to]: { id, reason } };
  else if (held.value[to]?.id === id) held.value = without(held.value, to);
}

/** A voice that is tried (hub/preview.py), and no agent that speaks. @param {{id: string}|null} stream */
export function isPreview(stream) {
  return stream?.id.startsWith("preview-") ?? false;
}

/** @type {Map<string, {value: import("./excerpt.js").Excerpt}>} */
const conversations = new Map();
/** The newest event's number: what hello asks to continue from. @type {number|null} */
let lastN = null;

export function lastSeen() {
  return lastN;
}

/** @param {string} session_id */
export function conversation(session_id) {
  let entry = conversations.get(session_id);
  if (!entry) conversations.set(session_id, (entry = signal(EMPTY)));
  return entry;
}

/** @param {string} session_id @param {(excerpt: import("./excerpt.js").Excerpt) => import("./excerpt.js").Excerpt} change */
export function changeConversation(session_id, change) {
  const entry = conversation(session_id);
  entry.value = change(entry.value);
}

/** The hub's history has moved on without us: nothing that stands here can be continued. */
export function forgetConversations() {
  lastN = null;
  for (const entry of conversations.values()) entry.value = EMPTY;
}

/** @param {string} session_id @param {{entries: any[], more: boolean}} page that ends before the first entry here, or with the newest of all */
export function addHistory(session_id, page) {
  lastN ??= page.entries.at(-1)?.n ?? null;
  changeConversation(session_id, (excerpt) => withOlder(excerpt, page));
}

/** @param {string} id @param {any} session */
function putSession(id, session) {
  const known = sessions.value.some((other) => other.id === id);
  sessions.value = known ? sessions.value.map((other) => (other.id === id ? session : other)) : [...sessions.value, session];
}

/** @param {any} event */
function append(event) {
  if (!event.session_id) {
    notices.value = [...notices.value.filter(({ n }) => n !== event.n), event].slice(-3);
    return;
  }
  changeConversation(event.session_id, (excerpt) => withEvent(excerpt, event));
  if (event.type === "user_text") outgoing.value = outgoing.value.filter((sent) => !isConfirmedBy(sent, event));
}

/** An agent that goes by itself takes its conversation off the screen: the user is told. @param {any} event */
function tellEnd({ n, session_id, reason = "" }) {
  const session = sessionOf(session_id);
  if (!session || closing.has(session_id)) return;
  notices.value = [...notices.value, { n, level: "info", text: `${nameOf(session)} has ended. ${reason}` }].slice(-3);
}

/** @param {any} sent @param {any} event */
function isConfirmedBy(sent, event) {
  return event.msg_id === sent.id || (event.session_id === sent.session_id && event.text === sent.text);
}

/** What each message of the hub changes. @type {Record<string, (message: any) => void>} */
const APPLY = {
  welcome: (m) => {
    settings.value = m.settings ?? {};
    build.value = m.build ?? "";
    if (m.speech) speech.value = { progress: null, ...m.speech };
    if (m.now) ahead = m.now - Date.now() / 1000;
    lastN ??= m.events_from - 1;
  },
  session_list: (m) => {
    sessions.value = m.sessions;
    if (!m.sessions.some(({ id }) => id === currentId.value)) currentId.value = m.sessions[0]?.id ?? null;
  },
  session_status: (m) => {
    putSession(m.session_id, m.session);
    currentId.value ??= m.session_id;
  },
  session_terminated: (m) => {
    append(m);
    tellEnd(m);
    remove(m.session_id);
  },
  assistant_text: append,
  user_text: append,
  notice: append,
  not_spoken: append,
  agent_message: append,
  work: append,
  message: (m) => {
    putMessage(m.message);
    heardOf.value = m.message;
  },
  devices: () => (devicesTold.value += 1),
  audio_owner: (m) => (owner.value = { client: m.client, device: m.device }),
  speech_state: (m) => {
    const { state, reason = "", progress = null, serving, wanted } = m;
    speech.value = { state, reason, progress, serving, wanted };
  },
  measuring: (m) => (measuring.value = m),
  attention: (m) => {
    attention.value = { ...attention.value, [m.session_id]: m };
    later.value = without(later.value, m.session_id);
  },
  attention_clear: (m) => {
    attention.value = without(attention.value, m.session_id);
    later.value = without(later.value, m.session_id);
  },
  status: (m) => (statusText.value = { ...statusText.value, [m.session_id]: m.text }),
  turn_timing: (m) => putTimings([m]),
  partial_text: (m) => (partial.value = { turn: m.turn, text: m.text }),
  turn_done: (m) => {
    if (partial.value.turn === m.turn) partial.value = { turn: null, text: "" };
  },
  text_ack: (m) => {
    outgoing.value = outgoing.value.map((sent) => (sent.id === m.id ? { ...sent, state: m.state, reason: m.reason } : sent));
  },
};

/** @param {any} message */
export function apply(message) {
  if (typeof message.n === "number") {
    if (lastN !== null && message.n <= lastN && isKnown(message)) return;
    lastN = Math.max(lastN ?? 0, message.n);
  }
  batch(() => APPLY[message.type]?.(message));
}

/** @param {any} message */
function isKnown(message) {
  return conversations.get(message.session_id)?.value.entries.some(({ n }) => n === message.n) ?? false;
}

/** @param {string} id */
export function remove(id) {
  sessions.value = sessions.value.filter((session) => session.id !== id);
  attention.value = without(attention.value, id);
  timings.value = without(timings.value, id);
  if (currentId.value === id) currentId.value = sessions.value[0]?.id ?? null;
}

/** @param {Record<string, any>} record @param {string} key */
function without(record, key) {
  const { [key]: _gone, ...rest } = record;
  return rest;
}
