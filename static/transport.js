/** What a listener does with speech: let it stand and go on, skip the rest, hear it faster; and how this device listens. */
import { saveOptions } from "./device.js";
import { tell } from "./notes.js";
import * as store from "./store.js";
import { dispatch, optionsChanged, player } from "./talk.js";

export const SPEEDS = Object.freeze([0.75, 1, 1.25, 1.5, 1.75, 2]);

/** Each word of it: "1×", "1.25×". @param {number} speed */
export function speedWords(speed) {
  return `${speed}×`;
}

export function pauseOrResume() {
  dispatch({ type: store.voice.value.mode === "paused" ? "resume" : "pause" });
}

/** The rest of what is spoken is not heard. */
export function skip() {
  dispatch({ type: "skip" });
}

/** @param {Partial<import("./device.js").Options>} change */
export function setOptions(change) {
  store.options.value = { ...store.options.value, ...change };
  saveOptions(store.options.value);
  if (change.speed) player.setSpeed(change.speed);
  optionsChanged();
}

/** @param {1|-1} by steps of SPEEDS */
export function changeSpeed(by) {
  if (!player.hasSpeed) return tell("The speed can be changed on a secure page only");
  const { speed } = store.options.value;
  const next = by > 0 ? SPEEDS.find((other) => other > speed) : SPEEDS.findLast((other) => other < speed);
  if (next) setOptions({ speed: next });
  return tell(`Speed ${speedWords(next ?? speed)}`);
}
