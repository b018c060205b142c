/** Everything that can be done by a key or from the menu, by its words, for the palette. What the keys do lies in keys.js. */
import { freshId } from "./device.js";
import { KEYS, findHere } from "./keys.js";
import { openSettings, view } from "./route.js";
import * as store from "./store.js";
import { claim, dispatch, interrupt, player } from "./talk.js";
import { SPEEDS, skip } from "./transport.js";
import { askToClose } from "./views/agents.js";
import { saveConversation } from "./views/header.js";
import { controls } from "./voice.js";
import { isWorking, nameOf } from "./words.js";

/**
 * `why`: why it cannot be done now; empty when it can. `anywhere`: also in the settings, without leaving them.
 * @typedef {{id: string, icon: string, words: () => string, keys?: string[], act: () => void, why?: () => string, anywhere?: boolean}} Command
 */

const name = () => nameOf(store.current.value);
const noAgent = () => (store.current.value ? "" : "There is no agent yet");
const noOther = () => (store.sessions.value.length > 1 ? "" : "There is no other agent");
const voice = () => store.voice.value;
const isSpeaking = () => voice().stream !== null && ["speaking", "paused"].includes(voice().mode);
const silent = () => (isSpeaking() ? "" : "No agent is speaking");
const id = () => /** @type {string} */ (store.currentId.value);

/** @param {(of: any) => {disabled?: boolean}} part of the dock */
const notNow = (part) => () => noAgent() || (part(controls(voice())).disabled ? "Not at this moment" : "");

/** @param {-1|1} by */
const noSpeed = (by) => () => {
  if (!player.hasSpeed) return "On a secure page only";
  return store.options.value.speed === (by < 0 ? SPEEDS[0] : SPEEDS.at(-1)) ? "It is there already" : "";
};

function talkWords() {
  const { label } = controls(voice()).mic;
  return label === "Talk" && store.current.value ? `Talk to ${name()}` : label;
}

function nothingSaid() {
  return noAgent() || (store.conversation(id()).value.entries.some(({ type }) => type === "assistant_text") ? "" : `${name()} has said nothing yet`);
}

function idle() {
  const resting = new Set(["idle", "locked", "muted", "blocked", "waiting"]);
  return resting.has(voice().mode) ? "Nothing is recorded or spoken" : "";
}

/** In the order of the keyboard help; then what has no key. @type {Command[]} */
export const COMMANDS = [
  { id: "talk", icon: "mic", keys: ["Space"], words: talkWords, act: () => dispatch({ type: "tap", turn: freshId() }), why: notNow(({ mic }) => mic) },
  { id: "escape", icon: "x", keys: ["Esc"], words: () => "Discard the recording, or stop the speech", act: () => dispatch({ type: "escape" }), why: idle },
  { id: "mute", icon: "mic-off", keys: ["M"], words: () => (voice().muted ? "Unmute the microphone" : "Mute the microphone"), act: KEYS.m, why: notNow(({ mute }) => mute) },
  { id: "auto", icon: "refresh-cw", keys: ["A"], words: () => (voice().auto ? "Listen only when tapped" : "Listen by itself after an agent speaks"), act: KEYS.a, why: notNow(({ auto }) => auto) },
  { id: "next-waiting", icon: "bell", keys: ["N"], words: () => "Next agent that needs you", act: KEYS.n, why: () => (store.waitingAgents.value.length ? "" : "No other agent needs you") },
  { id: "previous", icon: "arrow-left", keys: ["["], words: () => "Previous agent", act: KEYS["["], why: noOther },
  { id: "next", icon: "arrow-right", keys: ["]"], words: () => "Next agent", act: KEYS["]"], why: noOther },
  { id: "text", icon: "keyboard", keys: ["T"], words: () => (store.current.value ? `Write to ${name()}` : "Text box"), act: KEYS.t, why: noAgent },
  { id: "find", icon: "search", keys: ["Ctrl", "K", "K"], words: () => "Find in this conversation", act: findHere, why: noAgent },
  { id: "messages", icon: "message-square", keys: ["L"], words: () => "Messages between agents", act: KEYS.l },
  { id: "changes", icon: "git-compare", keys: ["D"], words: () => "Changes in its folder", act: KEYS.d, why: noAgent },
  { id: "debug", icon: "activity", keys: ["B"], words: () => "Debug", act: KEYS.b },
  { id: "terminal", icon: "terminal", keys: ["`"], words: () => "Terminal of this agent", act: KEYS["`"], why: noAgent },
  { id: "replay", icon: "play", keys: ["R"], words: () => "Play the last message again", act: KEYS.r, why: nothingSaid },
  { id: "pause", icon: "pause", keys: ["."], words: () => (voice().mode === "paused" ? "Let the speech go on" : "Pause the speech"), act: KEYS["."], why: silent },
  { id: "slower", icon: "minus", keys: ["−"], words: () => "Speak slower", act: KEYS["−"], why: noSpeed(-1) },
  { id: "faster", icon: "plus", keys: ["+"], words: () => "Speak faster", act: KEYS["+"], why: noSpeed(1) },
  { id: "settings", icon: "settings", keys: [","], words: () => "Settings", act: openSettings, why: () => (view.value === "settings" ? "They are open" : ""), anywhere: true },
  { id: "help", icon: "info", keys: ["?"], words: () => "Keyboard help", act: KEYS["?"], anywhere: true },
  { id: "skip", icon: "skip-forward", words: () => "Skip the rest of what is spoken", act: skip, why: silent },
  { id: "new-agent", icon: "plus", words: () => "New agent", act: () => (store.dialog.value = { view: "new-agent" }) },
  { id: "interrupt", icon: "square", words: () => `Interrupt ${name()}`, act: () => interrupt(id()), why: () => noAgent() || (isWorking(store.current.value) ? "" : `${name()} is not at work`) },
  { id: "play-here", icon: "volume-2", words: () => "Play here: sound and microphone on this device", act: claim, why: () => (voice().owner ? "They are here" : "") },
  { id: "export-markdown", icon: "download", words: () => "Export as Markdown", act: () => saveConversation(id(), "markdown"), why: noAgent },
  { id: "export-json", icon: "download", words: () => "Export as JSON", act: () => saveConversation(id(), "json"), why: noAgent },
  { id: "close-agent", icon: "x", words: () => (store.current.value ? `Close ${name()}` : "Close the agent"), act: () => askToClose(id()), why: noAgent, anywhere: true },
];
