/**
 * What keeps the page on this device, fetched after the page itself: registers the service worker.
 * Browsers have one on secure pages only; elsewhere the page comes from the hub each time.
 */

/** Our one script address; the page's policy lets no other become a worker. */
const workerUrl = { createScriptURL: () => "/sw.js" };
const policy = globalThis.trustedTypes?.createPolicy("clawmux-worker", workerUrl) ?? workerUrl;

/** @type {Promise<ServiceWorkerRegistration|undefined>} */
const registered = Promise.resolve(
  // A refusal (private windows, storage that is full) costs nothing but the offline view.
  navigator.serviceWorker?.register(/** @type {any} */ (policy.createScriptURL("")), { scope: "/", updateViaCache: "none" }).catch(() => undefined),
);
