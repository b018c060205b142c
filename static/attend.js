/**
 * What the device is told while people talk: to keep its screen on, who speaks, and what its media keys do.
 * Fetched after the page has started; where a browser refuses or lacks these, nothing else changes.
 */
import { replayLast } from "./keys.js";
import * as store from "./store.js";
import { dispatch } from "./talk.js";
import { skip } from "./transport.js";
import { effect } from "./vendor/ui.js";
import { nameOf } from "./words.js";

const TALKING = new Set(["arming", "listening", "sending", "speaking"]);
/** An agent thinks between two turns: the screen of a phone stays on for the answer. */
const AFTER_MS = 60000;

/** Keeps the screen on; a hidden page loses the lock and asks again when it is seen. */
export class Awake {
  constructor() {
    this.wanted = false;
    /** @type {Promise<any>|null} */
    this.lock = null;
    this.timer = 0;
    document.addEventListener("visibilitychange", () => this.hold());
  }

  /** @param {boolean} isTalking */
  follow(isTalking) {
    clearTimeout(this.timer);
    if (isTalking) {
      this.wanted = true;
      this.hold();
    } else if (this.wanted) this.timer = setTimeout(() => this.release(), AFTER_MS);
  }

  hold() {
    if (!this.wanted || this.lock || document.visibilityState !== "visible" || !navigator.wakeLock) return;
    const lock = navigator.wakeLock.request("screen").catch(() => null); // low battery, a headless browser
    this.lock = lock;
    lock.then((held) => {
      if (held) held.addEventListener("release", () => this.lock === lock && (this.lock = null));
      else this.lock = null;
    });
  }

  release() {
    this.wanted = false;
    this.lock?.then((held) => held?.release());
    this.lock = null;
  }
}

/** The keys of headsets, keyboards and lock screens. @type {[MediaSessionAction, () => void][]} */
const ACTIONS = [
  ["play", () => dispatch({ type: "resume" })],
  ["pause", () => dispatch({ type: "pause" })],
  ["stop", skip],
  ["nexttrack", skip],
  ["previoustrack", replayLast],
];

const media = navigator.mediaSession;

for (const [action, act] of media ? ACTIONS : []) {
  try {
    media.setActionHandler(action, act);
  } catch {
    // This browser does not know that key.
  }
}

/** @param {import("./voice.js").State} voice */
function tellMedia({ mode, stream }) {
  if (!media) return;
  const isPlaying = mode === "speaking";
  media.playbackState = isPlaying ? "playing" : mode === "paused" ? "paused" : "none";
  if (!stream) media.metadata = null;
  else if (media.metadata?.title !== speaker(stream)) media.metadata = new MediaMetadata({ title: speaker(stream), artist: "ClawMux" });
}

/** @param {{session_id: string}} stream */
function speaker(stream) {
  return nameOf(store.sessionOf(stream.session_id));
}

const awake = new Awake();

effect(() => {
  const voice = store.voice.value;
  awake.follow(TALKING.has(voice.mode));
  tellMedia(voice);
});
