/**
 * The page's one socket: connects, says hello, comes back after a break, and notices a connection that died silently.
 * It passes messages on and decides nothing about them.
 */
import { socketProtocols } from "./api.js";
import { ProtocolError, decodeFrame, decodeMessage, encodeMessage } from "./protocol.js";

const RETRY_FIRST_MS = 300;
const RETRY_MAX_MS = 5000;
/** Quiet for so long: ask whether anybody is there. */
const QUIET_MS = 12000;
/** Still quiet: the connection is dead, though nobody closed it. */
const DEAD_MS = 20000;
const WATCH_MS = 2000;

/** Waiting time before the next try; spread, so that several pages do not come back in one moment. */
export function retryDelayMs(/** @type {number} */ tries, random = Math.random()) {
  return Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** tries) * (0.5 + random / 2);
}

/** @typedef {"connecting"|"online"|"offline"|"signed_out"} LinkState */

export class Link {
  /**
   * @param {{hello: () => any, onMessage: (message: any) => void, onFrame: (frame: any) => void,
   *   onState: (state: LinkState) => void, isSignedIn: () => Promise<boolean>, url?: string}} options
   */
  constructor(options) {
    this.options = options;
    this.url = options.url ?? `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
    /** @type {WebSocket|null} */
    this.socket = null;
    this.welcomed = false;
    this.pongs = false;
    this.tries = 0;
    this.heardAt = 0;
    this.refused = 0;
    this.welcomes = 0;
    /** Of the last ping that was to be measured; null: of none yet. @type {number|null} */
    this.roundTripMs = null;
    this.measuredAt = 0;
    /** @type {any[]} */
    this.outbox = [];
  }

  start() {
    this.connect();
    setInterval(() => this.watch(), WATCH_MS);
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.hurry());
  }

  connect() {
    clearTimeout(this.timer);
    this.detach();
    const socket = new WebSocket(this.url, socketProtocols());
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.heardAt = performance.now();
    socket.onopen = () => socket.send(encodeMessage(this.options.hello()));
    socket.onmessage = ({ data }) => this.receive(data);
    socket.onclose = () => this.lost();
  }

  /** A socket that is given up must not speak any more: its own close event may come a minute late. */
  detach() {
    const { socket } = this;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.socket = null;
  }

  async lost() {
    const wasWelcomed = this.welcomed;
    this.detach();
    this.welcomed = false;
    this.options.onState("offline");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), retryDelayMs(this.tries));
    this.tries += 1;
    // A refused upgrade looks like any other failure from here: ask the other door.
    if (!wasWelcomed && !(await this.options.isSignedIn())) {
      clearTimeout(this.timer);
      this.options.onState("signed_out");
    }
  }

  /** @param {string|ArrayBuffer} data */
  receive(data) {
    this.heardAt = performance.now();
    this.pinged = false;
    try {
      if (typeof data === "string") this.receiveMessage(decodeMessage(data));
      else this.options.onFrame(decodeFrame(new Uint8Array(data)));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.refused += 1;
      console.warn(`ws: dropped a message (${error.message})`);
    }
  }

  /** @param {any} message */
  receiveMessage(message) {
    if (message.type === "pong") {
      this.pongs = true;
      if (this.measuredAt) this.roundTripMs = performance.now() - this.measuredAt;
      this.measuredAt = 0;
      return;
    }
    if (message.type === "welcome") {
      this.welcomed = true;
      this.welcomes += 1;
      this.measuredAt = 0;
      this.tries = 0;
    }
    this.options.onMessage(message);
    if (message.type !== "welcome") return;
    for (const waiting of this.outbox.splice(0)) this.send(waiting);
    this.options.onState("online");
  }

  /** Now or never. @param {any} message */
  send(message) {
    if (!this.welcomed || this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(encodeMessage(message));
    return true;
  }

  /** Now, or after the next welcome. @param {any} message */
  say(message) {
    if (!this.send(message)) this.outbox.push(message);
  }

  /** @param {Uint8Array} bytes */
  sendBytes(bytes) {
    if (!this.welcomed || this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(bytes);
    return true;
  }

  bufferedBytes() {
    return this.socket?.bufferedAmount ?? 0;
  }

  /** Ask for a sign of life, to see how long it takes. */
  measure() {
    if (!this.measuredAt && this.send({ type: "ping" })) this.measuredAt = performance.now();
  }

  hurry() {
    if (this.welcomed) this.watch(QUIET_MS / 2);
    else if (this.timer) this.connect();
  }

  async watch(quiet_ms = QUIET_MS) {
    const quiet = performance.now() - this.heardAt;
    // Taken by somebody who never says welcome: a browser waits for such a connection for minutes, or for ever.
    if (!this.welcomed && this.socket && quiet > DEAD_MS) this.lost();
    if (!this.welcomed || quiet < quiet_ms) return;
    if (!this.pinged) {
      this.pinged = true;
      this.send({ type: "ping" });
    } else if (quiet > DEAD_MS && (this.pongs || !(await this.hubAnswers())) && performance.now() - this.heardAt > DEAD_MS) {
      this.lost();
    }
  }

  /** For a hub that does not answer pings: whether the other door still opens. */
  async hubAnswers() {
    try {
      return (await fetch("/api/health", { signal: AbortSignal.timeout(5000) })).ok;
    } catch {
      return false;
    }
  }
}
