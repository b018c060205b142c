/**
 * What keeps the page on this device, fetched after the page itself: registers the service worker, and looks whether the hub
 * has a newer page than this one. Browsers have workers on secure pages only; elsewhere the page comes from the hub each time.
 */
import * as store from "./store.js";
import { effect } from "./vendor/ui.js";

/** The build of this page's own files, by their address. */
const [, OWN = ""] = /^\/static\/([0-9a-f]{16})\//.exec(new URL(import.meta.url).pathname) ?? [];
const TRIED_AS = "clawmux.build";
/** While people talk nothing is offered. */
const TALKING = new Set(["arming", "listening", "sending", "speaking", "paused"]);

/** Our one script address; the page's policy lets no other become a worker. */
const workerUrl = { createScriptURL: () => "/sw.js" };
const policy = globalThis.trustedTypes?.createPolicy("clawmux-worker", workerUrl) ?? workerUrl;
/** A refusal (private windows, storage that is full) costs nothing but the offline view. @type {Promise<ServiceWorkerRegistration|undefined>} */
const registered = Promise.resolve(
  navigator.serviceWorker?.register(/** @type {any} */ (policy.createScriptURL("")), { scope: "/", updateViaCache: "none" }).catch(() => undefined),
);

// What this page fetches later is to be of its own build, so its files stay as long as it is open; those of pages that are gone go.
if (OWN) navigator.locks?.request(`clawmux-shell-${OWN}`, { mode: "shared" }, () => new Promise(() => {}));
const tidy = () => registered.then((registration) => registration?.active?.postMessage({ type: "tidy" }));
tidy();
navigator.serviceWorker?.addEventListener("controllerchange", tidy);

/** The build for which this tab was loaded anew by itself: not twice, should it not come. @param {string} [build] */
function tried(build) {
  try {
    if (build) sessionStorage.setItem(TRIED_AS, build);
    return sessionStorage.getItem(TRIED_AS);
  } catch {
    return store.build.value; // nothing is kept here, so nothing would end the trying
  }
}

/** A page that nobody has touched since it was loaded holds no words, no open dialog and no sound that would be lost. */
function isUntouched() {
  return navigator.userActivation?.hasBeenActive === false;
}

let refused = "";
let offered = "";
let fetched = "";

/** @param {string} build */
function offer(build) {
  const close = () => {
    refused = build;
    withdraw();
  };
  if (offered === build) return;
  offered = build;
  const text = "ClawMux was updated. This page is of the version before.";
  const rest = store.offers.peek().filter(({ id }) => id !== "updated");
  store.offers.value = [...rest, { id: "updated", icon: "refresh-cw", text, words: "Reload", act: () => location.reload(), close }];
}

function withdraw() {
  if (!offered) return;
  offered = "";
  store.offers.value = store.offers.peek().filter(({ id }) => id !== "updated");
}

effect(() => {
  const build = store.build.value;
  const isTalking = TALKING.has(store.voice.value.mode);
  if (!build || build === OWN || build === refused || isTalking) return withdraw();
  if (fetched !== build) registered.then((registration) => registration?.update()).catch(() => {});
  fetched = build;
  if (!isUntouched() || tried() === build) return offer(build);
  tried(build);
  return location.reload();
});
