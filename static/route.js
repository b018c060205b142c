/** Which of the page's views is open. The address says it, so that the browser's own "back" closes what was opened last. */
import { signal } from "./vendor/ui.js";

/**
 * `talk`: the conversation alone; `messages`, `changes`, `debug`: with that tab of the panel beside it; `terminal`: with the
 * agent's terminal over the dock.
 * @typedef {"talk"|"messages"|"changes"|"debug"|"terminal"|"settings"} View
 */
/** Where each view is shown. What shares a place takes it over, and one "back" clears it. @type {Record<View, string>} */
const PLACES = { talk: "main", messages: "panel", changes: "panel", debug: "panel", terminal: "drawer", settings: "page" };

/** @type {{value: View}} */
export const view = signal(read());
/** What had the focus before a place was filled. @type {Map<string, Element|null>} */
const openers = new Map();

/** @returns {View} */
function read() {
  const name = location.hash.slice(1);
  return Object.hasOwn(PLACES, name) ? /** @type {View} */ (name) : "talk";
}

/** How many entries of the browser's history this page has made: so often "back" stays on it. */
function depth() {
  return history.state?.depth ?? 0;
}

/** @param {View} name */
export function open(name) {
  if (view.value === name) return;
  if (PLACES[view.value] === PLACES[name]) history.replaceState(history.state, "", `#${name}`);
  else {
    openers.set(PLACES[name], document.activeElement);
    history.pushState({ depth: depth() + 1 }, "", `#${name}`);
  }
  follow();
}

/** @param {View} name */
export function close(name) {
  if (view.value !== name) return;
  if (depth() > 0) history.back();
  else {
    history.replaceState(null, "", location.pathname + location.search);
    follow();
  }
}

/** @param {View} name */
export function toggle(name) {
  if (view.value === name) close(name);
  else open(name);
}

export const openSettings = () => open("settings");
export const closeSettings = () => close("settings");
export const openMessages = () => open("messages");
export const openTerminal = () => open("terminal");
export const closeTerminal = () => close("terminal");

/** One of the panel's tabs is open. */
export function isPanel() {
  return PLACES[view.value] === "panel";
}

export function closePanel() {
  if (isPanel()) close(view.value);
}

/** The address has changed: by us, by a link, or by the browser's buttons. */
export function follow() {
  const [before, now] = [PLACES[view.value], PLACES[read()]];
  view.value = read();
  if (before !== "main" && now !== before && now !== "page") requestAnimationFrame(() => giveBackFocus(before));
}

/** The button that opened the place was drawn anew, or it was a key: then the conversation. @param {string} closed */
function giveBackFocus(closed) {
  if (document.activeElement !== document.body) return;
  const opener = openers.get(closed);
  const name = opener instanceof HTMLElement && opener.dataset.open;
  const again = opener?.isConnected ? opener : name ? document.querySelector(`[data-open="${name}"]`) : null;
  const target = again instanceof HTMLElement && again !== document.body ? again : document.getElementById("log");
  target?.focus();
}
