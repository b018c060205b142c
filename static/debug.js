/**
 * What somebody wants to see who looks for a fault, as rows of words: pure functions from what the page and the hub know.
 * Nothing that was said, no names of folders and no secrets: it is made to be copied and shown to others.
 */
import { duration, tierName } from "./words.js";

/** The parts of a turn in their order. @type {[string, string][]} */
const PARTS = [["heard_ms", "Pause heard"], ["stt_ms", "Speech to text"], ["agent_ms", "Agent thinks"], ["first_sound_ms", "First sound"]];

/** @param {number} ms */
export function seconds(ms) {
  return ms < 10000 ? `${(ms / 1000).toFixed(2)} s` : duration(ms / 1000);
}

/**
 * From the user's last word to the agent's first sound; `from` and `to` are shares of the whole.
 * @param {any} timing as `turn_timing` tells it
 * @returns {{words: string, ms: number|null, from: number, to: number}[]}
 */
export function waterfall(timing) {
  const total = PARTS.reduce((sum, [name]) => sum + (timing[name] ?? 0), 0) || 1;
  let at = 0;
  return PARTS.map(([name, words]) => {
    const ms = timing[name] ?? null;
    const from = at / total;
    at += ms ?? 0;
    return { words, ms, from, to: at / total };
  });
}

/**
 * @typedef {{link: string, device: string, page: any, hub: any}} Known
 * `page`: how its own parts stand (views/debug.js); `hub`: GET /api/debug, null before it is there
 */

/** @param {Known} known @returns {[string, string][]} */
export function rows({ link, device, page, hub }) {
  return [
    ["Browser to hub", linkWords(link, page, hub)],
    ["Reconnects", String(page.reconnects)],
    ["Device", device],
    ["Microphone", microphoneWords(page)],
    ["Speaker delay", page.latency_ms === null ? "no sound yet" : `${page.latency_ms} ms${page.underruns ? `, ${page.underruns} gaps` : ""}`],
    ...(hub ? hubRows(hub) : []),
  ];
}

/** @returns {string} */
function linkWords(link, { round_trip_ms }, hub) {
  if (link !== "online") return "not connected";
  const lost = hub?.dropped_frames;
  return [round_trip_ms === null ? "connected" : `${round_trip_ms < 10 ? round_trip_ms.toFixed(1) : Math.round(round_trip_ms)} ms`, lost !== undefined && `${lost} dropped frames`].filter(Boolean).join(", ");
}

/** @returns {string} */
function microphoneWords({ microphone, sample_rate }) {
  if (!microphone) return "not open";
  const echo = microphone.echoCancellation ? "echo cancelling on" : "echo cancelling off";
  return `${Math.round((microphone.sampleRate ?? sample_rate ?? 0) / 100) / 10} kHz, ${echo}`;
}

/** @returns {[string, string][]} */
function hubRows({ version, python, system, uptime_seconds, agents, pages, events, speech }) {
  const tier = speech.serving === speech.wanted || !speech.wanted ? tierName(speech.serving) : `${tierName(speech.serving) || "none"}, ${tierName(speech.wanted)} wanted`;
  return [
    ["Speech", [speech.state.replaceAll("_", " "), tier, speech.reason].filter(Boolean).join(", ")],
    ["Hearing", engineWords(speech.hearing)],
    ["Speaking", engineWords(speech.speaking)],
    ["Hub", `up ${duration(uptime_seconds)}, ${count(agents, "agent")}, ${count(pages, "page")}`],
    ["Version", `${version}, Python ${python}, ${system}`],
    ["Entries kept", String(events)],
  ];
}

/** @returns {string} */
function engineWords({ package: name, model, device, precision, state, reason, work }) {
  if (!name && !model) return state || "none";
  const facts = [[name, model].filter(Boolean).join(" "), [device, precision].filter(Boolean).join(" "), state !== "ready" && [state, reason].filter(Boolean).join(": ")];
  if (work) facts.push(`${seconds(work.sound_ms)} in ${seconds(work.took_ms)} (${work.factor.toFixed(2)} of real time)`);
  return facts.filter(Boolean).join(", ");
}

/** @param {number} number @param {string} word */
function count(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

/** All of it, to be copied. @param {Known} known @param {any} timing */
export function asText(known, timing) {
  const parts = timing ? waterfall(timing).map(({ words, ms }) => [words, ms === null ? "-" : seconds(ms)]) : [];
  const lines = [...parts, ...rows(known)].map(([label, value]) => `${label}: ${value}`);
  return ["ClawMux", ...lines, ""].join("\n");
}
