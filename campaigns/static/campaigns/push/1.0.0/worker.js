/* Candor's part of a shop's service worker: shows push messages and opens where they lead. */
self.addEventListener("push", (event) => {
  let told = {};
  try {
    told = event.data ? event.data.json() : {};
  } catch {
    return;
  }
  if (!told.title) return;
  event.waitUntil(self.registration.showNotification(told.title, {
    body: told.body || "",
    image: told.image || undefined,
    lang: told.lang || "",
    tag: told.tag,
    data: { url: told.url },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = event.notification.data && event.notification.data.url;
  if (url) event.waitUntil(self.clients.openWindow(url));
});
