// The page as an application: its worker, a new version that is offered and not forced.
// Knows the browser's part of it; what is said to the reader is the page's.
import { trusted } from "/trusted.js";

const HOURLY = 3_600_000; // milliseconds between two looks for a new version, in a page that stays open

/** Makes the page installable and registers its worker. Without one everything works but for what needs no network.
 * @param {(renew: () => void) => void} renewed called when a new version waits; `renew` takes it into use and loads
 *   the page anew */
export async function install(renewed) {
  const manifest = document.createElement("link");
  manifest.rel = "manifest";
  manifest.href = "/manifest.webmanifest";
  const touch = document.createElement("link");
  touch.rel = "apple-touch-icon";
  touch.href = "/icon-192.png";
  document.head.append(manifest, touch);
  if (!("serviceWorker" in navigator) || !isSecureContext) return;
  try {
    const registration = await navigator.serviceWorker.register(/** @type {any} */ (trusted("/sw.js")));
    let asked = false;
    const offer = () => {
      const { waiting } = registration;
      if (!waiting || !navigator.serviceWorker.controller) return;
      renewed(() => {
        asked = true;
        waiting.postMessage("renew");
      });
    };
    navigator.serviceWorker.addEventListener("controllerchange", () => {
      if (asked) location.reload();
    });
    registration.addEventListener("updatefound", () => {
      registration.installing?.addEventListener("statechange", offer);
    });
    offer();
    let looked = Date.now();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden || Date.now() - looked < HOURLY) return;
      looked = Date.now();
      registration.update().catch(() => undefined);
    });
  } catch {
    // refused, in a private window for one: the page does without
  }
}
