/** What the service worker does with pushes and notifications: a part of sw.js, which imports it. */
