/**
 * What this browser keeps for itself: an id that survives a reload, its name for other devices, the user's two switches,
 * and typed texts that no hub has confirmed yet. Where storage is refused (private windows) it forgets, and works.
 */

/** Ids need only be unlike each other; randomUUID does not exist on plain http pages. */
export function freshId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Browsers that refuse storage do so when it is named, and not only when it is used. @typedef {"localStorage"|"sessionStorage"} Place */

/** @param {Place} place @param {string} name */
function take(place, name) {
  try {
    return globalThis[place]?.getItem(name) ?? null;
  } catch {
    return null;
  }
}

/** What was kept, as far as it can be read and is of the sort that is wanted. @template T @param {Place} place @param {string} name @param {T} otherwise @returns {T} */
function takeValue(place, name, otherwise) {
  try {
    const value = JSON.parse(take(place, name) ?? "null");
    const isFit = typeof value === "object" && value !== null && Array.isArray(value) === Array.isArray(otherwise);
    return isFit ? value : otherwise;
  } catch {
    return otherwise; // written by hand, or by another version
  }
}

/** @param {Place} place @param {string} name @param {string|null} value */
function put(place, name, value) {
  try {
    if (value === null) globalThis[place]?.removeItem(name);
    else globalThis[place]?.setItem(name, value);
  } catch {
    // Storage is full or refused: the page goes on without a memory.
  }
}

const CLIENT = "clawmux.client";
const TEXTS = "clawmux.texts";
const SWITCHES = "clawmux.switches";

/**
 * The id lies in storage only while no page lives: "duplicate tab" copies the storage of a living page, and two pages
 * with one id would both believe that they own the sound.
 */
export const clientId = take("sessionStorage", CLIENT) ?? freshId();
put("sessionStorage", CLIENT, null);

/** @type {{id: string, session_id: string, text: string}[]} */
export const unconfirmedTexts = takeValue("sessionStorage", TEXTS, []);
put("sessionStorage", TEXTS, null);

const DRAFTS = "clawmux.drafts";
/** What is in the text box belongs to the agent it was typed to, and outlives a reload. @type {Map<string, string>} */
export const drafts = new Map(takeValue("sessionStorage", DRAFTS, []).filter((pair) => Array.isArray(pair) && typeof pair[1] === "string"));
put("sessionStorage", DRAFTS, null);

/** @param {{id: string, session_id: string, text: string}[]} texts */
export function keepForReload(texts) {
  put("sessionStorage", DRAFTS, drafts.size ? JSON.stringify([...drafts]) : null);
  put("sessionStorage", CLIENT, clientId);
  put("sessionStorage", TEXTS, texts.length ? JSON.stringify(texts) : null);
}

/** @returns {{muted: boolean, auto: boolean}|null} null when the user has never touched them */
export function loadSwitches() {
  return takeValue("localStorage", SWITCHES, null);
}

/** @param {{muted: boolean, auto: boolean}} switches */
export function saveSwitches(switches) {
  put("localStorage", SWITCHES, JSON.stringify(switches));
}

/** How this device talks and listens. `speed`: 1 as the agents' voices speak; `review`: words are looked at before they go
 * out; `talk_in`: an agent that speaks can be interrupted by talking; `announce`:
 * a screen reader reads replies, and none is played; `keys`: single keys act.
 * @typedef {{speed: number, review: boolean, talk_in: boolean, announce: boolean, keys: boolean}} Options */
const OPTIONS = "clawmux.options";
const USUAL = Object.freeze({ speed: 1, review: false, talk_in: true, announce: false, keys: true });

/** @returns {Options} */
export function loadOptions() {
  return { ...USUAL, ...takeValue("localStorage", OPTIONS, {}) };
}

/** @param {Options} options */
export function saveOptions(options) {
  put("localStorage", OPTIONS, JSON.stringify(options));
}

const TERMINAL = "clawmux.terminal";

/** How this device shows terminals. `fit`: the whole width, however small the letters; `reader`: for screen readers too.
 * @returns {{fit: boolean, reader: boolean}} */
export function loadTerminal() {
  return { fit: false, reader: false, ...takeValue("localStorage", TERMINAL, {}) };
}

/** @param {{fit: boolean, reader: boolean}} wishes */
export function saveTerminal(wishes) {
  put("localStorage", TERMINAL, JSON.stringify(wishes));
}

const NOTIFY = "clawmux.notify";
export const NEEDS = Object.freeze(["question", "permission", "done", "error"]);

/** What this device tells its user of. `on`: by notifications, and by push where the browser has it; `kinds`: of these needs, by
 * sound as well; `words`: with what the agent says. @typedef {{on: boolean, kinds: string[], words: boolean}} Wishes
 * @returns {Wishes} */
export function loadNotify() {
  const { on, kinds, words } = /** @type {Partial<Wishes>} */ (takeValue("localStorage", NOTIFY, {}));
  return { on: on === true, kinds: Array.isArray(kinds) ? NEEDS.filter((kind) => kinds.includes(kind)) : [...NEEDS], words: words === true };
}

/** @param {Wishes} wishes */
export function saveNotify(wishes) {
  put("localStorage", NOTIFY, JSON.stringify(wishes));
}

const BROWSERS = [[/Edg\//, "Edge"], [/OPR\//, "Opera"], [/Firefox\//, "Firefox"], [/Chrome\//, "Chromium"], [/Safari\//, "Safari"]];
const SYSTEMS = [[/iPhone/, "iPhone"], [/iPad/, "iPad"], [/Android/, "Android"], [/Mac OS X/, "Mac"], [/Windows/, "Windows"], [/Linux/, "Linux"]];

/** "Chromium on Linux": enough to tell one's own devices apart. */
export function deviceName(agent = navigator.userAgent) {
  const find = (table) => table.find(([pattern]) => pattern.test(agent))?.[1];
  return `${find(BROWSERS) ?? "Browser"} on ${find(SYSTEMS) ?? "this device"}`;
}
