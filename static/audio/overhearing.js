/**
 * The microphone while an agent speaks: a turn is opened beside the speech, and the hub says when somebody talks into it.
 * Only where the echo check has passed: elsewhere the agent would interrupt itself. What then happens is decided in voice.js.
 */
import { freshId } from "../device.js";
import { EchoCheck } from "./echo-check.js";

/** The beginning of a stream is not listened to: an echo canceller needs a moment to find in. */
const DELAY_MS = 150;
/** Nothing sounds in these. */
const SILENT = new Set(["idle", "waiting", "sending"]);

export class Overhearing {
  /**
   * @param {{sound: import("./context.js").Sound, microphone: import("./capture.js").Microphone, turns: import("./turns.js").Turns,
   *   options: () => import("../device.js").Options}} parts
   * @param {{onChange: (state: {isOpen: boolean, echo: "clear"|"echo"|null}) => void}} handlers
   */
  constructor(parts, { onChange }) {
    this.parts = parts;
    this.onChange = onChange;
    this.check = new EchoCheck();
    /** @type {{id: string, session_id: string}|null} */
    this.turn = null;
    this.timer = 0;
    this.mode = "locked";
    /** A stream that could not be listened to, by a fault that would come again. */
    this.failed = null;
    navigator.mediaDevices?.addEventListener("devicechange", () => this.deviceChanged());
  }

  /** Another loudspeaker or microphone may be in use now. */
  deviceChanged() {
    this.check = new EchoCheck();
    this.stop();
    this.tell();
  }

  /** @param {import("../voice.js").State} state */
  follow(state) {
    if (this.turn && state.turn?.id === this.turn.id) this.turn = null; // it has become a turn like others
    if (state.mode === "speaking" && this.mode !== "speaking") this.check.begin();
    this.mode = state.mode;
    this.state = state;
    const wanted = this.isWanted();
    this.parts.microphone.meter(this.isChecking());
    if (!wanted) this.stop();
    else if (!this.turn && !this.timer) this.timer = setTimeout(() => this.start(), DELAY_MS);
    this.tell();
  }

  isPossible() {
    const { auto, muted, owner, mic } = this.state;
    return auto && !muted && owner && mic === "ok" && this.parts.options().talk_in && this.parts.microphone.isOpen;
  }

  isWanted() {
    const { mode, stream } = this.state;
    return mode === "speaking" && this.check.verdict === "clear" && this.failed !== stream.id && this.isPossible();
  }

  isChecking() {
    return this.check.verdict === null && (SILENT.has(this.mode) || this.mode === "speaking") && this.isPossible();
  }

  /** How loud the microphone is, outside of turns. @param {number} level 0 to 1 */
  level(level) {
    if (!this.isChecking()) return;
    if (this.mode !== "speaking") this.check.quiet(level);
    else this.check.sounding(level, this.parts.sound.level());
    if (this.check.verdict) this.follow(this.state);
  }

  start() {
    this.timer = 0;
    if (!this.isWanted()) return;
    const { microphone, turns, options } = this.parts;
    this.turn = { id: freshId(), session_id: this.state.stream.session_id };
    turns.begin(this.turn.id, this.turn.session_id);
    turns.open(this.turn.id, "overheard", options().review);
    microphone.start(this.turn.id, 0);
    this.tell();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    const { turn } = this;
    if (!turn) return;
    this.turn = null;
    this.parts.turns.close(turn.id, "discard");
    this.parts.microphone.stop(turn.id);
  }

  /** Somebody talks in this turn. @param {string} turn @returns {string|null} the session whose agent is talked into */
  heard(turn) {
    return this.turn?.id === turn ? this.turn.session_id : null;
  }

  /** The hub is through with a turn. @param {string} turn @param {string} reason @returns {boolean} whether it was only overhearing */
  over(turn, reason) {
    if (reason === "echo") this.check.verdict = "echo"; // the words were the agent's own: the check had been too kind
    if (this.turn?.id !== turn) return false;
    this.turn = null;
    this.parts.microphone.stop(turn);
    if (reason !== "nothing_heard") this.failed = this.state.stream?.id ?? null;
    this.follow(this.state);
    return true;
  }

  tell() {
    const state = { isOpen: this.turn !== null, echo: this.check.verdict };
    if (state.isOpen === this.told?.isOpen && state.echo === this.told?.echo) return;
    this.told = state;
    this.onChange(state);
  }
}
