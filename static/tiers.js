/**
 * The quality of speech in words: what serves, what is on its way, what a choice would mean. Pure: reads what GET /api/tiers
 * and the message speech_state say.
 */
import { seconds } from "./sizes.js";
import { size, tierName } from "./words.js";

/**
 * @typedef {{tier: string, model: string, fits: boolean, device: string, delay_seconds: number, is_measured: boolean,
 *   measured: any, stale: string, memory_bytes: number, download_bytes: number, installed: boolean, reason: string}} Tier
 * @typedef {{state: string, reason?: string, progress?: any, serving?: string|null, wanted?: string|null}} Speech
 */

/** So long after the last word a talk is no talk any more. */
const SLOW_SECONDS = 3;

/** What a change has come to, by the two tiers the hub names. @param {Speech} speech */
export function phase({ state, progress, serving, wanted }) {
  if (!wanted) return "unknown";
  if (progress) return "downloading";
  if (state === "starting" || (serving && serving !== wanted)) return "switching";
  if (state === "ready" && serving === wanted) return "serving";
  return "off";
}

/** @param {Tier} tier @param {Speech} speech */
export function markOf({ tier }, speech) {
  if (tier === speech.wanted) return { downloading: "Downloading…", switching: "Starting…", serving: "In use", off: "Not working" }[phase(speech)] ?? "";
  return tier === speech.serving ? "In use for now" : "";
}

/** How it suits this machine. @param {Tier} tier @param {string|undefined} recommended */
export function fitOf({ fits, tier, delay_seconds }, recommended) {
  if (!fits) return { good: false, words: "Does not fit" };
  if (delay_seconds >= SLOW_SECONDS && tier !== recommended) return { good: false, words: "Fits, but is slow" };
  return { good: true, words: tier === recommended ? "Recommended here" : "Fits" };
}

/** Measured is what was measured on this machine, and nothing else. @param {Tier} tier */
export function delayOf({ delay_seconds, is_measured }) {
  return { value: seconds(delay_seconds), how: is_measured ? "measured" : "estimated" };
}

/** @param {Tier} tier */
export function downloadOf({ installed, download_bytes }) {
  return installed ? "Installed" : size(download_bytes);
}

/** Why a tier could not be used when it was wanted last, as a sentence. @param {string} reason */
export function failedOf(reason) {
  return `Could not be used: ${reason.replace(/\.$/, "")}.`;
}

/** What the button does. @param {Tier} tier @param {boolean} isServing @param {boolean} isAsked the user was asked once more */
export function actionOf(tier, isServing, isAsked) {
  const name = tierName(tier.tier);
  if (isServing) return `Keep ${name}`;
  if (!tier.fits) return isAsked ? `Use ${name} anyway` : `Use ${name}…`;
  return tier.installed ? `Use ${name}` : `Download and use ${name}, ${size(tier.download_bytes)}`;
}

/** How far a download is. @param {any} progress */
export function progressOf(progress) {
  const { done_bytes = 0, total_bytes = 0 } = progress ?? {};
  const percent = total_bytes ? Math.floor((100 * done_bytes) / total_bytes) : 0;
  return { percent, words: total_bytes ? `${size(done_bytes)} of ${size(total_bytes)}` : "" };
}

/**
 * What a screen reader is told, a few times in a change: a percentage that counts up would talk without end.
 * @param {Speech} speech @param {string} failure
 */
export function announcement(speech, failure) {
  const title = tierName(speech.wanted);
  if (failure) return failure;
  const quarter = Math.floor(progressOf(speech.progress).percent / 25) * 25;
  return (
    {
      downloading: `Downloading ${title}${quarter ? `, ${quarter} percent` : ""}`,
      switching: `Starting ${title}`,
      serving: `${title} quality is in use`,
      off: `Speech is off. ${speech.reason ?? ""}`,
    }[phase(speech)] ?? ""
  );
}
