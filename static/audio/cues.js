/** Short quiet tones for people who do not look at the screen, through the same output as speech (so echo cancelling knows them). */

/** Frequencies in Hz, one after another. */
const TONES = Object.freeze({ listen: [520, 780], sent: [780, 520], attention: [660, 660, 880] });
const TONE_SECONDS = 0.07;
const GAIN = 0.06;

/** @param {import("./context.js").Sound} sound @param {keyof typeof TONES} name */
export function playCue(sound, name) {
  const { context, master } = sound;
  if (!context || context.state !== "running") return;
  TONES[name].forEach((frequency, i) => {
    const from = context.currentTime + i * TONE_SECONDS;
    const tone = new OscillatorNode(context, { frequency });
    const shape = new GainNode(context, { gain: 0 });
    shape.gain.setValueAtTime(0, from);
    shape.gain.linearRampToValueAtTime(GAIN, from + 0.01);
    shape.gain.linearRampToValueAtTime(0, from + TONE_SECONDS);
    tone.connect(shape).connect(master);
    tone.start(from);
    tone.stop(from + TONE_SECONDS);
  });
}
