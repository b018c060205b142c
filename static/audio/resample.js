/**
 * Streaming windowed-sinc resampler, used by the player and, in the audio thread, by the microphone.
 * Pure arithmetic: numbers in, numbers out.
 */

/** Zero crossings on each side: 16 keep the pass band flat to 0.9 of the lower Nyquist frequency. */
const ZEROS = 16;
/** Positions between two samples for which the kernel is worked out; the nearest one is used (error below -60 dB). */
const PHASES = 512;
/** The cut-off lies a little below Nyquist, so that the kernel's slope does not fold back. */
const CUTOFF = 0.95;

export class Resampler {
  /** @param {number} fromRate @param {number} toRate */
  constructor(fromRate, toRate) {
    this.step = fromRate / toRate;
    const scale = Math.min(1, toRate / fromRate);
    this.half = Math.ceil(ZEROS / scale);
    this.kernels = this.step === 1 ? [] : makeKernels(this.half, scale * CUTOFF);
    this.held = new Float32Array(this.half);
    this.position = this.half;
  }

  /** @param {Float32Array} input @returns {Float32Array} as many samples as are settled by now */
  process(input) {
    if (this.step === 1) return input.slice();
    const { half, step, kernels } = this;
    const all = new Float32Array(this.held.length + input.length);
    all.set(this.held);
    all.set(input, this.held.length);
    const count = Math.max(0, Math.ceil((all.length - half - this.position) / step));
    const output = new Float32Array(count);
    let position = this.position;
    for (let i = 0; i < count; i++) {
      const phase = Math.round((position - Math.floor(position)) * PHASES);
      const kernel = kernels[phase];
      const start = Math.floor(position) - half + 1;
      let sum = 0;
      for (let k = 0; k < kernel.length; k++) sum += all[start + k] * kernel[k];
      output[i] = sum;
      position += step;
    }
    const drop = Math.min(all.length, Math.max(0, Math.floor(position) - half));
    this.held = all.slice(drop);
    this.position = position - drop;
    return output;
  }

  /** The samples still inside the kernel, after the last input. */
  flush() {
    return this.step === 1 ? new Float32Array(0) : this.process(new Float32Array(this.half));
  }
}

/** @param {number} half @param {number} cutoff */
function makeKernels(half, cutoff) {
  const kernels = [];
  for (let phase = 0; phase <= PHASES; phase++) {
    const kernel = new Float32Array(2 * half);
    let sum = 0;
    for (let k = 0; k < kernel.length; k++) {
      const x = k - half + 1 - phase / PHASES;
      kernel[k] = sinc(cutoff * x) * window(x / half);
      sum += kernel[k];
    }
    for (let k = 0; k < kernel.length; k++) kernel[k] /= sum;
    kernels.push(kernel);
  }
  return kernels;
}

/** @param {number} x */
function sinc(x) {
  return Math.abs(x) < 1e-9 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Blackman. @param {number} x from -1 to 1 */
function window(x) {
  if (Math.abs(x) >= 1) return 0;
  return 0.42 + 0.5 * Math.cos(Math.PI * x) + 0.08 * Math.cos(2 * Math.PI * x);
}
