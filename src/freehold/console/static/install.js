// The page as an application: its worker, a new version that is offered and not forced, and whether there is a network.
// Knows the browser's part of it; what is said to the reader is the page's.
import { trusted } from "/trusted.js";

/** Registers the worker. Without one everything works but for what needs no network.
 * @param {{ renewed?: (renew: () => void) => void, online?: (is: boolean) => void }} tell `renewed`: a new version
 *   waits, and `renew` takes it into use and loads the page anew; `online`: the network went or came */
export async function install({ renewed, online }) {
  addEventListener("online", () => online?.(true));
  addEventListener("offline", () => online?.(false));
  if (!navigator.onLine) online?.(false);
  if (!("serviceWorker" in navigator) || !isSecureContext) return;
  try {
    const registration = await navigator.serviceWorker.register(/** @type {any} */ (trusted("/sw.js")));
    let asked = false;
    const offer = () => {
      const { waiting } = registration;
      if (!waiting || !navigator.serviceWorker.controller) return;
      renewed?.(() => {
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
  } catch {
    // refused, in a private window for one: the page does without
  }
}
