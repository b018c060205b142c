/**
 * What the service worker does with pushes and notifications: a part of sw.js, which imports it.
 * What is said comes from the hub, which alone can write a message that this browser reads; it is shown as text.
 */
{
  const ICON = "/static/icons/icon-192.png";

  addEventListener("push", (event) => event.waitUntil(pushed(read(event.data))));
  addEventListener("notificationclick", (event) => event.waitUntil(clicked(event.notification)));
  addEventListener("pushsubscriptionchange", (event) => event.waitUntil(changed(event)));

  const read = (data) => {
    try {
      return data.json() ?? {};
    } catch {
      return {};
    }
  };

  /** A push of which nothing is shown counts against the page in every browser, so one that says nothing is shown, too. */
  const pushed = async ({ type, id, session_id, kind, agent, title, body, words, badge }) => {
    if (Number.isInteger(badge)) await count(badge);
    if (type === "clear") return close(id);
    const options = { body: words || body || "", tag: id, icon: ICON, badge: ICON, data: { id, session_id, kind, agent } };
    return registration.showNotification(title || "ClawMux", options);
  };

  const close = async (id) => {
    for (const notification of await registration.getNotifications({ tag: id })) notification.close();
  };

  const count = (number) => Promise.resolve(number ? navigator.setAppBadge?.(number) : navigator.clearAppBadge?.()).catch(() => {});

  /** To the agent: in a page that is open, or in a new one. */
  const clicked = async (notification) => {
    notification.close();
    const { session_id, agent } = notification.data ?? {};
    const pages = (await clients.matchAll({ type: "window", includeUncontrolled: true })).filter(({ url }) => new URL(url).pathname === "/");
    const page = pages.find(({ focused }) => focused) ?? pages.find(({ visibilityState }) => visibilityState === "visible") ?? pages[0];
    if (!page) return clients.openWindow(agent && session_id ? `/?agent=${encodeURIComponent(agent)}` : "/");
    page.postMessage({ type: "open", session_id });
    return page.focus();
  };

  /** The browser has ended the subscription by itself: the hub is told of the new one by a page, which alone can show who it is. */
  const changed = async ({ oldSubscription, newSubscription }) => {
    const applicationServerKey = oldSubscription?.options?.applicationServerKey;
    if (!newSubscription && applicationServerKey) {
      await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey }).catch(() => {});
    }
    for (const page of await clients.matchAll({ type: "window", includeUncontrolled: true })) page.postMessage({ type: "push_changed" });
  };
}
