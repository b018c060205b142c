/**
 * The REST half of the hub: signing in, and requests that carry the cookie and the CSRF token.
 * The token lives in this module's memory only.
 */

let csrf = "";

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
  const headers = { Accept: "application/json" };
  if (method !== "GET") Object.assign(headers, { "Content-Type": "application/json", "X-CSRF-Token": csrf });
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

/**
 * Trades the one-time key of the address for a session, or finds the session there is.
 * The key leaves the address at once, so that it stays out of history and screenshots.
 * @returns {Promise<"in"|"out"|"unreachable">}
 */
export async function signIn() {
  const key = new URLSearchParams(location.hash.slice(1)).get("k");
  if (key !== null) history.replaceState(null, "", location.pathname + location.search);
  try {
    if (key && (await tries(() => request("POST", "/api/login", { key })))) return "in";
    return (await tries(() => request("GET", "/api/session"))) ? "in" : "out";
  } catch {
    return "unreachable";
  }
}

/** @param {() => Promise<{csrf?: string}>} ask */
async function tries(ask) {
  try {
    csrf = (await ask()).csrf ?? csrf;
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status < 500) return false;
    throw error;
  }
}
