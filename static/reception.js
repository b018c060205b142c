/** What the page does at a message of the hub besides keeping it, which store.js does: voice, sound and words are told. */
import { clientId, freshId, loadSwitches } from "./device.js";
import { loadHistory } from "./history.js";
import { say, tell } from "./notes.js";
import * as store from "./store.js";
import { attentionWords, nameOf, turnWords } from "./words.js";

/** An agent of which nothing is known has to count as resting, or the page would wait for it for ever. */
const RESTING = new Set(["idle", "unknown"]);
/** Ends of a turn that the person chose; the controls show them already. */
const OWN_DOING = new Set(["discard", "mute"]);
/** So long it is seen that typed words have arrived. */
const ARRIVED_MS = 1000;

/**
 * @param {import("./talk.js").Parts} parts
 * @returns {Record<string, (message: any) => void>} by the message's type
 */
export function reactions({ link, sound, player, standing, dispatch, follow, onWords, overhearing, needs }) {
  return {
    welcome: (m) => {
      if (loadSwitches() || m.settings?.auto_listen === undefined) return;
      const { muted } = store.voice.value;
      const auto = Boolean(m.settings.auto_listen);
      store.voice.value = { ...store.voice.value, auto };
      link.send({ type: "prefs", muted, auto });
    },
    resync: () => {
      store.forgetConversations();
      if (store.currentId.value) loadHistory(store.currentId.value);
    },
    session_list: () => follow(),
    session_status: (m) => {
      follow();
      if (!m.session.question) dispatch({ type: "unasked", session_id: m.session_id });
      if (m.session.state === "dead") dispatch({ type: "session_gone", session_id: m.session_id });
      else if (RESTING.has(m.session.activity) && !m.session.question) dispatch({ type: "agent_rests", session_id: m.session_id });
    },
    session_terminated: (m) => {
      dispatch({ type: "session_gone", session_id: m.session_id });
      follow();
    },
    user_text: (m) => dispatch({ type: "answered", session_id: m.session_id }),
    attention: (m) => {
      if (m.session_id === store.currentId.value && document.visibilityState === "visible") link.send({ type: "seen", session_id: m.session_id });
      else needs((notify) => notify.called(m));
      say(attentionWords(nameOf(store.sessionOf(m.session_id)), m.kind));
    },
    notify: (m) => needs((notify) => notify.show(m)),
    notify_clear: (m) => needs((notify) => notify.close(m.id)),
    audio_owner: (m) => m.client && dispatch({ type: "owner", mine: m.client === clientId }),
    assistant_text: (m) => {
      if (store.options.value.announce) import("./announce.js").then(({ announce }) => announce(m), () => {});
    },
    speech_start: (m) => {
      // The screen reader has the text; what is no reply, such as a voice that is tried, sounds all the same.
      if (store.options.value.announce && m.session_id) {
        link.say({ type: "playback_done", session_id: m.session_id, stream: m.stream, ms: 0, why: "ended" });
        return;
      }
      if (!player.announce(m)) return;
      onWords((spoken) => spoken.announce(m));
      if (standing.has(m.stream)) link.send({ type: "playback_paused", stream: m.stream, on: true, ms: Math.round(player.soundingMs(m.stream)) });
      store.speakingMsg.value = m.msg_id;
      dispatch({ type: "speech_start", stream: m.stream, session_id: m.session_id });
      if (m.session_id) say(`${nameOf(store.sessionOf(m.session_id))} is speaking`);
    },
    speech_marks: (m) => onWords((spoken) => spoken.add(m)),
    speech_end: (m) => player.complete(m.stream),
    speech_cancel: (m) => dispatch({ type: "speech_cancel", stream: m.stream }),
    listening: (m) => {
      // It would hear the screen reader.
      const auto = Boolean(m.auto) && !store.options.value.announce;
      dispatch({ type: "listening", session_id: m.session_id, auto, turn: freshId() });
    },
    vad: (m) => {
      const session_id = m.speaking ? overhearing()?.heard(m.turn) : null;
      if (!session_id) return;
      dispatch({ type: "overheard", turn: m.turn, session_id });
      say("Listening");
    },
    turn_end: (m) => dispatch({ type: "turn_end", turn: m.turn }),
    turn_done: (m) => {
      const wasTurn = !overhearing()?.over(m.turn, m.reason) && m.reason !== "echo";
      dispatch({ type: "turn_done", turn: m.turn, text: m.text ?? null, review: m.review ?? false });
      if (wasTurn && !m.text && !OWN_DOING.has(m.reason)) tell(turnWords(m.reason));
    },
    text_ack: (m) => {
      // Every page hears of it; only the one that sent the words has something to say about them.
      const isOurs = store.outgoing.value.some(({ id }) => id === m.id);
      if (m.state === "refused") isOurs && tell(m.reason || "The agent cannot take text now", "warn");
      else setTimeout(() => (store.outgoing.value = store.outgoing.value.filter(({ id }) => id !== m.id)), ARRIVED_MS);
    },
    notice: (m) => say(m.text),
    error: (m) => tell(m.text, "error"),
  };
}
