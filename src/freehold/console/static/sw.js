// Keeps the page itself for when there is no network. Knows the files of the shell; refuses to keep anything of /api or
// /v1. The network is asked first, so that a page is never older than its server; the version renews this worker.
"use strict";

(() => {
  const worker = /** @type {any} */ (self);
  const own = { createScriptURL: () => "/version.js" };
  worker.importScripts(worker.trustedTypes?.createPolicy("freehold", own).createScriptURL("") ?? "/version.js");

  const NAME = `freehold-${worker.FREEHOLD_VERSION}`;
  const SHELL = ["/", "/base.css", "/chat.css", "/vendor/preact.mjs", "/app.js", "/icon.svg", "/manifest.webmanifest"];
  const OURS = /^\/(?:$|c\/|share\/|[\w-]+\.(?:js|css|svg|png|webmanifest)$|(?:vendor|i18n|panels|console)\/)/;
  const PATIENCE = 4_000; // milliseconds before what is kept is shown instead

  /** The name under which an answer is kept: all of the page's own routes are one file. @param {URL} url */
  const kept = (url) => (/^\/(?:$|c\/|share\/)/.test(url.pathname) ? "/" : url.pathname);

  worker.addEventListener("install", (/** @type {any} */ event) => {
    event.waitUntil(
      (async () => {
        const cache = await caches.open(NAME);
        await Promise.all(SHELL.map((path) => cache.add(path).catch(() => undefined)));
      })(),
    );
  });

  worker.addEventListener("activate", (/** @type {any} */ event) => {
    event.waitUntil(
      (async () => {
        for (const name of await caches.keys()) if (name.startsWith("freehold-") && name !== NAME) await caches.delete(name);
        await worker.clients.claim();
      })(),
    );
  });

  // A page that offers the new version says so when its reader agrees.
  worker.addEventListener("message", (/** @type {any} */ { data }) => {
    if (data === "renew") void worker.skipWaiting();
  });

  /** @param {Request} request @param {URL} url */
  async function answer(request, url) {
    const cache = await caches.open(NAME);
    const known = await cache.match(kept(url));
    const asked = fetch(request).then((response) => {
      if (response.ok && response.type === "basic" && !response.redirected) void cache.put(kept(url), response.clone());
      return response;
    });
    if (!known) return asked;
    const late = new Promise((resolve) => setTimeout(() => resolve(known), PATIENCE));
    return Promise.race([asked.catch(() => known), late]);
  }

  worker.addEventListener("fetch", (/** @type {any} */ event) => {
    const url = new URL(event.request.url);
    if (event.request.method !== "GET" || url.origin !== worker.location.origin || !OURS.test(url.pathname)) return;
    if (url.pathname === "/sw.js" || url.pathname === "/version.js" || url.pathname === "/vendor/mermaid.min.js") return;
    event.respondWith(answer(event.request, url));
  });
})();
