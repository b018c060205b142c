/**
 * The page's one AudioContext: made late, unlocked by every tap and key, watched while it should run.
 * It knows nothing of streams and turns; player and microphone connect to `master` and `context`.
 */

/** outputLatency 0 means "not known" in some engines; 40 ms is what the others report for wired output. */
const LATENCY_UNKNOWN_SECONDS = 0.04;
/**
 * Firefox looks for it under the lock of its audio graph, and asks PulseAudio meanwhile, whose thread may just wait for that
 * very graph: the page then stands still for ever (seen in 153, in one start of sound in five). So it is never asked there.
 */
const IS_LATENCY_SAFE = !/ Firefox\//.test(globalThis.navigator?.userAgent ?? "");
const WATCH_MS = 1000;
/** Short quiet tones for people who do not look at the screen: frequencies in Hz, one after another. */
const CUES = Object.freeze({
  listen: [520, 780], sent: [780, 520],
  // Why an agent calls is told apart without looking: a question, a knock, a chord that rises, a low fall.
  question: [660, 660, 880], permission: [880, 660, 880, 660], done: [523, 659, 784], error: [330, 262],
});
const CUE_SECONDS = 0.07;
const CUE_GAIN = 0.06;

export class Sound {
  /** @param {{onRunning: () => void, onLost: () => void, tap: boolean}} options */
  constructor({ onRunning, onLost, tap }) {
    this.onRunning = onRunning;
    this.onLost = onLost;
    this.tapWanted = tap;
    /** @type {AudioContext|null} */
    this.context = null;
    /** @type {Promise<boolean>|null} */
    this.loading = null;
    this.wasRunning = false;
    this.stillSince = null;
    /** @type {{time: number, samples: Float32Array}[]} */
    this.tapped = [];
  }

  /** @returns {AudioContext} */
  ensure() {
    if (this.context) return this.context;
    const context = new (globalThis.AudioContext ?? globalThis.webkitAudioContext)({ latencyHint: "interactive" });
    this.context = context;
    this.master = context.createGain();
    this.meter = context.createAnalyser();
    this.meter.fftSize = 512;
    this.master.connect(this.meter);
    this.master.connect(context.destination);
    context.addEventListener("statechange", () => this.look());
    this.worklets.catch(() => {}); // who needs them asks again
    setInterval(() => this.watch(), WATCH_MS);
    this.setRoute("playback");
    this.look();
    return context;
  }

  /** Whether worklets are there. What could not be fetched, while a hub starts anew, is fetched for the next who asks. @returns {Promise<boolean>} */
  get worklets() {
    this.loading ??= this.loadWorklets(this.ensure()).catch((error) => {
      this.loading = null;
      throw error;
    });
    return this.loading;
  }

  /** @param {AudioContext} context */
  async loadWorklets(context) {
    if (!context.audioWorklet) return false; // plain http page: the player falls back to buffers
    const files = ["player-worklet.js", "capture-worklet.js", ...(this.tapWanted ? ["tap-worklet.js"] : [])];
    await Promise.all(files.map((file) => context.audioWorklet.addModule(new URL(file, import.meta.url))));
    if (this.tapWanted) this.connectTap(context);
    return true;
  }

  /** @param {AudioContext} context */
  connectTap(context) {
    this.tapNode = new AudioWorkletNode(context, "clawmux-tap");
    this.tapNode.port.onmessage = ({ data }) => this.tapped.push(data);
    this.master.connect(this.tapNode);
    this.tapNode.connect(context.destination);
  }

  /** Called on every pointerup and keydown: a browser may take the permission back at any time. */
  unlock() {
    const context = this.ensure();
    if (context.state !== "running" && context.state !== "closed") context.resume().catch(() => {});
    else this.look();
  }

  look() {
    const running = this.context?.state === "running";
    if (running === this.wasRunning) return;
    this.wasRunning = running;
    if (running) this.onRunning();
    else this.onLost();
  }

  /** A context can say "running" while its clock stands still (WebKit after a call): start it again. */
  watch() {
    const { context } = this;
    if (!context || context.state !== "running") return;
    if (context.currentTime === this.stillSince) context.suspend().then(() => context.resume()).catch(() => {});
    this.stillSince = context.currentTime;
  }

  /** From a rendered sample to the ear. */
  latencySeconds() {
    return (IS_LATENCY_SAFE && this.context?.outputLatency) || LATENCY_UNKNOWN_SECONDS;
  }

  /** iOS routes by this word; elsewhere it does not exist. @param {"playback"|"play-and-record"} type */
  setRoute(type) {
    const session = /** @type {any} */ (navigator).audioSession;
    if (session) session.type = type;
  }

  /** Through the same output as speech, so that echo cancelling knows it. @param {keyof typeof CUES} name */
  cue(name) {
    const { context, master } = this;
    if (!context || context.state !== "running") return;
    CUES[name].forEach((frequency, i) => {
      const from = context.currentTime + i * CUE_SECONDS;
      const tone = new OscillatorNode(context, { frequency });
      const shape = new GainNode(context, { gain: 0 });
      shape.gain.setValueAtTime(0, from);
      shape.gain.linearRampToValueAtTime(CUE_GAIN, from + 0.01);
      shape.gain.linearRampToValueAtTime(0, from + CUE_SECONDS);
      tone.connect(shape).connect(master);
      tone.start(from);
      tone.stop(from + CUE_SECONDS);
    });
  }

  /** Loudness now, 0 to 1. */
  level() {
    if (!this.meter) return 0;
    this.levels ??= new Float32Array(this.meter.fftSize);
    this.meter.getFloatTimeDomainData(this.levels);
    let power = 0;
    for (const value of this.levels) power += value * value;
    return Math.sqrt(power / this.levels.length);
  }

  /** Tests only: everything the master bus has carried so far. */
  async tap() {
    this.tapNode?.port.postMessage("post");
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { rate: this.context?.sampleRate ?? 0, blocks: this.tapped };
  }
}
