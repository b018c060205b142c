/** Which of the page's views is open. The address says it, so that the browser's own "back" closes what was opened last. */
import { signal } from "./vendor/ui.js";

/** @typedef {"talk"|"messages"|"settings"} View  `messages`: the conversation, with the log of messages beside it */
/** @type {Record<string, View>} */
const VIEWS = { "#messages": "messages", "#settings": "settings" };

/** @type {{value: View}} */
export const view = signal(read());
/** What had the focus before a view was opened. @type {Map<View, Element|null>} */
const openers = new Map();

/** @returns {View} */
function read() {
  return VIEWS[location.hash] ?? "talk";
}

/** How many entries of the browser's history this page has made: so often "back" stays on it. */
function depth() {
  return history.state?.depth ?? 0;
}

/** @param {View} name */
function open(name) {
  if (view.value === name) return;
  openers.set(name, document.activeElement);
  history.pushState({ depth: depth() + 1 }, "", `#${name}`);
  follow();
}

/** @param {View} name */
function close(name) {
  if (view.value !== name) return;
  if (depth() > 0) history.back();
  else {
    history.replaceState(null, "", location.pathname + location.search);
    follow();
  }
}

export const openSettings = () => open("settings");
export const closeSettings = () => close("settings");
export const openMessages = () => open("messages");
export const closeMessages = () => close("messages");

/** The address has changed: by us, by a link, or by the browser's buttons. */
export function follow() {
  const before = view.value;
  view.value = read();
  if (before !== "talk" && view.value !== before && view.value !== "settings") requestAnimationFrame(() => giveBackFocus(before));
}

/** The button that opened the view was drawn anew, or it was a key: then the conversation. @param {View} closed */
function giveBackFocus(closed) {
  if (document.activeElement !== document.body) return;
  const opener = openers.get(closed);
  const name = opener instanceof HTMLElement && opener.dataset.open;
  const again = opener?.isConnected ? opener : name ? document.querySelector(`[data-open="${name}"]`) : null;
  const target = again instanceof HTMLElement && again !== document.body ? again : document.getElementById("log");
  target?.focus();
}
