/**
 * A link into the page, from a shortcut, a note or another program: `/?agent=sky` shows that agent, and with `&talk=1` the first
 * tap talks to it. Fetched only when the address has one.
 *
 * Anybody may write such a link, so it does no more than choose. What it names is compared with the agents and put nowhere; and
 * no link opens the microphone: a tap on this page does, once the page has been seen.
 */
import { freshId } from "./device.js";
import { tell } from "./notes.js";
import * as store from "./store.js";
import { dispatch, select, sound } from "./talk.js";
import { effect } from "./vendor/ui.js";
import { nameOf } from "./words.js";

/** A tap right after the page came up was meant for what was there before it. */
const SEEN_MS = 800;
/** Who has not tapped by then has other things in mind. */
const ARMED_MS = 60000;
/** From these a tap opens the microphone; an agent that speaks is not cut off by a link. */
const TALKS_FROM = new Set(["locked", "idle", "muted"]);
const CONTROLS = "a, button, input, label, select, summary, textarea, [role='button'], [popover], dialog";

/** @param {URLSearchParams} params @param {{id: string, name?: string, state?: string}[]} sessions */
export function chosen(params, sessions) {
  const wanted = params.get("agent");
  if (wanted === null) return store.current.peek() ?? undefined;
  const name = wanted.trim().toLowerCase();
  const living = sessions.filter(({ state }) => state !== "dead");
  return living.find(({ id }) => id === wanted) ?? living.find((session) => nameOf(session).toLowerCase() === name);
}

/** What a stranger wrote is repeated only when it could be a name. @param {string} wanted */
export function unknownWords(wanted) {
  const name = wanted.trim();
  return /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,39}$/u.test(name) ? `There is no agent named ${name}.` : "The link names no agent of this hub.";
}

/** The address is what it would be without the link, so that a reload does not follow it again. */
function cleanAddress() {
  const params = new URLSearchParams(location.search);
  for (const name of ["agent", "talk"]) params.delete(name);
  const rest = params.size ? `?${params}` : "";
  history.replaceState(history.state, "", location.pathname + rest + location.hash);
}

function follow() {
  const params = new URLSearchParams(location.search);
  cleanAddress();
  const session = chosen(params, store.sessions.peek());
  const wanted = params.get("agent");
  if (!session) return wanted === null ? undefined : tell(unknownWords(wanted), "warn");
  select(session.id);
  if (params.get("talk") === "1") arm(nameOf(session));
  return undefined;
}

function begin() {
  disarm();
  sound.unlock();
  if (TALKS_FROM.has(store.voice.peek().mode)) dispatch({ type: "tap", turn: freshId() });
}

let disarm = () => {};

/** @param {string} name */
function arm(name) {
  const { mic, unlocked } = store.voice.peek();
  if (mic !== "ok") return;
  if (unlocked) return begin();
  const seenAt = performance.now();
  const onClick = (/** @type {MouseEvent} */ event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (target?.closest("[data-banner='talk']")) return;
    if (target?.closest(CONTROLS)) disarm();
    else if (event.isTrusted && performance.now() - seenAt > SEEN_MS) begin();
  };
  const onKey = () => disarm();
  const timer = setTimeout(() => disarm(), ARMED_MS);
  addEventListener("click", onClick, { capture: true });
  addEventListener("keydown", onKey, { capture: true });
  disarm = () => {
    clearTimeout(timer);
    removeEventListener("click", onClick, { capture: true });
    removeEventListener("keydown", onKey, { capture: true });
    store.offers.value = store.offers.peek().filter(({ id }) => id !== "talk");
    disarm = () => {};
  };
  const offer = { id: "talk", icon: "mic", text: `Tap anywhere, and talk with ${name}.`, words: "Talk", act: begin, close: () => disarm() };
  store.offers.value = [offer, ...store.offers.peek()];
}

const before = store.sessions.peek();
const stop = effect(() => {
  // The first list of the hub; before it there is nobody to be chosen.
  if (store.sessions.value === before && !before.length) return;
  queueMicrotask(() => {
    stop();
    follow();
  });
});
