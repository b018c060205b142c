/** Amounts of memory and time in words. Pure. */

/** As memory is sold, in powers of two: 8 GB have 8 · 2^30 bytes. @param {number} bytes */
export function memory(bytes) {
  const gib = bytes / 2 ** 30;
  return gib >= 0.95 ? `${trim(gib)} GB` : `${Math.max(1, Math.round(bytes / 2 ** 20))} MB`;
}

/** @param {number} value */
export function seconds(value) {
  return `${value < 0.095 ? value.toFixed(2) : trim(value)} s`;
}

/** One decimal below ten, and none that is 0. @param {number} value */
function trim(value) {
  return String(Number(value.toFixed(value < 9.95 ? 1 : 0)));
}
