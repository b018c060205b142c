/**
 * The service worker: keeps the page's own files, so that it opens at once, and also while the hub cannot be reached.
 * The hub writes two constants in front: BUILD, the hash of all files, and FILES, those that pages load.
 *
 * It answers for two things only. Files below /static/BUILD/ come from what was kept of that very build. The page itself comes
 * from whoever listens at the address, and is the kept one when nobody does. API, socket, and links with a one-time key go past.
 */
/* global BUILD, FILES */

const KEPT_AS = "clawmux-shell-";
const SHELL = KEPT_AS + BUILD;
const START = `/static/${BUILD}/index.html`;
const FILE = /^\/static\/[0-9a-f]{16}\//;
/** The header by which the hub's own page is known. */
const MARK = "ClawMux-Build";
/** After so long the kept page is shown, which looks for the hub by itself. */
const PATIENCE_MS = 3000;
const GOING_MS = 2000;

const ownUrl = { createScriptURL: () => `/static/${BUILD}/sw-push.js` };
importScripts((self.trustedTypes?.createPolicy("clawmux-worker", ownUrl) ?? ownUrl).createScriptURL(""));

addEventListener("install", (event) => event.waitUntil(keep()));
addEventListener("activate", (event) => event.waitUntil(tidy({ ifAvailable: true })));
addEventListener("message", (event) => {
  // A page has come, maybe in place of one whose lock is on its way out.
  if (event.data?.type === "tidy") event.waitUntil(tidy({ signal: AbortSignal.timeout(GOING_MS) }));
});
addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname, hash } = new URL(url);
  if (method !== "GET" || origin !== location.origin) return;
  if (mode !== "navigate" && FILE.test(pathname)) event.respondWith(file(event.request));
  if (mode === "navigate" && pathname === "/" && !hash.includes("k=")) event.respondWith(page(event));
});

/** All or nothing: a build that is not whole serves nobody. */
async function keep() {
  const cache = await caches.open(SHELL);
  await cache.addAll(FILES.map((name) => `/static/${BUILD}/${name}`));
  await self.skipWaiting();
}

/** Open pages hold a lock named like the files they run on: until the last of them is gone these stay. @param {LockOptions} patience */
async function tidy(patience) {
  const { installing, waiting } = self.registration;
  if (installing || waiting) return; // what a newer worker has gathered is not ours to judge; it tidies up when it takes over
  await forget((name) => name !== SHELL, (name) => navigator.locks.request(name, patience, (lock) => lock && caches.delete(name)).catch(() => {}));
}

async function forget(chosen, remove = (name) => caches.delete(name)) {
  const names = (await caches.keys()).filter((name) => name.startsWith(KEPT_AS) && chosen(name));
  await Promise.all(names.map(remove));
}

/** The build stands in the address, so what is found is of the asking page's own build. */
async function file(request) {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

async function page(event) {
  const asked = fetch(event.request).then(judge, () => null);
  event.waitUntil(asked);
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, null));
  const first = await Promise.race([asked, late]);
  if (first && !first.isDown) return first.answer;
  const kept = await caches.match(START, { ignoreVary: true });
  if (!kept) return (await asked)?.answer ?? Response.error();
  event.waitUntil(asked.then((found) => found?.isForeign && reload(event.resultingClientId)));
  return kept;
}

/** Who has answered: the hub, a proxy before a hub that is off, or another program that has the address now. */
async function judge(answer) {
  const isForeign = (answer.ok || answer.status === 404) && !answer.headers.has(MARK);
  if (isForeign) await leave();
  return { answer, isForeign, isDown: answer.status >= 500 };
}

/** ClawMux is not here any more: nothing of it may stand before what is. */
async function leave() {
  await forget(() => true);
  await self.registration.unregister();
}

async function reload(id) {
  const client = await self.clients.get(id);
  await client?.navigate(client.url);
}
