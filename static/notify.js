/**
 * What tells the user of an agent that needs them while they look elsewhere: sounds, notifications, push, and the number on the
 * app's icon. Fetched when the first agent calls, or when this device is to notify.
 *
 * The hub decides who is told of what, and when (core/attention.py); here it is only shown, and the browser asked for it.
 */
import { request } from "./api.js";
import { clientId, loadNotify, saveNotify } from "./device.js";
import { closeSettings } from "./route.js";
import * as store from "./store.js";
import { select, sound } from "./talk.js";
import { effect, signal } from "./vendor/ui.js";
import { isBlocked } from "./words.js";

/** What a dialog is about, by the need whose sound it has. @type {Record<string, string>} */
const NEED_OF = { trust: "permission" };
const ICON = "/static/icons/icon-192.png";

/** @type {{value: import("./device.js").Wishes}} */
export const wishes = signal(loadNotify());
/**
 * How notifications stand here. `way`: push, page (only while one is open), or why none can be; `fault`: why there is no push.
 * @type {{value: {way: "push"|"page"|"off"|"insecure"|"homescreen"|"denied"|"missing", fault: string}}}
 */
export const standing = signal({ way: way(), fault: "" });
/** Those of pages without a service worker. @type {Map<string, Notification>} */
const shown = new Map();

function way() {
  if (!globalThis.isSecureContext) return "insecure";
  const isApple = /iPhone|iPad/.test(navigator.userAgent) || (/Mac OS X/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);
  if (!("Notification" in globalThis)) return isApple ? "homescreen" : "missing";
  if (Notification.permission === "denied") return "denied";
  return wishes.peek().on && Notification.permission === "granted" ? "page" : "off";
}

async function worker() {
  return (await navigator.serviceWorker?.getRegistration("/").catch(() => undefined)) ?? null;
}

// -- what the hub tells --

/** An agent calls, and its conversation is not in view. One device has the sound. @param {{session_id: string, kind: string}} message */
export function called({ kind }) {
  const need = NEED_OF[kind] ?? kind;
  if (store.owner.peek().client === clientId && wishes.peek().kinds.includes(need)) sound.cue(/** @type {any} */ (need));
}

/** @param {{id: string, session_id: string, kind: string, agent: string, title: string, body: string, words: string}} message */
export async function show({ id, session_id, kind, agent, title, body, words }) {
  const { on, kinds, words: withWords } = wishes.peek();
  const isWanted = kind === "test" || (kinds.includes(kind) && document.visibilityState === "hidden");
  if (!on || !isWanted || globalThis.Notification?.permission !== "granted") return;
  const options = { body: (withWords && words) || body, tag: id, icon: ICON, data: { id, session_id, kind, agent } };
  const registration = await worker();
  // Browsers of phones take them from a service worker only.
  if (registration?.active) return registration.showNotification(title, options);
  try {
    const notification = new Notification(title, options);
    shown.set(id, notification);
    notification.onclose = () => shown.delete(id);
    notification.onclick = () => {
      globalThis.focus();
      open(session_id);
      notification.close();
    };
  } catch {
    // A phone without a service worker.
  }
}

/** @param {string} id */
export async function close(id) {
  shown.get(id)?.close();
  for (const notification of await ofWorker()) if (notification.tag === id) notification.close();
}

/** @returns {Promise<Notification[]>} */
async function ofWorker() {
  return (await (await worker())?.getNotifications?.()) ?? [];
}

/** What was met, or is seen now, while no message could come that says so. */
async function tidy() {
  if (store.link.peek() !== "online") return;
  for (const notification of await ofWorker()) {
    const { session_id } = notification.data ?? {};
    const session = session_id && store.sessionOf(session_id);
    const isSeen = session_id === store.currentId.peek() && store.visible.peek();
    if (session_id && (!session || isSeen || (!isBlocked(session) && notification.data.kind !== "done"))) notification.close();
  }
}

/** @param {string} session_id */
function open(session_id) {
  if (!store.sessionOf(session_id)) return;
  closeSettings();
  select(session_id);
}

// -- what the user wishes --

/** Asks for the permission, so a press of the user's must have led here. */
export async function switchOn() {
  const permission = await Notification.requestPermission();
  if (permission === "granted") keep({ ...wishes.value, on: true });
  standing.value = { way: way(), fault: "" };
  if (permission === "granted") await subscribe();
}

export async function switchOff() {
  keep({ ...wishes.value, on: false });
  standing.value = { way: way(), fault: "" };
  const subscription = await (await worker())?.pushManager?.getSubscription();
  await subscription?.unsubscribe().catch(() => {});
  await request("DELETE", "/api/push", {}).catch(() => {}); // the push service tells the hub that it is gone
}

/** @param {Partial<import("./device.js").Wishes>} changed */
export async function change(changed) {
  keep({ ...wishes.value, ...changed });
  if (wishes.value.on) await subscribe();
}

export function tryOut() {
  return request("POST", "/api/push/test", {});
}

/** @param {import("./device.js").Wishes} now */
function keep(now) {
  wishes.value = now;
  saveNotify(now);
}

/** Tell the hub where and of what to tell this device; where there is no push, pages do it while they are open. */
async function subscribe() {
  if (standing.value.way !== "page" && standing.value.way !== "push") return;
  const registration = await worker();
  if (!registration?.pushManager) return;
  try {
    const { key } = await request("GET", "/api/push");
    const { endpoint, keys } = (await subscriptionFor(registration.pushManager, key)).toJSON();
    const { kinds, words } = wishes.value;
    await request("POST", "/api/push", { endpoint, p256dh: keys?.p256dh, auth: keys?.auth, kinds, words });
    standing.value = { way: "push", fault: "" };
  } catch (error) {
    standing.value = { way: "page", fault: error instanceof Error ? error.message : "" };
  }
}

/** With the hub's key: one that was made with another key, of a hub that was here before, is replaced. @param {PushManager} manager @param {string} key */
async function subscriptionFor(manager, key) {
  const known = await manager.getSubscription();
  const its = known?.options?.applicationServerKey;
  if (known && (!its || encoded(its) === key)) return known;
  await known?.unsubscribe();
  return manager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

/** @param {ArrayBuffer} bytes */
function encoded(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

navigator.serviceWorker?.addEventListener("message", ({ data }) => {
  if (data?.type === "open") open(data.session_id);
  if (data?.type === "push_changed" && wishes.peek().on) void subscribe();
});
navigator.serviceWorker?.startMessages();

effect(() => {
  const count = store.callingAgents.value.length;
  const done = /** @type {any} */ (count ? navigator.setAppBadge?.(count) : navigator.clearAppBadge?.());
  done?.catch?.(() => {}); // not installed
});
let isTold = false;
effect(() => {
  void [store.visible.value, store.currentId.value, store.sessions.value];
  if (store.link.value !== "online") return;
  void tidy();
  if (!isTold && wishes.peek().on) {
    isTold = true;
    void subscribe(); // it may have changed while no page was open, and so may this browser's login
  }
});
