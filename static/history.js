/** Fetches pieces of conversations from the hub, which keeps all that was ever said. What the page holds of one lies in store.js. */
import { request } from "./api.js";
import { moved, readAt, withNewer } from "./excerpt.js";
import { tell } from "./notes.js";
import * as store from "./store.js";

const PAGE = 50;

/** The newest entries, or those before number ``before``. @param {string} session_id @param {number} [before] */
export async function loadHistory(session_id, before) {
  await load(session_id, before ? { before } : {}, (page) => {
    store.addHistory(session_id, page);
    if (page.entries.some(({ type }) => type === "agent_message")) loadStates(session_id);
  });
}

/** Those after the last one that is here. @param {string} session_id */
export async function loadNewer(session_id) {
  const after = store.conversation(session_id).value.entries.at(-1)?.n ?? 0;
  await load(session_id, { after }, (page) => store.changeConversation(session_id, (excerpt) => withNewer(excerpt, page)));
}

/** The piece with the entry of this number in it, in place of what is here. @param {string} session_id @param {number} n */
export async function loadAround(session_id, n) {
  await loadInstead(session_id, { before: n + 1, limit: PAGE / 2 }, async (above) => {
    const below = await ask(session_id, { after: n });
    const entries = [...above.entries, ...below.entries];
    store.changeConversation(session_id, (excerpt) => moved(excerpt, entries, { more: above.more, newer: below.more }));
  });
}

/** The end, in place of what is here. @param {string} session_id */
export async function loadEnd(session_id) {
  await loadInstead(session_id, {}, ({ entries, more }) =>
    store.changeConversation(session_id, (excerpt) => readAt(moved(excerpt, entries, { more, newer: false }), true)),
  );
}

/** @param {string} session_id @param {Record<string, number>} place @param {(page: any) => void} take */
async function load(session_id, place, take) {
  const entry = store.conversation(session_id);
  if (entry.value.loading) return;
  await fetchInto(entry, session_id, place, take);
}

/** @type {Map<string, Promise<void>>} */
const underWay = new Map();

/** After what is under way: nobody may miss it. */
async function loadInstead(session_id, place, take) {
  await underWay.get(session_id);
  await fetchInto(store.conversation(session_id), session_id, place, take);
}

async function fetchInto(entry, session_id, place, take) {
  const done = fetchAndTake(entry, session_id, place, take);
  underWay.set(session_id, done);
  await done;
  if (underWay.get(session_id) === done) underWay.delete(session_id);
}

async function fetchAndTake(entry, session_id, place, take) {
  entry.value = { ...entry.value, loading: true };
  try {
    await take(await ask(session_id, place));
  } catch (error) {
    tell(`The conversation could not be loaded. ${error.message}`, "error");
  }
  if (entry.value.loading) entry.value = { ...entry.value, loading: false };
}

/** @param {string} session_id @param {Record<string, number>} place */
function ask(session_id, place) {
  const query = Object.entries({ session_id, limit: PAGE, ...place }).map(([key, value]) => [key, String(value)]);
  return request("GET", `/api/history?${new URLSearchParams(query)}`);
}

/** How far the newest messages of a conversation have come; how far later ones come is told by the hub. @param {string} session_id */
async function loadStates(session_id) {
  const query = new URLSearchParams({ with: session_id, limit: String(PAGE) });
  try {
    for (const view of (await request("GET", `/api/messages?${query}`)).messages) store.putMessage(view);
  } catch {
    // The lines stand without their state.
  }
}
