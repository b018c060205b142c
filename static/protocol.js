/**
 * The words and bytes of /ws: pure encoding and decoding, checked against the same vectors as the hub.
 * It opens no socket and keeps no state.
 *
 * A binary frame is 16 bytes, little endian, and then PCM16 (kinds 1 and 2) or bytes of a terminal:
 *   0 u8 kind · 1 u8 flags · 2 u16 slot · 4 u32 seq · 8 f64 clock of the sender, ms
 */

export const KIND = Object.freeze({ mic: 1, speech: 2, terminal_out: 3, terminal_in: 4 });
export const FLAG = Object.freeze({ first: 1, last: 2, discontinuity: 4 });
export const HEADER_BYTES = 16;
export const PAYLOAD_MAX_BYTES = 65536;
const FLAGS_KNOWN = FLAG.first | FLAG.last | FLAG.discontinuity;

/** What is wrong with a frame or a message, in one stable word. */
export class ProtocolError extends Error {
  /** @param {string} word @param {string} [text] */
  constructor(word, text = word) {
    super(text);
    this.word = word;
  }
}

/**
 * @typedef {{kind: number, flags: number, slot: number, seq: number, clock_ms: number}} FrameHead
 */

/**
 * @param {FrameHead} head
 * @param {Uint8Array} payload
 * @returns {Uint8Array}
 */
export function encodeFrame(head, payload) {
  const bytes = new Uint8Array(HEADER_BYTES + payload.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, head.kind);
  view.setUint8(1, head.flags);
  view.setUint16(2, head.slot, true);
  view.setUint32(4, head.seq, true);
  view.setFloat64(8, head.clock_ms, true);
  bytes.set(payload, HEADER_BYTES);
  checkFrame(bytes);
  return bytes;
}

/**
 * @param {Uint8Array} bytes
 * @returns {FrameHead & {payload: Uint8Array}}
 */
export function decodeFrame(bytes) {
  checkFrame(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    kind: view.getUint8(0),
    flags: view.getUint8(1),
    slot: view.getUint16(2, true),
    seq: view.getUint32(4, true),
    clock_ms: view.getFloat64(8, true),
    payload: bytes.subarray(HEADER_BYTES),
  };
}

/** @param {Uint8Array} bytes */
function checkFrame(bytes) {
  if (bytes.byteLength < HEADER_BYTES) throw new ProtocolError("short");
  if (bytes.byteLength - HEADER_BYTES > PAYLOAD_MAX_BYTES) throw new ProtocolError("too_large");
  if (bytes[0] < KIND.mic || bytes[0] > KIND.terminal_in) throw new ProtocolError("kind");
  if (bytes[1] & ~FLAGS_KNOWN) throw new ProtocolError("flags");
  if (bytes[0] <= KIND.speech && bytes.byteLength % 2) throw new ProtocolError("odd");
}

/** PCM16 samples of a payload. Copies when the payload does not lie on an even address. */
export function samplesOf(/** @type {Uint8Array} */ payload) {
  const aligned = payload.byteOffset % 2 ? payload.slice() : payload;
  return new Int16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
}

/** What the hub says, and the fields without which a message means nothing. */
export const FROM_HUB = Object.freeze({
  welcome: ["v", "events_from", "client"],
  resync: [],
  error: ["code", "text"],
  pong: [],
  session_list: ["sessions"],
  session_status: ["session_id", "session"],
  session_terminated: ["n", "session_id"],
  agent_message: ["n", "session_id", "msg_id", "direction", "peer", "peer_name", "text"],
  work: ["n", "session_id", "items"],
  assistant_text: ["n", "session_id", "msg_id", "text"],
  user_text: ["n", "session_id", "msg_id", "text"],
  notice: ["n", "level", "text"],
  not_spoken: ["n", "session_id", "msg_id"],
  audio_owner: ["client"],
  devices: [],
  speech_state: ["state"],
  attention: ["session_id", "text"],
  attention_clear: ["session_id"],
  notify: ["id", "kind", "title", "body"],
  notify_clear: ["id"],
  status: ["session_id", "text"],
  text_ack: ["id", "state"],
  message: ["message"],
  speech_start: ["session_id", "msg_id", "stream", "slot"],
  speech_marks: ["stream", "words"],
  speech_end: ["stream"],
  speech_cancel: ["stream"],
  listening: ["session_id"],
  vad: ["turn", "speaking"],
  partial_text: ["turn", "text"],
  turn_end: ["turn"],
  turn_done: ["turn"],
  turn_timing: ["session_id", "turn", "heard_ms"],
  measuring: ["tier", "done", "of", "state"],
  term_opened: ["session_id", "slot"],
  term_size: ["slot", "cols", "rows"],
  term_keyboard: ["session_id", "client"],
  term_earlier: ["slot", "lines"],
  term_closed: ["slot", "session_id", "why"],
});

/** What the page says. */
export const FROM_PAGE = Object.freeze({
  hello: ["v", "client", "device", "audio_in", "audio_out", "last", "muted", "auto", "in_view", "visible", "streams", "turns"],
  ping: [],
  prefs: ["muted", "auto"],
  text: ["id", "session_id", "text"],
  interrupt: ["session_id", "stream", "at_ms"],
  cancel: ["session_id"],
  replay: ["session_id", "msg_id"],
  audio_owner: ["claim"],
  seen: ["session_id"],
  in_view: ["session_id", "visible"],
  mic_open: ["session_id", "turn", "slot", "why", "pre_ms"],
  mic_close: ["turn", "why"],
  playback_started: ["stream", "latency_ms"],
  playback_progress: ["stream", "ms"],
  playback_paused: ["stream", "on", "ms"],
  playback_done: ["session_id", "stream", "ms", "why"],
  term_open: ["session_id"],
  term_close: ["slot"],
  term_take: ["slot", "on"],
  term_paste: ["slot", "text"],
  term_seen: ["slot", "seq"],
  term_earlier: ["slot"],
});

/** @param {Record<string, any> & {type: string}} message */
export function encodeMessage(message) {
  checkFields(message, FROM_PAGE);
  return JSON.stringify(message);
}

/**
 * Unknown types throw `type`: the caller counts and drops them, so that a newer hub can say more.
 * @param {string} text
 * @returns {Record<string, any> & {type: string}}
 */
export function decodeMessage(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    throw new ProtocolError("json");
  }
  if (typeof message !== "object" || message === null || Array.isArray(message)) throw new ProtocolError("json");
  checkFields(message, FROM_HUB);
  return message;
}

/** @param {Record<string, any>} message @param {Record<string, readonly string[]>} table */
function checkFields(message, table) {
  if (typeof message.type !== "string" || !Object.hasOwn(table, message.type)) {
    throw new ProtocolError("type", `unknown message ${String(message.type)}`);
  }
  for (const field of table[message.type]) {
    if (!(field in message)) throw new ProtocolError("field", `${message.type} lacks ${field}`);
  }
}
