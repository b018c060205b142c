/**
 * The REST half of the hub: signing in, and requests that carry the cookie and the CSRF value.
 * A cookie goes to every port of its host name, so it opens nothing alone; the CSRF value is kept where only this origin,
 * with its port, can read it.
 */
import { deviceName } from "./device.js";

const KEPT_AS = "clawmux.csrf";
/** For browsers that keep nothing. */
let csrf = "";

function shownCsrf() {
  try {
    return localStorage.getItem(KEPT_AS) ?? csrf;
  } catch {
    return csrf;
  }
}

function keepCsrf(/** @type {string} */ value) {
  csrf = value;
  try {
    localStorage.setItem(KEPT_AS, value);
  } catch {
    // A reload will ask for `clawmux open` again.
  }
}

/** What a WebSocket says instead of headers, which the browser lets no page set. */
export function socketProtocols() {
  return ["clawmux", `csrf.${shownCsrf()}`];
}

/** What the hub answered instead of the thing that was asked for. */
export class ApiError extends Error {
  /** @param {number} status @param {{code?: string, text?: string, remedy?: string}} error */
  constructor(status, error) {
    super(error.text ?? `The hub answered ${status}.`);
    this.status = status;
    this.code = error.code ?? "internal";
    this.remedy = error.remedy ?? "";
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {any} [body]
 * @returns {Promise<any>}
 */
export async function request(method, path, body) {
  const headers = { Accept: "application/json", "X-CSRF-Token": shownCsrf() };
  if (method !== "GET") Object.assign(headers, { "Content-Type": "application/json" });
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    signal: AbortSignal.timeout(30000),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, answer);
  return answer;
}

/** So long a file may take: a conversation of years, over a slow link. */
const FILE_MS = 120000;

/** A file, under the name that the hub gives it. @param {string} path @returns {Promise<{name: string, body: Blob}>} */
export async function fetchFile(path) {
  const headers = { "X-CSRF-Token": shownCsrf() };
  const response = await fetch(path, { headers, credentials: "same-origin", signal: AbortSignal.timeout(FILE_MS) });
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({})));
  const [, name = "clawmux"] = /filename="([\w.-]+)"/.exec(response.headers.get("Content-Disposition") ?? "") ?? [];
  return { name, body: await response.blob() };
}

/**
 * Trades the one-time key of the address for a session, or finds the session there is.
 * The key leaves the address at once, so that it stays out of history and screenshots.
 * @returns {Promise<"in"|"out"|"unreachable">}
 */
export async function signIn() {
  const key = new URLSearchParams(location.hash.slice(1)).get("k");
  if (key !== null) history.replaceState(null, "", location.pathname + location.search);
  try {
    if (key && (await tries(() => redeem(key)))) return "in";
    return (await tries(() => request("GET", "/api/session"))) ? "in" : "out";
  } catch {
    return "unreachable";
  }
}

/** A link's key, or a code however it was typed. @param {string} key */
function redeem(key) {
  return request("POST", "/api/login", { key, device: deviceName() });
}

/** Lets this browser in by a code; answers why not, or nothing. @param {string} code */
export async function pair(code) {
  try {
    keepCsrf((await redeem(code)).csrf ?? "");
    return "";
  } catch (error) {
    return error instanceof ApiError ? [error.message, error.remedy].filter(Boolean).join("\n") : "The hub does not answer.";
  }
}

/** @param {() => Promise<{csrf?: string}>} ask */
async function tries(ask) {
  try {
    keepCsrf((await ask()).csrf ?? shownCsrf());
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status < 500) return false;
    throw error;
  }
}
