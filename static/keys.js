/**
 * The keyboard: single keys become the same events as the buttons. They work only where no text is being entered and no
 * other control has the focus, so that Space still presses a button and letters still reach a text box.
 */
import { freshId } from "./device.js";
import { closePanel, closeSettings, closeTerminal, isPanel, openSettings, toggle, view } from "./route.js";
import * as store from "./store.js";
import { dispatch, replay, select, toggleMessages } from "./talk.js";
import { changeSpeed, pauseOrResume } from "./transport.js";

/** A press becomes a hold after this time. */
const HOLD_MS = 250;

/** With nothing recorded or said that Escape would end. */
const AT_REST = new Set(["idle", "locked", "muted", "blocked", "waiting"]);

/** What the overlay shows. @type {[string[], string][]} */
export const HELP = [
  [["Space"], "Hold: talk, let go to send. Tap: start, tap again to send, or interrupt"],
  [["Esc"], "Discard the recording, or stop the speech, or close the panel"],
  [["M"], "Mute or unmute the microphone"],
  [["A"], "Listen by itself after an agent speaks, or not"],
  [["1", "…", "9"], "Go to an agent"],
  [["[", "]"], "Previous or next agent"],
  [["N"], "Next agent that needs you"],
  [["T", "/"], "Text box. Enter sends, Shift+Enter makes a new line"],
  [["Ctrl", "K"], "Find agents, commands, and what was said anywhere. K once more: in this conversation only"],
  [["L"], "Messages between agents"],
  [["D"], "What the agent has changed in its folder"],
  [["B"], "Debug: how long the last turn took, and how all parts stand"],
  [["`"], "The agent's terminal. Ctrl+Shift+Esc leaves it after you have taken its keyboard"],
  [["R"], "Play the last message again"],
  [["."], "Pause the speech, or let it go on"],
  [["−", "+"], "Slower, faster"],
  [[","], "Settings. Esc closes them"],
  [["?"], "This help"],
];

/** @type {Record<string, () => void>} */
export const KEYS = {
  m: () => dispatch({ type: "mute" }),
  a: () => dispatch({ type: "auto" }),
  n: () => store.waitingAgents.value[0] && select(store.waitingAgents.value[0].id),
  t: focusText,
  "/": focusText,
  l: toggleMessages,
  d: () => store.current.value && toggle("changes"),
  b: () => toggle("debug"),
  r: replayLast,
  ".": pauseOrResume,
  "-": () => changeSpeed(-1),
  "−": () => changeSpeed(-1),
  "+": () => changeSpeed(1),
  "=": () => changeSpeed(1), // the key of the plus, without Shift
  "[": () => step(-1),
  "]": () => step(1),
  ",": openSettings,
  "`": () => store.current.value && toggle("terminal"),
  "?": () => (store.dialog.value = { view: "help" }),
  Escape: escape,
};
/** In the settings nothing may start that is only seen in the conversation. @type {typeof KEYS} */
const SETTINGS_KEYS = {
  "?": KEYS["?"],
  Escape: closeSettings,
};

/** The most fleeting thing first. */
function escape() {
  if (store.finding.value && AT_REST.has(store.voice.value.mode)) {
    store.finding.value = 0;
    return;
  }
  if (document.querySelector(":popover-open")) return; // the browser closes it
  if (view.value === "terminal" && AT_REST.has(store.voice.value.mode)) closeTerminal();
  else if (isPanel() && AT_REST.has(store.voice.value.mode)) closePanel();
  else dispatch({ type: "escape" });
}

let isDown = false;
let timer = 0;

export function listenToKeys() {
  addEventListener("keydown", onKeyDown);
  addEventListener("keyup", (event) => event.code === "Space" && release(event));
  addEventListener("blur", () => release());
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && release());
}

/** An Enter that chooses among what an input method proposes; Safari tells it after the end, as key 229. @param {KeyboardEvent} event */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

/** @param {KeyboardEvent} event */
function onKeyDown(event) {
  if (isFind(event) && !store.dialog.value) {
    event.preventDefault();
    openPalette();
    return;
  }
  if (event.ctrlKey || event.altKey || event.metaKey || store.dialog.value || !isOurs(event.target)) return;
  if (!store.options.value.keys && event.key !== "Escape") return;
  const isTalk = view.value !== "settings";
  if (event.code === "Space" && isTalk) {
    press(event);
    return;
  }
  if (event.repeat) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const agent = isTalk && /^[1-9]$/.test(key) ? store.sessions.value[Number(key) - 1] : null;
  const act = agent ? () => select(agent.id) : (isTalk ? KEYS : SETTINGS_KEYS)[key];
  if (!act || store.link.value === "signed_out") return;
  event.preventDefault();
  act();
}

/** Works wherever the focus is, but in the terminal, whose own it is. @param {KeyboardEvent} event */
export function isFind({ ctrlKey, metaKey, altKey, shiftKey, key, target }) {
  if (!(ctrlKey || metaKey) || altKey || shiftKey || key.toLowerCase() !== "k") return false;
  return store.link.value !== "signed_out" && !(target instanceof Element && target.closest(".xterm"));
}

export const openPalette = () => (store.dialog.value = { view: "palette" });
export const findHere = () => (store.finding.value += 1);

/** The page, the conversation, an agent's row, the microphone: there a single key is ours. @param {EventTarget|null} target */
function isOurs(target) {
  if (!(target instanceof Element)) return true;
  if (target.matches(".mic, .row, .log, body, html")) return true;
  return !target.closest("button, a, input, select, textarea, summary, dialog, [contenteditable], [role=tab], pre, .termbox");
}

/** @param {KeyboardEvent} event */
function press(event) {
  event.preventDefault(); // neither scrolls the conversation nor clicks the button
  if (event.repeat || isDown) return;
  isDown = true;
  const { mode } = store.voice.value;
  // At rest without a microphone there is nothing to hold: the key does what the button does.
  if (mode === "muted" || mode === "blocked") dispatch({ type: "tap", turn: freshId() });
  else dispatch({ type: "press", turn: freshId() });
  timer = setTimeout(() => dispatch({ type: "hold_long" }), HOLD_MS);
}

/** @param {Event} [event] */
function release(event) {
  if (!isDown) return;
  event?.preventDefault();
  isDown = false;
  clearTimeout(timer);
  dispatch({ type: "release" });
}

/** @param {number} by */
function step(by) {
  const list = store.sessions.value;
  if (!list.length) return;
  const at = list.findIndex(({ id }) => id === store.currentId.value);
  select(list[(at + by + list.length) % list.length].id);
}

/** At once, or the next key would be taken for a command; on a phone the box must be drawn first. */
export function focusText() {
  store.typing.value = true;
  const focus = () => document.getElementById("typebox")?.focus();
  focus();
  requestAnimationFrame(focus);
}

export function replayLast() {
  const id = store.currentId.value;
  const last = id && store.conversation(id).value.entries.findLast(({ type }) => type === "assistant_text");
  if (last) replay(id, last.msg_id);
}
