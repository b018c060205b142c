/** What is said over the dock and to screen readers; and requests whose refusal is said there. */
import { ApiError, request } from "./api.js";
import * as store from "./store.js";

const NOTE_MS = 6000;

/** To screen readers only. @param {string} text */
export function say(text) {
  store.spokenStatus.value = text;
}

/** Passing words over the dock. @param {string} text @param {"info"|"warn"|"error"} [level] */
export function tell(text, level = "info") {
  const note = { text, level };
  store.note.value = note;
  say(text);
  setTimeout(() => store.note.value === note && (store.note.value = null), NOTE_MS);
}

/**
 * Ask the hub for something and show its refusal: over the dock, or where the asker says.
 * @param {string} method @param {string} path @param {any} [body] @param {(words: string) => void} [refused]
 */
export async function ask(method, path, body, refused = (words) => tell(words, "error")) {
  try {
    return await request(method, path, body);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) store.link.value = "signed_out";
    refused([error.message, error.remedy].filter(Boolean).join("\n"));
    return null;
  }
}
