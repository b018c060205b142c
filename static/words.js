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
  thinking: ["Working", "working"],
  tool: ["Working", "working"],
  speaking: ["Speaking", "speaking"],
  listening: ["Listening to you", "ready"],
  needs_you: ["Needs your answer", "needs"],
};

/**
 * @param {any} session
 * @param {{mode: string, turn: any, stream: any}} voice
 * @param {string} [statusText] the hub's own words for what the agent does
 * @returns {{words: string, shape: "starting"|"ready"|"working"|"speaking"|"needs"|"off"}}
 */
export function stateOf(session, voice, statusText = "") {
  const [words, shape] = /** @type {any} */ (decide(session, voice));
  return { words: shape === "working" && statusText ? statusText : words, shape };
}

/** @returns {[string, string]} */
function decide(session, voice) {
  if (session.state === "dead") return ["Ended", "off"];
  if (voice.mode === "listening" && voice.turn?.session_id === session.id) return ["Listening to you", "ready"];
  if (voice.mode === "speaking" && voice.stream?.session_id === session.id) return ["Speaking", "speaking"];
  if (session.state === "starting") return ["Starting…", "starting"];
  if (session.needs_you) return STAGES.waiting;
  if (session.question) return STAGES[session.question.stage] ?? STAGES.waiting;
  return ACTIVITIES[session.activity] ?? ["Ready", "ready"];
}

/** "9:41", in the reader's own clock. @param {number|undefined} ts unix seconds */
export function clock(ts) {
  if (!ts) return "";
  return new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" }).format(new Date(ts * 1000));
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
