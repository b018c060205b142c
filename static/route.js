/** Which of the page's views is open. The address says it, so that the browser's own "back" closes the settings again. */
import { signal } from "./vendor/ui.js";

const SETTINGS = "#settings";

/** @type {{value: "talk"|"settings"}} */
export const view = signal(read());
/** The settings were opened from this page: going back leaves no trace in the history. */
let cameFromTalk = false;
/** What had the focus before. @type {Element|null} */
let opener = null;

function read() {
  return location.hash === SETTINGS ? "settings" : "talk";
}

export function openSettings() {
  if (view.value === "settings") return;
  opener = document.activeElement;
  cameFromTalk = true;
  location.hash = SETTINGS;
}

export function closeSettings() {
  if (view.value !== "settings") return;
  if (cameFromTalk) history.back();
  else {
    history.replaceState(null, "", location.pathname + location.search);
    follow();
  }
}

/** The address has changed: by us, by a link, or by the browser's buttons. */
export function follow() {
  const before = view.value;
  view.value = read();
  if (before === "settings" && view.value === "talk") {
    cameFromTalk = false;
    requestAnimationFrame(giveBackFocus);
  }
}

/** The button that opened the settings was drawn anew, or it was a key: then the conversation. */
function giveBackFocus() {
  if (document.activeElement !== document.body) return;
  const name = opener instanceof HTMLElement && opener.dataset.open;
  const again = name ? document.querySelector(`[data-open="${name}"]`) : null;
  const target = again ?? document.getElementById("log");
  if (target instanceof HTMLElement) target.focus();
}
