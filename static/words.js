/** How things are called on the screen: pure functions from what the hub says to words and shapes. */

/** @param {{name?: string, id: string}|undefined|null} session */
export function nameOf(session) {
  const name = session?.name || session?.id || "the agent";
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** "af_sky" is Sky, "bm_fable" is Fable. @param {string} voice */
export function voiceName(voice) {
  const name = voice.replace(/^[a-z]{2}_/, "");
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** @param {string|undefined} path */
export function folderName(path) {
  return path?.split(/[\\/]/).filter(Boolean).at(-1) ?? "";
}

/** Words and shape by the stage of an open question. @type {Record<string, [string, string]>} */
const STAGES = {
  queued: ["Wants to speak", "working"],
  speaking: ["Speaking", "speaking"],
  listening: ["Listening to you", "ready"],
  waiting: ["Needs your answer", "needs"],
  transcribing: ["Understanding you", "working"],
};
/** @type {Record<string, [string, string]>} */
const ACTIVITIES = {
  idle: ["Ready", "ready"],
  thinking: ["Thinking", "working"],
  tool: ["Running a tool", "working"],
  speaking: ["Speaking", "speaking"],
  listening: ["Listening to you", "ready"],
  waiting: ["Needs your answer", "needs"],
  needs_you: ["Needs your answer", "needs"],
  unknown: ["State unknown", "unknown"],
};
/** The same where the hub knows what sort of it. @type {Record<string, Record<string, string>>} */
const KINDS = {
  idle: { interrupted: "Interrupted, ready" },
  thinking: { compaction: "Compacting its context", rate_limit: "Waits for its rate limit", api_error: "Tries its model again" },
  needs_you: {
    permission: "Needs your permission",
    question: "Needs your answer",
    login: "Needs you to log in",
    trust: "Needs you to trust its folder",
    rate_limit: "Rate limit reached",
    api_error: "Its model answers with an error",
  },
};
/** Who told it. @type {Record<string, string>} */
const SOURCES = {
  process: "its process",
  command: "its clawmux commands",
  hook: "its hooks",
  record: "its own records",
  screen: "its screen",
};

/**
 * @param {any} session
 * @param {{mode: string, turn: any, stream: any}} voice
 * @param {string} [statusText] the hub's own words for what the agent does
 * @returns {{words: string, shape: "starting"|"ready"|"working"|"speaking"|"needs"|"unknown"|"off", since: number|null}}
 */
export function stateOf(session, voice, statusText = "") {
  const [words, shape] = /** @type {any} */ (decide(session, voice));
  if (shape !== "working") return { words, shape, since: null };
  return { words: statusText || words, shape, since: isWorking(session) ? session.doing.since : null };
}

/** A turn of the agent is under way: it can be interrupted. @param {any} session */
export function isWorking(session) {
  return ["thinking", "tool"].includes(session?.doing?.activity) && session.state !== "dead";
}

/** Somebody must answer before it goes on. @param {any} session */
export function isBlocked(session) {
  return session.state !== "dead" && (Boolean(session.needs_you) || session.doing?.activity === "needs_you");
}

/** The hub's reason, as a sentence of its own. @param {string} text */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What an agent asks in its own terminal, where no button answers it. @param {any} session */
export function terminalQuestion({ doing, permission }) {
  // What it asks by clawmux itself is answered here.
  if (doing?.activity !== "needs_you" || doing.source === "command" || permission) return "";
  return doing.detail || KINDS.needs_you[doing.kind] || ACTIVITIES.needs_you[0];
}

/** Characters that are not seen, or that turn the order of others round: controls, zero widths, bidirectional marks. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;

/** Of these, those that some scripts and emoji need are left alone in prose. */
const UNRULY = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/gu;

/** A text for reading: no terminal escape, and nothing that turns the order of the words round. @param {string} text */
export function shown(text) {
  return text.replace(/\r\n?/g, "\n").replace(UNRULY, named);
}

/** What somebody decides about must read as it will be done. @param {string} text */
export function undisguised(text) {
  return text.replace(UNSEEN, named);
}

/** @param {string} character */
function named(character) {
  return `‹U+${/** @type {number} */ (character.codePointAt(0)).toString(16).toUpperCase().padStart(4, "0")}›`;
}

/** So much text the hub takes at once. */
export const TEXT_MOST_BYTES = 65536;

/** An agent calls for the user. @param {string} name @param {string} kind */
export function attentionWords(name, kind) {
  if (kind === "done") return `${name} is done`;
  if (kind === "error") return `${name} cannot go on`;
  const words = kind === "question" ? "" : (KINDS.needs_you[kind] ?? "");
  if (!words) return `${name} needs an answer`;
  return words.startsWith("Needs") ? `${name} n${words.slice(1)}` : `${name}: ${words}`;
}

/** By what the hub knows an agent's state. @param {any} session */
export function evidence({ doing }) {
  if (!doing || !SOURCES[doing.source]) return "";
  return `Told by ${SOURCES[doing.source]}, last at ${clockSeconds(doing.seen)}`;
}

/** @returns {[string, string]} */
function doingWords({ activity, doing }) {
  const [words, shape] = ACTIVITIES[doing?.activity ?? activity] ?? ACTIVITIES.idle;
  if (!doing) return [words, shape];
  if (doing.activity === "tool" && doing.detail) return [`Running ${doing.detail}`, shape];
  return [KINDS[doing.activity]?.[doing.kind] ?? words, shape];
}

/** @returns {[string, string]} */
function decide(session, voice) {
  if (session.state === "dead") return ["Ended", "off"];
  if (voice.mode === "listening" && voice.turn?.session_id === session.id) return ["Listening to you", "ready"];
  if (voice.mode === "speaking" && voice.stream?.session_id === session.id) return ["Speaking", "speaking"];
  if (session.state === "starting") return ["Starting…", "starting"];
  if (session.doing?.activity === "needs_you") return doingWords(session);
  if (session.needs_you) return STAGES.waiting;
  if (session.question) return STAGES[session.question.stage] ?? STAGES.waiting;
  return doingWords(session);
}

/** "9:41", in the reader's own clock. @param {number|undefined} ts unix seconds */
export function clock(ts) {
  if (!ts) return "";
  return new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" }).format(new Date(ts * 1000));
}

/** "9:41" of the same day, "21 Nov, 9:41" of another, with the year of another year. @param {number} ts @param {number} now both unix seconds */
export function whenWords(ts, now) {
  const [then, today] = [new Date(ts * 1000), new Date(now * 1000)];
  if (then.toDateString() === today.toDateString()) return clock(ts);
  const year = then.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return `${new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year }).format(then)}, ${clock(ts)}`;
}

/** "9:41:07" @param {number|undefined} ts unix seconds */
export function clockSeconds(ts) {
  if (!ts) return "";
  return new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", second: "2-digit" }).format(new Date(ts * 1000));
}

/** @type {[number, number, string][]} below so many seconds, counted in, called */
const DURATIONS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [Infinity, 86400, "d"]];

/** "18 s", "3 min". @param {number} seconds */
export function duration(seconds) {
  const passed = Math.max(0, seconds);
  const [, unit, name] = /** @type {any} */ (DURATIONS.find(([below]) => passed < below));
  return `${Math.floor(passed / unit)} ${name}`;
}

/** "0:04" @param {number} ms */
export function elapsed(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** A tier of quality by the word that everything else calls it, too. @param {string|null|undefined} tier */
export function tierName(tier) {
  return tier ? tier.charAt(0).toUpperCase() + tier.slice(1) : "";
}

/** As programs and discs say it, in powers of ten. @param {number} bytes */
export function size(bytes) {
  return bytes >= 1e9 ? `${Number((bytes / 1e9).toFixed(1))} GB` : `${Math.round(bytes / 1e6)} MB`;
}

/** The speech service in one line. @param {{state: string, reason?: string, progress?: any, serving?: string|null}} speech */
export function speechWords({ state, reason = "", progress, serving }) {
  if (state === "ready") return { ok: true, title: "Speech ready", detail: reason || (serving ? `${tierName(serving)} quality` : "") };
  if (state === "starting") return { ok: false, title: "Speech is starting", detail: reason };
  if (state === "downloading") {
    const { done_bytes = 0, total_bytes = 0, file = "" } = progress ?? {};
    const percent = total_bytes ? `${Math.floor((100 * done_bytes) / total_bytes)} %` : "";
    const detail = total_bytes ? `${size(done_bytes)} of ${size(total_bytes)}` : reason;
    return { ok: false, title: `Downloading speech models ${percent}`.trim(), detail, file };
  }
  if (state === "missing_models") return { ok: false, title: "Text only: no speech models", detail: reason };
  return { ok: false, title: "Text only: speech is off", detail: reason };
}

/** Why nothing came of a turn. @type {Record<string, string>} */
const TURN_REASONS = {
  nothing_heard: "Nothing was heard",
  empty: "Nothing was heard",
  timeout: "Nothing was heard",
  cancelled: "Cancelled",
  speech_down: "Speech recognition does not answer. Please type",
  lost: "The microphone was lost",
};

/** @param {string|undefined} reason */
export function turnWords(reason) {
  return TURN_REASONS[reason ?? ""] ?? (reason || "Nothing was heard");
}

/** Why there is no microphone. @type {Record<string, string>} */
export const MIC_WORDS = {
  denied: "The browser was told to keep the microphone closed. Allow it beside the address, then tap again.",
  absent: "No microphone was found. Plug one in, then tap again.",
  failed: "The microphone could not be opened. Another program may be using it.",
};

/** The one who sits here is a side of messages, too. @param {string} id @param {string} [name] */
export function sideName(id, name) {
  return id === "user" ? "You" : nameOf({ id, name });
}

/** How far a message has come. @type {Record<string, [string, ""|"ok"|"wait"|"bad"]>} */
const MESSAGE_STATES = {
  queued: ["waiting", "wait"],
  injecting: ["being typed", "wait"],
  pending: ["sent", ""],
  acknowledged: ["read", "ok"],
  responded: ["answered", "ok"],
  failed: ["failed", "bad"],
  undeliverable: ["not delivered", "bad"],
  cancelled: ["cancelled", ""],
};
const LIVING_STATES = new Set(["queued", "injecting", "pending"]);

/** @param {any} message */
export function isLiving(message) {
  return LIVING_STATES.has(message.state);
}

/** @param {any} message @returns {{words: string, tone: ""|"ok"|"wait"|"bad"}} */
export function messageTag({ state, tries, re }) {
  const [words, tone] = MESSAGE_STATES[state] ?? [state, ""];
  if (re && state === "acknowledged") return { words: "reply", tone: "" };
  if (state === "failed" && tries > 0) return { words: `failed after ${times(tries)}`, tone };
  if (state === "pending" && tries > 1) return { words: `waiting, ${times(tries)}`, tone: "wait" };
  return { words, tone };
}

/** Of one text that went to everybody. @param {any[]} messages @returns {{words: string, tone: ""|"ok"|"wait"|"bad"}} */
export function batchTag(messages) {
  const number = (...states) => messages.filter(({ state }) => states.includes(state)).length;
  const all = messages.length - number("cancelled");
  const [read, lost] = [number("acknowledged", "responded"), number("failed", "undeliverable")];
  if (!all) return { words: "cancelled", tone: "" };
  if (lost) return { words: `${read ? `read by ${read}, ` : ""}not delivered to ${lost}`, tone: "bad" };
  if (read === all) return { words: `read by ${all}`, tone: "ok" };
  if (read) return { words: `read by ${read} of ${all}`, tone: "" };
  return number("pending") === all ? { words: `sent to ${all}`, tone: "" } : { words: "waiting", tone: "wait" };
}

/** @param {number} tries */
function times(tries) {
  return tries === 1 ? "1 try" : `${tries} tries`;
}

/** @type {Record<string, string>} */
const STEPS = { queued: "stored", pending: "typed", acknowledged: "acknowledged", taken: "read by its program" };

/** A step of a message's way, in the words of its states where it is one. @param {string} step */
export function stepWords(step) {
  const words = STEPS[step] ?? MESSAGE_STATES[step]?.[0] ?? step.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
