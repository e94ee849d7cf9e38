// Moving in: a file of another assistant's export goes up in parts, is read on the server, and a report says of each
// conversation what was kept.

import { html, useEffect, useState } from "/vendor/preact.mjs";
import { call } from "/door.js";
import { date, number, t } from "/i18n.js";
import { Problem, Sure, useItems, Waiting } from "/panels/pieces.js";

const PART = 4 * 1024 * 1024;

/** @param {import("./panels.js").Panel} given */
export default function Imports({ context }) {
  const list = useItems("/api/imports");
  const [sent, setSent] = useState(/** @type {{name: string, done: number, all: number} | null} */ (null));
  const [error, setError] = useState("");
  const [shown, setShown] = useState("");
  const moving = list.items?.some((each) => each.state === "running");
  useEffect(() => {
    if (!moving) return undefined;
    const timer = setInterval(list.load, 1000);
    return () => {
      clearInterval(timer);
      context.changed?.("conversations");
    };
  }, [moving]);

  const bring = async (/** @type {File | undefined} */ file) => {
    if (!file || sent) return;
    setError("");
    try {
      const made = await call("POST", "/api/imports", { name: file.name, bytes: file.size });
      for (let at = 0; at < file.size; at += PART) {
        setSent({ name: file.name, done: at, all: file.size });
        await call("PUT", `/api/imports/${made.id}/data?offset=${at}`, file.slice(at, at + PART));
      }
      await call("POST", `/api/imports/${made.id}/start`);
      setShown(made.id);
    } catch (problem) {
      setError(/** @type {Error} */ (problem).message);
    }
    setSent(null);
    await list.load();
  };
  const onDrop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    bring(event.dataTransfer?.files[0]);
  };
  return html`
    <p class="aside">${t("Bring your conversations along: the export of ChatGPT (the ZIP as it came), Claude, Open WebUI, LibreChat, or another Freehold. Doing it twice makes nothing double.")}</p>
    <div class="drop big" onDragOver=${(/** @type {Event} */ e) => e.preventDefault()} onDrop=${onDrop}>
      <label class="button primary" for="import-file">${t("Choose a file")}</label>
      <input class="visually-hidden" id="import-file" type="file" accept=".zip,.json,application/zip,application/json" disabled=${Boolean(sent)}
        onChange=${(/** @type {any} */ e) => bring(e.target.files[0])} />
      <span>${t("or drop it here")}</span>
    </div>
    ${sent && html`<div role="status"><label for="import-sent">${t("Sending {name}", { name: sent.name })}</label>
      <progress id="import-sent" max=${sent.all} value=${sent.done}></progress></div>`}
    <${Problem} error=${error || list.error} />
    ${!list.items && !list.error && html`<${Waiting} />`}
    <ul class="lines">${list.items?.map((each) => html`<${Import} key=${each.id} item=${each} list=${list} open=${shown === each.id}
      toggle=${() => setShown(shown === each.id ? "" : each.id)} />`)}</ul>`;
}

/** @param {any} given */
function Import({ item, list, open, toggle }) {
  /** @type {Record<string, string>} */
  const states = {
    receiving: t("not whole yet"),
    running: t("being read"),
    done: t("done"),
    failed: t("failed"),
    cancelled: t("stopped"),
  };
  const [report, setReport] = useState(/** @type {any} */ (null));
  const [error, setError] = useState("");
  const there = open && Boolean(item.conversations);
  useEffect(() => {
    if (!there) return undefined;
    let wanted = true;
    setError("");
    call("GET", `/api/imports/${item.id}`).then(
      (whole) => wanted && setReport(whole.report),
      (problem) => wanted && setError(problem.message),
    );
    return () => {
      wanted = false;
    };
  }, [there, item.state]);
  return html`<li class="stacked">
    <div class="row">
      <span><strong dir="auto">${item.name}</strong> <span class=${`badge ${item.state}`}>${states[item.state] ?? item.state}</span>
        <small>${[item.source, date(item.created_at)].filter(Boolean).join(" · ")}</small></span>
      <span class="toolbar">
        ${item.conversations && html`<button type="button" class="button quiet" aria-expanded=${open ? "true" : "false"} onClick=${toggle}>${t("Report")}</button>`}
        <${Sure} label=${item.state === "running" ? t("Stop") : t("Remove from this list")} question=${item.state === "running" ? t("Stop it? What is here stays.") : t("Remove it? The conversations stay.")} act=${() => list.remove(item.id)} />
      </span></div>
    ${item.state === "running" && html`<progress aria-label=${t("Read so far")} max=${item.total || 1} value=${item.total ? item.done : undefined}></progress>
      <small>${t("{n} conversations so far", { n: number(item.done) })}</small>`}
    ${item.error && html`<p class="error">${item.error}</p>`}
    ${there && html`<${Problem} error=${error} />`}
    ${there && !report && !error && html`<${Waiting} />`}
    ${there && report && html`<${Report} report=${report} />`}
  </li>`;
}

/** @param {any} given */
function Report({ report }) {
  /** @type {Record<string, string>} */
  const outcomes = {
    imported: t("new"),
    updated: t("gained messages"),
    unchanged: t("as it was"),
    skipped: t("left out"),
    failed: t("failed"),
  };
  const sums = Object.entries(outcomes).filter(([name]) => report.conversations[name]);
  return html`
    <p>${sums.map(([name, said]) => html`<span class=${`badge ${name}`} key=${name}>${number(report.conversations[name])} ${said}</span> `)}</p>
    <div class="scroll" tabindex="0" role="region" aria-label=${t("Report")}><table class="table">
      <thead><tr><th scope="col">${t("Conversation")}</th><th scope="col">${t("What came of it")}</th><th scope="col">${t("Messages")}</th><th scope="col">${t("Branches")}</th><th scope="col">${t("Kept")}</th><th scope="col">${t("Not kept")}</th></tr></thead>
      <tbody>${report.items.map((/** @type {any} */ each, /** @type {number} */ at) => html`<tr key=${at}>
        <td dir="auto">${each.title}</td><td>${outcomes[each.outcome] ?? each.outcome}</td><td>${number(each.messages)}</td><td>${number(each.branches)}</td>
        <td>${(each.kept ?? []).join(", ")}</td><td>${(each.lost ?? []).join(", ")}</td></tr>`)}</tbody>
    </table></div>
    ${report.items_total > report.items.length && html`<small>${t("The first {n} of {all} are shown.", { n: number(report.items.length), all: number(report.items_total) })}</small>`}`;
}
