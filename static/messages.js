/**
 * The log of messages between agents: which of them are listed, newest first, and the steps of the one that is open.
 * How far each has come lies in store.js, where the hub's words change it.
 */
import { request } from "./api.js";
import * as store from "./store.js";
import { effect, signal, untracked } from "./vendor/ui.js";

const PAGE = 50;
/** More than anybody scrolls through: what is older is found by searching. */
const LISTED_MAX = 500;
/** With the hub's own time (some 20 ms with ten thousand messages) an answer is there within the fifth of a second that feels like at once. */
const TYPING_MS = 120;

/** `q`: words searched for; `with`: id of one side, empty for all. */
export const wish = signal({ q: "", with: "" });
export const list = signal({ ids: [], more: false, isLoading: false, isLoaded: false, fault: "" });
/** What is being written, and to whom: `all` or an id; empty: whoever is listed. */
export const draft = signal({ to: "", text: "", isSending: false, fault: "" });
/** What went to everybody at once and is unfolded. @type {{value: string}} */
export const openBatch = signal("");
/** The open message and its way so far. @type {{value: {id: string, steps: any[]|null, fault: string}|null}} */
export const open = signal(null);

let asked = 0;
let typing = 0;

/** Ask anew for what is wished; what stands stays until the answer is there. */
export async function load() {
  await fetchPage({}, ({ messages, more }) => ({ ids: messages.map(({ id }) => id), more }));
}

export async function loadEarlier() {
  const { ids, isLoading } = list.value;
  if (isLoading || !ids.length) return;
  await fetchPage({ before: ids.at(-1) }, ({ messages, more }) => {
    const joined = [...new Set([...ids, ...messages.map(({ id }) => id)])];
    return { ids: joined.slice(0, LISTED_MAX), more: more && joined.length < LISTED_MAX };
  });
}

/** @param {Record<string, string>} place @param {(page: any) => {ids: string[], more: boolean}} take */
async function fetchPage(place, take) {
  const mine = ++asked;
  const words = Object.entries({ ...wish.value, ...place, limit: String(PAGE) }).filter(([, value]) => value);
  list.value = { ...list.value, isLoading: true };
  try {
    const page = await request("GET", `/api/messages?${new URLSearchParams(words)}`);
    if (mine !== asked) return; // another wish came meanwhile
    page.messages.forEach(store.putMessage);
    list.value = { ...take(page), isLoading: false, isLoaded: true, fault: "" };
  } catch (error) {
    if (mine === asked) list.value = { ...list.value, isLoading: false, fault: error.message };
  }
}

/** @param {Partial<{q: string, with: string}>} change */
export function search(change) {
  wish.value = { ...wish.value, ...change };
  clearTimeout(typing);
  typing = setTimeout(load, "q" in change ? TYPING_MS : 0);
}

/** @param {string} id */
export async function show(id) {
  open.value = { id, steps: null, fault: "" };
  await loadSteps(id);
  const batch = store.messageOf(id).value?.batch;
  if (batch) openBatch.value = batch;
}

export function hide() {
  open.value = null;
}

/** @param {string} id */
async function loadSteps(id) {
  try {
    const { steps, ...view } = await request("GET", `/api/messages/${encodeURIComponent(id)}`);
    store.putMessage(view);
    if (open.value?.id === id) open.value = { id, steps, fault: "" };
  } catch (error) {
    if (open.value?.id === id) open.value = { ...open.value, fault: error.message };
  }
}

/**
 * What went to everybody is one row, where its newest stands; among those of one agent it is a message like the others.
 * @param {string[]} ids @returns {{key: string, ids: string[]}[]}
 */
export function rowsOf(ids) {
  /** @type {Map<string, {key: string, ids: string[]}>} */
  const rows = new Map();
  const isOfOne = !["", "user"].includes(wish.value.with);
  for (const id of ids) {
    const key = (!isOfOne && store.messageOf(id).peek()?.batch) || id; // that never changes
    const row = rows.get(key);
    if (row) row.ids.push(id);
    else rows.set(key, { key, ids: [id] });
  }
  return [...rows.values()];
}

/** Send what is written. The hub tells of it like of every message. @param {string} to `all` or an id */
export async function sendDraft(to) {
  const text = draft.value.text.trim();
  if (!text || draft.value.isSending) return;
  draft.value = { ...draft.value, isSending: true, fault: "" };
  try {
    await request("POST", "/api/messages", { to: [to], text });
    draft.value = { ...draft.value, text: "", isSending: false };
  } catch (error) {
    draft.value = { ...draft.value, isSending: false, fault: [error.message, error.remedy].filter(Boolean).join(" ") };
  }
}

/** Taken back before the agent has it. @param {string} id */
export async function cancel(id) {
  try {
    await request("POST", `/api/messages/${encodeURIComponent(id)}/cancel`, {});
  } catch (error) {
    if (open.value?.id === id) open.value = { ...open.value, fault: [error.message, error.remedy].filter(Boolean).join(" ") };
  }
}

/** While the log is seen it follows what the hub says. Returns what ends that. */
export function follow() {
  const unheard = effect(() => {
    const view = store.heardOf.value;
    untracked(() => view && take(view));
  });
  const unlinked = effect(() => {
    const isOnline = store.link.value === "online";
    untracked(() => isOnline && load());
  });
  return () => {
    unheard();
    unlinked();
  };
}

/** @param {any} view */
function take(view) {
  if (open.value?.id === view.id) loadSteps(view.id);
  const { ids, isLoaded } = list.value;
  if (!isLoaded || ids.includes(view.id) || !isWished(view)) return;
  const isNewest = view.created >= (store.messageOf(ids[0] ?? "").value?.created ?? 0);
  if (isNewest) list.value = { ...list.value, ids: [view.id, ...ids].slice(0, LISTED_MAX), more: list.value.more || ids.length >= LISTED_MAX };
}

/** @param {any} view */
function isWished({ id, from, to, text, reply }) {
  const { q, with: side } = wish.value;
  const words = q.trim().toLowerCase();
  if (side && side !== from && side !== to) return false;
  return id === words || [text, reply].some((said) => said?.toLowerCase().includes(words));
}
