// Tools that a conversation may use: what stands behind each, and whether it is asked before each use.

import { html, useState } from "/vendor/preact.mjs";
import { call } from "/door.js";
import { t } from "/i18n.js";
import { Problem, useItems, Waiting } from "/panels/pieces.js";

/** @param {import("./panels.js").Panel} given */
export default function Tools({ context }) {
  const list = useItems("/api/tools");
  return html`
    <p class="aside">${t("A model may ask to use a tool. Nothing is sent to one before you have allowed it, once or for always. Choose which tools a conversation has beside the message box.")}</p>
    <${Problem} error=${list.error} />
    ${!list.items && !list.error && html`<${Waiting} />`}
    ${list.items && !list.items.length && html`<p class="empty">${t("No tools are set up. Whoever runs this server adds MCP servers to freehold.toml, under [tools.NAME].")}</p>`}
    ${list.items?.map((server) => html`<${Server} key=${server.name} server=${server} list=${list} context=${context} />`)}`;
}

/** @param {any} given */
function Server({ server, list }) {
  /** @type {Record<string, string>} */
  const states = { ready: t("ready"), connecting: t("connecting"), failed: t("not reachable") };
  return html`<section class="card">
    <h3><bdi>${server.kind === "built-in" && server.name === "memory" ? t("Memory") : server.title || server.name}</bdi> <span class=${`badge ${server.state}`}>${states[server.state] ?? server.state}</span></h3>
    ${server.error && html`<p class="error">${server.error}</p>`}
    <ul class="lines">${server.tools.map((/** @type {any} */ tool) => html`<${Tool} key=${tool.name} server=${server.name} tool=${tool} list=${list} />`)}</ul>
  </section>`;
}

/** @param {any} given */
function Tool({ server, tool, list }) {
  const [open, setOpen] = useState(false);
  const id = `tool-${server}-${tool.name}`;
  const allow = (/** @type {any} */ event) =>
    list.change(() => call("PUT", `/api/tools/${encodeURIComponent(server)}/${encodeURIComponent(tool.name)}`, { allow: event.target.value }));
  return html`<li>
    <span><label for=${id}><code>${tool.name}</code></label> <small class=${open ? "" : "clip"} dir="auto">${tool.description}</small>
      ${tool.description?.length > 90 && html`<button type="button" class="button quiet" aria-expanded=${open ? "true" : "false"} onClick=${() => setOpen(!open)}>${open ? t("less") : t("more")}</button>`}
    </span>
    <select class="select" id=${id} value=${tool.allow} disabled=${tool.fixed} onChange=${allow}>
      <option value="ask">${t("ask each time")}</option>
      <option value="always">${t("always allow")}</option>
      <option value="never">${t("never")}</option>
    </select></li>`;
}
