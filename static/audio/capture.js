/**
 * The microphone: asked for once in the page's life, then kept. Mute disables the track, so the browser sends silence.
 * It hands out frames of a turn; what happens to them is decided in turns.js and the loop.
 */

const CONSTRAINTS = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
/** Browser processing changes the signal, so tests that compare it turn it off. */
const RAW = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };

/** Why there is no microphone, by the name of the browser's error. @type {Record<string, string>} */
const WHY = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "absent", OverconstrainedError: "absent" };

export class Microphone {
  /**
   * @param {import("./context.js").Sound} sound
   * @param {{onFrame: (frame: any) => void, onStarted: (turn: string, pre_ms: number) => void,
   *   onLevel: (level: number) => void, onLost: () => void, raw: boolean}} options
   */
  constructor(sound, { onFrame, onStarted, onLevel, onLost, raw }) {
    this.sound = sound;
    this.onFrame = onFrame;
    this.onStarted = onStarted;
    this.onLevel = onLevel;
    this.onLost = onLost;
    this.constraints = raw ? RAW : CONSTRAINTS;
    this.muted = false;
    this.metered = false;
    /** @type {Promise<void>|null} */
    this.opening = null;
  }

  /** Whether this page may ask for a microphone at all. */
  static isPossible() {
    return Boolean(globalThis.isSecureContext && navigator.mediaDevices && globalThis.AudioWorkletNode);
  }

  /** @returns {Promise<string|null>} null when the microphone is open, otherwise why it is not */
  async open() {
    try {
      this.opening ??= this.connect();
      await this.opening;
      return null;
    } catch (error) {
      this.opening = null;
      return WHY[/** @type {Error} */ (error).name] ?? "failed";
    }
  }

  async connect() {
    const context = this.sound.ensure();
    const media = await navigator.mediaDevices.getUserMedia({ audio: this.constraints });
    this.sound.setRoute("play-and-record");
    this.track = media.getAudioTracks()[0];
    this.track.enabled = !this.muted;
    this.track.addEventListener("ended", () => this.lose());
    try {
      await this.sound.worklets;
    } catch (error) {
      this.track.stop(); // nobody would listen, and the browser would say that somebody does
      throw error;
    }
    await context.resume();
    this.metered = false;
    this.node = new AudioWorkletNode(context, "clawmux-capture", { numberOfInputs: 1, numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => {
      if (data.type === "frame") this.onFrame(data);
      else if (data.type === "level") this.onLevel(data.level);
      else this.onStarted(data.turn, data.pre_ms);
    };
    // Held on the object: a source node that nothing refers to may be collected and fall silent.
    this.source = context.createMediaStreamSource(media);
    this.source.connect(this.node);
  }

  /** It was opened and hears. */
  get isOpen() {
    return Boolean(this.source) && this.track?.readyState === "live";
  }

  /** Whether its level is told outside of turns too. @param {boolean} on */
  meter(on) {
    if (on === this.metered || !this.node) return;
    this.metered = on;
    this.node.port.postMessage({ type: "meter", on });
  }

  lose() {
    this.source?.disconnect();
    this.opening = null;
    this.onLost();
  }

  /** Gives the device back: the browser says then that nobody listens. Whoever opens it again asks for it anew. */
  async close() {
    await this.opening?.catch(() => {});
    this.track?.stop();
    this.source?.disconnect();
    this.opening = null;
  }

  /** @param {string} turn @param {number} pre_ms how much of the time before now belongs to the turn */
  start(turn, pre_ms) {
    this.node?.port.postMessage({ type: "start", turn, pre_ms });
  }

  /** @param {string} turn */
  stop(turn) {
    this.node?.port.postMessage({ type: "stop", turn });
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.muted = muted;
    if (this.track) this.track.enabled = !muted;
  }
}
