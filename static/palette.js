/** What the palette finds: agents and commands by their words, and what was said in all conversations, which the hub searches. */
import { request } from "./api.js";
import { loadAround } from "./history.js";
import { tell } from "./notes.js";
import * as store from "./store.js";
import { select } from "./talk.js";
import { effect, signal } from "./vendor/ui.js";

const PAGE = 20;
/** A fast typist's keys come 80 ms apart: words are asked for when they stand for a moment. */
const TYPING_MS = 80;
/** One letter stands in every entry. */
const LEAST_CHARACTERS = 2;

/**
 * `excerpt`: what stands before the words, the words, what stands after.
 * @typedef {{n: number, session_id: string, type: string, ts: number, excerpt: [string, string, string]}} Hit
 * @type {{value: {q: string, hits: Hit[], more: boolean, isLoading: boolean, fault: string}}}
 */
export const said = signal(nothing(""));

/** @param {string} q */
function nothing(q) {
  return { q, hits: [], more: false, isLoading: q.length >= LEAST_CHARACTERS, fault: "" };
}

let asked = 0;
let typing = 0;

/** Search for other words. What was found for those before stays in view until then. @param {string} words */
export function look(words) {
  const q = words.trim();
  clearTimeout(typing);
  asked += 1;
  if (q.length < LEAST_CHARACTERS) {
    said.value = nothing(q);
    return;
  }
  said.value = { ...said.value, q, isLoading: true };
  typing = setTimeout(() => fetchHits(nothing(q)), TYPING_MS);
}

export function lookFurther() {
  if (said.value.more && !said.value.isLoading) fetchHits(said.value);
}

/** Nothing is searched for any more. */
export function forget() {
  clearTimeout(typing);
  asked += 1;
  said.value = nothing("");
}

/** @param {typeof said.value} from what is found is added to these hits */
async function fetchHits(from) {
  const mine = ++asked;
  const place = from.hits.length ? { before: String(from.hits.at(-1)?.n) } : {};
  said.value = { ...said.value, isLoading: true };
  try {
    const page = await request("GET", `/api/history?${new URLSearchParams({ q: from.q, limit: String(PAGE), ...place })}`);
    if (mine === asked) said.value = { q: from.q, hits: [...from.hits, ...page.hits], more: page.more, isLoading: false, fault: "" };
  } catch (error) {
    if (mine === asked) said.value = { ...from, isLoading: false, fault: error.message };
  }
}

/** Every word of the question stands in the text. @param {string} q @param {string} text */
export function matches(q, text) {
  const low = text.toLowerCase();
  return q.toLowerCase().split(/\s+/).every((word) => low.includes(word));
}

/** Bring an entry into view in its conversation, with what stands around it. @param {Hit} hit */
export async function jump({ session_id, n }) {
  if (!store.sessionOf(session_id)) return tell("That agent has ended meanwhile", "warn");
  select(session_id);
  if (!holds(session_id, n)) await loadAround(session_id, n);
  if (store.currentId.value !== session_id || !holds(session_id, n)) return undefined;
  const found = { session_id, n };
  store.found.value = found;
  // The mark stays until the reader goes elsewhere.
  const end = effect(() => {
    if (store.found.value === found && store.currentId.value === session_id) return;
    if (store.found.value === found) store.found.value = null;
    queueMicrotask(() => end());
  });
  setTimeout(() => document.getElementById("log")?.focus()); // once it is drawn
  return undefined;
}

/** @param {string} session_id @param {number} n */
function holds(session_id, n) {
  return store.conversation(session_id).value.entries.some((entry) => entry.n === n);
}
