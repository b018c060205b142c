/** What the voice reducer wants done (voice.js), carried out on sound, microphone and link. It decides nothing. */
import { saveSwitches } from "./device.js";
import { say, tell } from "./notes.js";
import * as store from "./store.js";

/** What the person spoke shortly before the tap belongs to the turn; after an agent's own voice it would be echo. */
const PRE_ROLL_MS = Object.freeze({ hold: 300, tap: 300, auto: 0, barge: 0 });

/**
 * @param {import("./talk.js").Parts} parts
 * @returns {Record<string, (effect: any) => void>} by the name in `do`
 */
export function effects({ link, sound, microphone, turns, player, standing, dispatch, select, record, overhear }) {
  return {
    arm: async ({ turn, session_id, why }) => {
      store.levels.value = [];
      turns.begin(turn, session_id);
      const failure = await microphone.open();
      if (failure) return dispatch({ type: "mic_failed", why: failure });
      overhear();
      if (store.voice.value.turn?.id !== turn) return undefined;
      microphone.start(turn, PRE_ROLL_MS[why ?? "hold"]);
      return dispatch({ type: "mic_ready", turn });
    },
    open: ({ turn, why }) => {
      turns.open(turn, why, store.options.value.review);
      say("Listening");
    },
    close: ({ turn, why }) => {
      turns.close(turn, why);
      microphone.stop(turn);
      if (why === "send") say("Sent");
    },
    drop: ({ turn }) => {
      microphone.stop(turn);
      turns.drop(turn);
    },
    forget: ({ turn }) => turns.forget(turn),
    play: ({ stream }) => {
      player.play(stream);
      if (standing.delete(stream)) link.send({ type: "playback_paused", stream, on: false, ms: Math.round(player.soundingMs(stream)) });
    },
    pause: ({ stream }) => {
      const ms = Math.round(player.soundingMs(stream));
      record("pause", { stream, clock: sound.context?.currentTime });
      player.pause(stream);
      standing.add(stream);
      if (store.voice.value.held) say("Paused");
      link.send({ type: "playback_paused", stream, on: true, ms });
    },
    stop: ({ stream, why }) => player.stop(stream, why),
    interrupt: ({ stream, session_id }) => {
      const at_ms = Math.round(player.soundingMs(stream));
      record("interrupt", { stream, clock: sound.context?.currentTime });
      link.send({ type: "interrupt", session_id, stream, at_ms });
    },
    cue: ({ name }) => sound.cue(name),
    show: ({ session_id }) => select(session_id),
    review: (words) => {
      store.review.value = words;
      tell("Correct your words if need be, then press Enter");
    },
    prefs: () => {
      const { muted, auto } = store.voice.value;
      microphone.mute(muted);
      saveSwitches({ muted, auto });
      link.send({ type: "prefs", muted, auto });
      say(muted ? "Muted" : "Microphone on");
    },
  };
}
