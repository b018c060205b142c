/** The search in a conversation: where its words stand, and which of these places is shown. Fetched when somebody searches. */
import { request } from "./api.js";
import { readAt } from "./excerpt.js";
import { loadAround } from "./history.js";
import * as store from "./store.js";
import { signal } from "./vendor/ui.js";

const PAGE = 200;
const TYPING_MS = 150;

/** `at`: which of the hits is shown, the newest being 0. @type {{value: {q: string, hits: {n: number}[], more: boolean, at: number, isLoading: boolean, fault: string}}} */
export const search = signal(begin(""));

let asked = 0;
let typing = 0;

/** @param {string} q */
function begin(q) {
  return { q, hits: [], more: false, at: 0, isLoading: Boolean(q), fault: "" };
}

/** @param {string} session_id @param {string} q */
export function look(session_id, q) {
  search.value = { ...search.value, q };
  clearTimeout(typing);
  typing = setTimeout(() => fetchHits(session_id, begin(q.trim())), TYPING_MS);
}

/** Nothing is searched for any more. */
export function forget() {
  clearTimeout(typing);
  asked += 1;
  search.value = begin("");
  store.found.value = null;
}

/** @param {string} session_id @param {ReturnType<typeof begin>} from what is found is added to these hits */
async function fetchHits(session_id, from) {
  const mine = ++asked;
  if (!from.q) {
    search.value = { ...from, q: search.value.q };
    store.found.value = null;
    return;
  }
  const place = from.hits.length ? { before: String(from.hits.at(-1)?.n) } : {};
  search.value = { ...search.value, isLoading: true };
  try {
    const page = await request("GET", `/api/history?${new URLSearchParams({ session_id, q: from.q, limit: String(PAGE), ...place })}`);
    if (mine !== asked) return; // other words were typed meanwhile
    const hits = [...from.hits, ...page.hits];
    search.value = { ...search.value, hits, more: page.more, at: from.hits.length, isLoading: false, fault: "" };
    await show(session_id);
  } catch (error) {
    if (mine === asked) search.value = { ...search.value, isLoading: false, fault: error.message };
  }
}

/** One earlier (+1) or one later (-1). @param {string} session_id @param {number} by */
export async function step(session_id, by) {
  const { q, hits, more, at, isLoading } = search.value;
  const to = at + by;
  if (isLoading || to < 0) return;
  if (to < hits.length) {
    search.value = { ...search.value, at: to };
    await show(session_id);
  } else if (more) await fetchHits(session_id, { ...search.value, q: q.trim() });
}

/** @param {string} session_id */
async function show(session_id) {
  const { hits, at } = search.value;
  const n = hits[at]?.n;
  if (n === undefined) {
    store.found.value = null;
    return;
  }
  if (!store.conversation(session_id).value.entries.some((entry) => entry.n === n)) await loadAround(session_id, n);
  // The end is not kept in view any more, whatever grows.
  store.changeConversation(session_id, (excerpt) => readAt(excerpt, false));
  store.found.value = { session_id, n };
}
