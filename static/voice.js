/**
 * The voice of the page as one state machine: `reduce(state, event) -> {state, effects}`.
 * It decides and touches nothing: no clock, no sound, no socket. The loop in talk.js carries the effects out.
 *
 *   locked     the browser plays no sound before a first tap or key
 *   idle       at rest
 *   arming     the microphone opens, or a pressed key has not yet said whether it is a tap or a hold
 *   listening  a turn is open and heard
 *   sending    the turn is over, its words are not known yet
 *   waiting    the words were given, the agent has not answered
 *   speaking   a stream sounds
 *   paused     a stream stands still: the device stopped it (call, screen lock) and a tap lets it go on, or `held` says
 *              that the person paused it
 *   muted      at rest, microphone off
 *   blocked    at rest, no microphone to be had (`mic` says why)
 */

export const MODES = Object.freeze([
  "locked", "idle", "arming", "listening", "sending", "waiting", "speaking", "paused", "muted", "blocked",
]);

/**
 * @typedef {{id: string, session_id: string, why: string|null, ready: boolean, pressed: boolean}} Turn
 * @typedef {{id: string, session_id: string}} Stream
 * @typedef {{mode: string, mic: string, muted: boolean, auto: boolean, unlocked: boolean, owner: boolean,
 *   session: string|null, turn: Turn|null, stream: Stream|null, held: boolean, waiting_for: string|null,
 *   asked: {session_id: string, turn: string}|null, since_ms: number}} State
 * @typedef {{type: string, [field: string]: any}} Event
 * @typedef {{do: string, [field: string]: any}} Effect
 */

/** @type {State} */
export const INITIAL = Object.freeze({
  mode: "locked",
  mic: "ok", // or insecure, denied, absent, failed
  muted: false,
  auto: true,
  unlocked: false,
  owner: true,
  session: null,
  turn: null,
  stream: null,
  held: false, // the person has paused the stream
  waiting_for: null,
  asked: null, // a question that waits for the microphone to open by itself
  since_ms: 0,
});

/** What each event does in each state, in the order of MODES. `keep` is a decision too. */
const TABLE = Object.freeze({
  //              locked   idle     arming   listening sending  waiting  speaking paused   muted    blocked
  tap:           "wake     arm      disarm   send      keep     arm      barge    barge    unmute   retry",
  press:         "hold     hold     keep     press     keep     hold     bargeIn  bargeIn  keep     keep",
  hold_long:     "keep     keep     held     keep      keep     keep     keep     keep     keep     keep",
  release:       "keep     keep     released letGo     keep     keep     keep     keep     keep     keep",
  escape:        "keep     keep     disarm   discard   leave    keep     silence  silence  keep     keep",
  pause:         "keep     keep     keep     keep      keep     keep     hush     keep     keep     keep",
  resume:        "keep     keep     keep     keep      keep     keep     keep     goOn     keep     keep",
  skip:          "keep     keep     keep     keep      keep     keep     silence  silence  keep     keep",
  overheard:     "keep     keep     keep     keep      keep     keep     overhear keep     keep     keep",
  mute:          "flipMute flipMute flipMute muteTurn  flipMute flipMute flipMute flipMute unmute   flipMute",
  auto:          "flipAuto flipAuto flipAuto flipAuto  flipAuto flipAuto flipAuto flipAuto flipAuto flipAuto",
  unlocked:      "unlock   unlock   unlock   unlock    unlock   unlock   unlock   unlock   unlock   unlock",
  audio_lost:    "lock     lock     lock     lock      lock     lock     pause    lock     lock     lock",
  mic_ready:     "micOk    micOk    ready    micOk     micOk    micOk    micOk    micOk    micOk    micOk",
  mic_failed:    "micBad   micBad   micFail  micLost   micBad   micBad   micBad   micBad   micBad   micBad",
  listening:     "ask      ask      keep     keep      ask      ask      ask      ask      ask      ask",
  turn_end:      "keep     keep     keep     end       keep     keep     keep     keep     keep     keep",
  turn_done:     "forget   forget   forget   done      done     forget   forget   forget   forget   forget",
  unasked:       "unask    unask    unask    unask     unask    unask    unask    unask    unask    unask",
  answered:      "answer   answer   answered answered  answer   answer   answer   answer   answer   answer",
  agent_rests:   "keep     keep     keep     keep      keep     unwait   keep     keep     keep     keep",
  select:        "choose   choose   chooseAt choose    choose   chooseAt choose   choose   choose   choose",
  speech_start:  "queue    speak    queue    queue     queue    speak    replace  replace  speak    speak",
  speech_cancel: "unspeak  unspeak  unspeak  unspeak   unspeak  unspeak  unspeak  unspeak  unspeak  unspeak",
  speech_over:   "over     over     over     over      over     over     over     over     over     over",
  owner:         "own      own      own      ownTurn   own      own      own      own      own      own",
  session_gone:  "gone     gone     gone     gone      gone     gone     gone     gone     gone     gone",
});

export const EVENTS = Object.freeze(Object.keys(TABLE));

/** @type {Record<string, Record<string, string>>} */
export const MOVE_OF = Object.freeze(
  Object.fromEntries(
    Object.entries(TABLE).map(([event, row]) => {
      const moves = row.split(/\s+/);
      return [event, Object.freeze(Object.fromEntries(MODES.map((mode, i) => [mode, moves[i]])))];
    }),
  ),
);

/**
 * @param {State} state
 * @param {Event} event
 * @returns {{state: State, effects: Effect[]}}
 */
export function reduce(state, event) {
  const moves = MOVE_OF[event.type];
  if (!moves) throw new RangeError(`voice: no such event ${event.type}`);
  const [next, ...effects] = MOVES[moves[state.mode]](state, event);
  const since_ms = next.mode === state.mode ? state.since_ms : (event.at_ms ?? state.since_ms);
  return { state: since_ms === next.since_ms ? next : { ...next, since_ms }, effects };
}

/** @typedef {[State, ...Effect[]]} Moved */
/** @type {Record<string, (state: State, event: Event) => Moved>} */
export const MOVES = Object.freeze({
  keep: (s) => [s],

  // Turns
  wake: (s, e) => (s.stream ? [s] : MOVES.arm(s, e)), // the tap that unlocks the sound first lets the waiting speech out
  arm: (s, e) => (canHear(s) ? startTurn(s, e.turn, s.session, "tap") : settle(s)),
  hold: (s, e) => (canHear(s) ? startTurn(s, e.turn, s.session, null) : settle(s)),
  retry: (s, e) => (s.mic === "insecure" ? [s] : MOVES.arm({ ...s, mic: "ok" }, e)),
  barge: (s, e) => stopThen(s, (rest) => (canHear(s) ? startTurn(rest, e.turn, s.session, "barge") : settle(rest))),
  bargeIn: (s, e) => stopThen(s, (rest) => (canHear(s) ? startTurn(rest, e.turn, s.session, null) : settle(rest))),
  held: (s) => (s.turn.why ? [s] : open({ ...s, turn: { ...s.turn, why: "hold" } })),
  released: (s) => {
    if (s.turn.why === "hold") return MOVES.disarm(s);
    return s.turn.why ? [s] : open({ ...s, turn: { ...s.turn, why: "tap" } });
  },
  ready: (s, e) => (e.turn === s.turn.id ? open({ ...s, mic: "ok", turn: { ...s.turn, ready: true } }) : [s]),
  disarm: (s) => settle({ ...s, turn: null }, { do: "drop", turn: s.turn.id }),
  press: (s) => [{ ...s, turn: { ...s.turn, pressed: true } }],
  letGo: (s) => (s.turn.why === "hold" || s.turn.pressed ? MOVES.send(s) : [s]),
  send: (s) => [{ ...s, mode: "sending" }, { do: "close", turn: s.turn.id, why: "send" }, { do: "cue", name: "sent" }],
  discard: (s) => settle({ ...s, turn: null }, { do: "close", turn: s.turn.id, why: "discard" }),
  muteTurn: (s) =>
    settle({ ...s, turn: null, muted: true }, { do: "close", turn: s.turn.id, why: "mute" }, { do: "prefs" }),
  micLost: (s, e) => settle({ ...s, turn: null, mic: e.why }, { do: "close", turn: s.turn.id, why: "lost" }),
  ownTurn: (s, e) => {
    if (e.mine) return own(s, true);
    const close = { do: "close", turn: s.turn.id, why: "lost" };
    const next = { ...s, owner: false, turn: null, stream: null, held: false };
    return settle(next, close, ...(s.stream ? [stop(s, "not_owner")] : []));
  },
  end: (s, e) =>
    e.turn === s.turn.id ? [{ ...s, mode: "sending" }, { do: "close", turn: s.turn.id, why: "send" }] : [s],
  leave: (s) => settle({ ...s, turn: null }),
  forget: (s, e) => [s, { do: "forget", turn: e.turn }],
  done: (s, e) => {
    if (e.turn !== s.turn.id) return MOVES.forget(s, e);
    const { session_id, why } = s.turn;
    const isReview = Boolean(e.text && e.review);
    const effects = [{ do: "forget", turn: e.turn }, ...(isReview ? [{ do: "review", session_id, text: e.text }] : [])];
    const next = { ...s, turn: null, waiting_for: e.text && !isReview ? session_id : null };
    // Who talks into an agent's speech and is understood has done with it; else it goes on where it was.
    if (e.text && why === "overheard" && s.stream) return stopThen(next, (rest) => settle(rest, ...effects));
    return settle(next, ...effects);
  },

  // Questions
  ask: (s, e) => {
    if (!e.auto) return [s];
    const next = { ...s, asked: { session_id: e.session_id, turn: e.turn } };
    return isResting(s) ? settle(next) : [next];
  },
  unask: (s, e) => [s.asked?.session_id === e.session_id ? { ...s, asked: null } : s],
  answer: (s, e) => {
    const next = { ...s, asked: s.asked?.session_id === e.session_id ? null : s.asked };
    return isResting(s) ? settle({ ...next, waiting_for: e.session_id }) : [next];
  },
  answered: (s, e) => {
    const next = MOVES.answer(s, e);
    if (s.turn.session_id !== e.session_id || s.turn.why !== "auto") return next;
    const over = { ...next[0], turn: null, waiting_for: e.session_id };
    if (s.mode === "arming") return settle(over, { do: "drop", turn: s.turn.id });
    return settle(over, { do: "close", turn: s.turn.id, why: "discard" });
  },
  unwait: (s, e) => (s.waiting_for === e.session_id ? settle({ ...s, waiting_for: null }) : [s]),
  choose: (s, e) => [{ ...s, session: e.session_id }],
  chooseAt: (s, e) => {
    if (s.session === e.session_id) return [s];
    const next = { ...s, session: e.session_id };
    if (s.mode === "waiting") return settle({ ...next, waiting_for: null });
    return s.turn.session_id === e.session_id ? [next] : MOVES.disarm(next);
  },
  gone: (s, e) => {
    const asked = s.asked?.session_id === e.session_id ? null : s.asked;
    const next = { ...s, asked, waiting_for: s.waiting_for === e.session_id ? null : s.waiting_for };
    if (s.turn?.session_id === e.session_id) return settle({ ...next, turn: null }, { do: "drop", turn: s.turn.id });
    return isResting(s) ? settle(next) : [next];
  },

  // Speech
  speak: (s, e) => settle({ ...s, waiting_for: null, stream: { id: e.stream, session_id: e.session_id }, held: false }),
  queue: (s, e) => (s.stream && s.stream.id !== e.stream ? MOVES.replace(s, e) : [withStream(s, e)]),
  replace: (s, e) => {
    const play = s.mode === "speaking" ? [{ do: "play", stream: e.stream }] : [];
    if (s.stream.id === e.stream) return [s, ...play];
    if (s.held) return settle(withStream(s, e), stop(s, "interrupted"));
    return [withStream(s, e), stop(s, "interrupted"), ...play];
  },
  hush: (s) => [{ ...s, mode: "paused", held: true }, { do: "pause", stream: s.stream.id }],
  goOn: (s) => settle({ ...s, held: false }),
  overhear: (s, e) => {
    if (e.session_id !== s.stream.session_id) return [s];
    const turn = { id: e.turn, session_id: e.session_id, why: "overheard", ready: true, pressed: false };
    return [{ ...s, mode: "listening", session: e.session_id, turn }, { do: "pause", stream: s.stream.id }, { do: "show", session_id: e.session_id }];
  },
  silence: (s) => stopThen(s, (rest) => settle(rest)),
  unspeak: (s, e) => (s.stream?.id === e.stream ? endStream(s, stop(s, "interrupted")) : [s]),
  over: (s, e) => (s.stream?.id === e.stream ? endStream(s) : [s]),
  pause: (s) => [{ ...s, mode: "paused", unlocked: false }, { do: "pause", stream: s.stream.id }],

  // The device
  unlock: (s) => {
    const next = { ...s, unlocked: true };
    return isResting(s) || s.mode === "paused" ? settle(next) : [next];
  },
  lock: (s) => (isResting(s) ? settle({ ...s, unlocked: false }) : [{ ...s, unlocked: false }]),
  micOk: (s) => (s.mic === "ok" ? [s] : rested({ ...s, mic: "ok" })),
  micBad: (s, e) => rested({ ...s, mic: e.why }),
  micFail: (s, e) => settle({ ...s, mic: e.why, turn: null }, { do: "drop", turn: s.turn.id }),
  flipMute: (s) => {
    if (s.mode === "arming") return settle({ ...s, muted: true, turn: null }, { do: "drop", turn: s.turn.id }, { do: "prefs" });
    return rested({ ...s, muted: !s.muted }, { do: "prefs" });
  },
  unmute: (s) => settle({ ...s, muted: false }, { do: "prefs" }),
  flipAuto: (s) => rested({ ...s, auto: !s.auto }, { do: "prefs" }),
  own: (s, e) => own(s, e.mine),
});

const RESTING = Object.freeze(["locked", "idle", "waiting", "muted", "blocked"]);

/** @param {State} s */
function isResting(s) {
  return RESTING.includes(s.mode);
}

/** @param {State} s */
function canHear(s) {
  return s.mic === "ok" && !s.muted && s.session !== null;
}

/** The mode that the facts ask for when no turn is open; the one place where a state of rest is chosen.
 * @param {State} s @param {...Effect} effects @returns {Moved} */
function settle(s, ...effects) {
  if (s.stream) {
    if (s.held) return [{ ...s, mode: "paused" }, ...effects];
    if (!s.unlocked) return [{ ...s, mode: s.mode === "paused" ? "paused" : "locked" }, ...effects];
    return [{ ...s, mode: "speaking", waiting_for: null }, ...effects, { do: "play", stream: s.stream.id }];
  }
  if (s.asked && s.auto && s.unlocked && s.mic === "ok" && !s.muted && s.owner) {
    const [next, ...more] = startTurn({ ...s, session: s.asked.session_id }, s.asked.turn, s.asked.session_id, "auto");
    return [next, ...effects, { do: "show", session_id: s.asked.session_id }, ...more];
  }
  return [{ ...s, mode: restOf(s) }, ...effects];
}

/** @param {State} s */
function restOf(s) {
  if (s.mic !== "ok") return "blocked";
  if (s.muted) return "muted";
  if (!s.unlocked) return "locked";
  return s.waiting_for ? "waiting" : "idle";
}

/** @param {State} s @param {...Effect} effects @returns {Moved} */
function rested(s, ...effects) {
  return isResting(s) ? settle(s, ...effects) : [s, ...effects];
}

/** @param {State} s @param {string} id @param {string} session_id @param {string|null} why @returns {Moved} */
function startTurn(s, id, session_id, why) {
  const turn = { id, session_id, why, ready: false, pressed: false };
  return [{ ...s, mode: "arming", asked: null, waiting_for: null, turn }, { do: "arm", turn: id, session_id, why }];
}

/** A turn opens when the microphone is ready and tap or hold is known. @param {State} s @returns {Moved} */
function open(s) {
  if (!s.turn.ready || !s.turn.why) return [s];
  const { id, session_id, why } = s.turn;
  const cue = why === "auto" ? [{ do: "cue", name: "listen" }] : [];
  return [{ ...s, mode: "listening", owner: true }, { do: "open", turn: id, session_id, why }, ...cue];
}

/** @param {State} s @param {string} why @returns {Effect} */
function stop(s, why) {
  return { do: "stop", stream: s.stream.id, session_id: s.stream.session_id, why };
}

/** @param {State} s @param {(rest: State) => Moved} then @returns {Moved} */
function stopThen(s, then) {
  const [next, ...effects] = then({ ...s, stream: null, held: false, mode: "idle" });
  return [next, { do: "interrupt", stream: s.stream.id, session_id: s.stream.session_id }, stop(s, "interrupted"), ...effects];
}

/** @param {State} s @param {...Effect} effects @returns {Moved} */
function endStream(s, ...effects) {
  const next = { ...s, stream: null, held: false };
  return isResting(s) || s.mode === "speaking" || s.mode === "paused" ? settle(next, ...effects) : [next, ...effects];
}

/** @param {State} s @param {Event} e @returns {State} */
function withStream(s, e) {
  return { ...s, stream: { id: e.stream, session_id: e.session_id }, held: s.held && s.stream?.id === e.stream };
}

/** @param {State} s @param {boolean} mine @returns {Moved} */
function own(s, mine) {
  const next = { ...s, owner: mine };
  if (!mine && s.stream) return endStream(next, stop(s, "not_owner"));
  if (!mine && s.mode === "arming" && s.turn.why === "auto") return settle({ ...next, turn: null }, { do: "drop", turn: s.turn.id });
  return rested(next);
}

/**
 * What the dock's controls look like: all of it from the state.
 * @param {State} s
 */
export function controls(s) {
  const [label, icon] = MIC_FACE[s.mode === "locked" && s.mic !== "ok" ? "blocked" : s.mode];
  return {
    mic: {
      label,
      icon,
      recording: s.mode === "listening",
      disabled: s.session === null || s.mode === "sending" || (s.mic === "insecure" && isResting(s)),
    },
    mute: { pressed: s.muted, disabled: s.mic === "insecure" },
    auto: {
      label: s.auto ? "Auto" : "Manual",
      icon: s.auto ? "audio-lines" : "hand",
      pressed: s.auto && s.mic !== "insecure",
      disabled: s.mic === "insecure",
    },
  };
}

/** A tap's result, and its picture. @type {Record<string, [string, string]>} */
const MIC_FACE = Object.freeze({
  locked: ["Talk", "mic"],
  idle: ["Talk", "mic"],
  arming: ["Cancel", "mic"],
  listening: ["Send", "send-horizontal"],
  sending: ["Sending", "mic"],
  waiting: ["Talk", "mic"],
  speaking: ["Interrupt", "mic"],
  paused: ["Interrupt", "mic"],
  muted: ["Unmute", "mic-off"],
  blocked: ["No microphone", "mic-off"],
});
