/**
 * What this browser keeps for itself: an id that survives a reload, its name for other devices, the user's two switches,
 * and typed texts that no hub has confirmed yet. Where storage is refused (private windows) it forgets, and works.
 */

/** Ids need only be unlike each other; randomUUID does not exist on plain http pages. */
export function freshId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {Storage|undefined} storage @param {string} name */
function take(storage, name) {
  try {
    return storage?.getItem(name) ?? null;
  } catch {
    return null;
  }
}

/** @param {Storage|undefined} storage @param {string} name @param {string|null} value */
function put(storage, name, value) {
  try {
    if (value === null) storage?.removeItem(name);
    else storage?.setItem(name, value);
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
export const clientId = take(globalThis.sessionStorage, CLIENT) ?? freshId();
put(globalThis.sessionStorage, CLIENT, null);

/** @type {{id: string, session_id: string, text: string}[]} */
export const unconfirmedTexts = JSON.parse(take(globalThis.sessionStorage, TEXTS) ?? "[]");
put(globalThis.sessionStorage, TEXTS, null);

/** @param {{id: string, session_id: string, text: string}[]} texts */
export function keepForReload(texts) {
  put(globalThis.sessionStorage, CLIENT, clientId);
  put(globalThis.sessionStorage, TEXTS, texts.length ? JSON.stringify(texts) : null);
}

/** @returns {{muted: boolean, auto: boolean}|null} null when the user has never touched them */
export function loadSwitches() {
  const text = take(globalThis.localStorage, SWITCHES);
  return text ? JSON.parse(text) : null;
}

/** @param {{muted: boolean, auto: boolean}} switches */
export function saveSwitches(switches) {
  put(globalThis.localStorage, SWITCHES, JSON.stringify(switches));
}

/** How this device talks and listens. `speed`: 1 as the agents' voices speak; `review`: words are looked at before they go
 * out; `talk_in`: an agent that speaks can be interrupted by talking.
 * @typedef {{speed: number, review: boolean, talk_in: boolean}} Options */
const OPTIONS = "clawmux.options";
const USUAL = Object.freeze({ speed: 1, review: false, talk_in: true });

/** @returns {Options} */
export function loadOptions() {
  return { ...USUAL, ...JSON.parse(take(globalThis.localStorage, OPTIONS) ?? "{}") };
}

/** @param {Options} options */
export function saveOptions(options) {
  put(globalThis.localStorage, OPTIONS, JSON.stringify(options));
}

const TERMINAL = "clawmux.terminal";

/** How this device shows terminals. `fit`: the whole width, however small the letters; `reader`: for screen readers too.
 * @returns {{fit: boolean, reader: boolean}} */
export function loadTerminal() {
  return { fit: false, reader: false, ...JSON.parse(take(globalThis.localStorage, TERMINAL) ?? "{}") };
}

/** @param {{fit: boolean, reader: boolean}} wishes */
export function saveTerminal(wishes) {
  put(globalThis.localStorage, TERMINAL, JSON.stringify(wishes));
}

const BROWSERS = [[/Edg\//, "Edge"], [/OPR\//, "Opera"], [/Firefox\//, "Firefox"], [/Chrome\//, "Chromium"], [/Safari\//, "Safari"]];
const SYSTEMS = [[/iPhone/, "iPhone"], [/iPad/, "iPad"], [/Android/, "Android"], [/Mac OS X/, "Mac"], [/Windows/, "Windows"], [/Linux/, "Linux"]];

/** "Chromium on Linux": enough to tell one's own devices apart. */
export function deviceName(agent = navigator.userAgent) {
  const find = (table) => table.find(([pattern]) => pattern.test(agent))?.[1];
  return `${find(BROWSERS) ?? "Browser"} on ${find(SYSTEMS) ?? "this device"}`;
}
