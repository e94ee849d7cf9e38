// Draws diagrams for the page around this frame. Knows mermaid; has an origin of its own, no network and no storage.
"use strict";

(() => {
  /** @type {any} */
  const mermaid = /** @type {any} */ (window).mermaid;
  const font = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';
  /** @type {boolean | undefined} */
  let darkNow;
  let turn = Promise.resolve();

  /** @param {boolean} dark */
  function dress(dark) {
    if (dark === darkNow) return;
    darkNow = dark;
    mermaid.initialize({
      startOnLoad: false,
      securityLevel: "strict",
      look: "classic",
      theme: dark ? "dark" : "neutral",
      fontFamily: font,
      htmlLabels: false,
      flowchart: { htmlLabels: false },
      suppressErrorRendering: true,
      maxTextSize: 50_000,
      maxEdges: 1_000,
    });
  }

  /** @param {{ id: number, text: string, dark: boolean }} asked */
  async function draw({ id, text, dark }) {
    try {
      dress(dark);
      const { svg } = await mermaid.render(`diagram-${id}`, text);
      const node = new DOMParser().parseFromString(svg, "text/html").querySelector("svg");
      const [, , width = 0, height = 0] = (node?.getAttribute("viewBox") ?? "").split(/[\s,]+/).map(Number);
      node?.setAttribute("width", String(width));
      node?.setAttribute("height", String(height));
      node?.style.removeProperty("max-width");
      const whole = node ? new XMLSerializer().serializeToString(node) : "";
      parent.postMessage({ id, svg: whole, width, height }, "*");
    } catch (e) {
      parent.postMessage({ id, error: e instanceof Error ? e.message : String(e) }, "*");
    }
    document.body.replaceChildren();
  }

  addEventListener("message", ({ source, data }) => {
    if (source === parent) turn = turn.then(() => draw(data));
  });
  parent.postMessage({ ready: true }, "*");
})();
