// What of the work of one model another could not take, and what probes found. Refuses to work it out: the server does.

import { call } from "../door.js";
import { date, plural, t } from "../i18n.js";
import { Shares } from "./charts.js";
import { count, exact, share } from "./format.js";
import { html, useState } from "./hooks.js";
import { Badge, Empty, Head, Loaded, Table, Trouble } from "./parts.js";
import { go, me, problem, useAddress, useResource, withQuery } from "./place.js";

/** @type {Record<string, "good" | "warn" | "bad" | "">} */
const TONES = { native: "good", adapted: "warn", unknown: "", lost: "bad" };

/** @param {string} fate */
const fateName = (fate) =>
  ({ native: t("as it is"), adapted: t("with a difference"), unknown: t("not known"), lost: t("lost") })[fate] ?? fate;

/** @param {any} row */
const known = (row) =>
  row.at ? html`<a href="/console/ledger/${row.call}">${t("probed on {day}", { day: date(row.at) })}</a>`
    : { declared: t("declared"), dialect: t("by its dialect"), nobody: t("nobody says") }[
      /** @type {string} */ (row.how)] ?? row.how;

export default function Gap() {
  const { query } = useAddress();
  const all = useResource("/api/admin/deployments");
  const a = query.get("a") ?? "";
  const b = query.get("b") ?? "";
  return html`<${Head} title=${t("What would be lost")}
    note=${t("From calls that were recorded: what of the work that one model does another could take over, and what it could not.")} />
    <${Loaded} of=${all}>${(/** @type {any} */ data) => html`<${Choice} data=${data} a=${a} b=${b} />
      ${a && b ? html`<${Found} key="${a} ${b}" a=${a} b=${b} days=${query.get("days") ?? "30"} />`
        : html`<div class="card"><${Empty} title=${t("Choose two")}><p>${t("On the left whoever does the work now: a model, or all of a seller. On the right the model that would take over.")}</p><//></div>`}`}<//>`;
}

/** @param {{ data: any, a: string, b: string }} props */
function Choice({ data, a, b }) {
  const names = data.deployments.map((/** @type {any} */ one) => one.name);
  const parties = (/** @type {string} */ axis) =>
    [...new Set(data.deployments.map((/** @type {any} */ one) => one[axis]).filter(Boolean))].sort();
  const set = (/** @type {Record<string, string>} */ change) => go(withQuery(change), { replace: true });
  const option = (/** @type {string} */ value, label = value) => html`<option key=${value} value=${value}>${label}</option>`;
  const groups = /** @type {[string, string][]} */ ([["seller", t("Seller")], ["maker", t("Maker")], ["host", t("Host")]]);
  return html`<div class="toolbar filters"><div class="field"><label for="gap-a">${t("Does the work now")}</label>
      <select class="select" id="gap-a" value=${a} onChange=${(/** @type {any} */ event) =>
        set({ a: event.currentTarget.value })}><option value="">${t("choose")}</option>
        <optgroup label=${t("Deployment")}>${names.map((/** @type {string} */ name) => option(name))}</optgroup>
        ${groups.map(([axis, label]) => html`<optgroup key=${axis} label=${label}>${parties(axis).map((name) =>
          option(`${axis}:${name}`, String(name)))}</optgroup>`)}</select></div>
    <div class="field"><label for="gap-b">${t("Would take over")}</label><select class="select" id="gap-b" value=${b}
      onChange=${(/** @type {any} */ event) => set({ b: event.currentTarget.value })}>
        <option value="">${t("choose")}</option>${names.map((/** @type {string} */ name) => option(name))}</select></div>
    <div class="field"><label for="gap-days">${t("How far back")}</label><select class="select" id="gap-days"
      value=${new URLSearchParams(location.search).get("days") ?? "30"}
        onChange=${(/** @type {any} */ event) => set({ days: event.currentTarget.value })}>
        ${[7, 30, 90, 365].map((days) => option(String(days), plural(days, "{n} day", "{n} days")))}</select></div></div>`;
}

/** @param {{ a: string, b: string, days: string }} props */
function Found({ a, b, days }) {
  const of = useResource(`/api/admin/gap?${new URLSearchParams({ a, b, days })}`);
  return html`<${Loaded} of=${of}>${(/** @type {any} */ gap) => !gap.calls
    ? html`<div class="card"><${Empty} title=${t("No call was recorded")}><p>${t("Nothing went there in that time. Look further back.")}</p><//></div>`
    : html`<div class="stack"><section class="card"><h2>${plural(gap.calls, "{n} call", "{n} calls")}</h2>
      <${Shares} label=${t("What becomes of them")} what=${t("Calls")} format=${exact}
        parts=${["native", "adapted", "unknown", "lost"].map((fate) =>
          ({ name: fateName(fate), value: Math.round(gap.fates[fate] * gap.calls) }))} />
      <p class="faint">${plural(gap.sets, "{n} different set of features is in use.",
        "{n} different sets of features are in use.")} ${gap.unrecorded
          ? t("{n} of the calls are older than the record of features: they count as using none.",
            { n: exact(gap.unrecorded) }) : ""}</p></section>
      <${Table} label=${t("Features in use")} columns=${columns()} rows=${gap.causes}
        keyOf=${(/** @type {any} */ row) => `${row.feature} ${row.fate} ${row.why}`}
        empty=${html`<div class="card"><${Empty} title=${t("Nothing special is in use")}><p>${t("These calls use nothing that a model might not be able to do.")}</p><//></div>`} />
      <${Probes} name=${b} again=${of.reload} /></div>`}<//>`;
}

/** @returns {import("./parts.js").Column[]} */
function columns() {
  return [
    { name: "feature", label: t("Feature"), main: true, cell: (row) => html`<code>${row.feature}</code>` },
    { name: "fate", label: t("What becomes of it"), cell: (row) => html`<${Badge}
      tone=${TONES[row.fate]}>${fateName(row.fate)}<//>` },
    { name: "share", label: t("Share of calls"), numeric: true, sort: (row) => row.share,
      cell: (row) => html`<span title=${exact(row.calls)}>${share(row.share)}</span>` },
    { name: "tokens", label: t("Tokens"), numeric: true, sort: (row) => row.tokens, cell: (row) => count(row.tokens) },
    { name: "functions", label: t("Functions"), cell: (row) => row.functions.join(", ") },
    { name: "why", label: t("Why"), cell: (row) => row.why },
    { name: "how", label: t("Known from"), cell: known },
  ];
}

/** @param {{ name: string, again: () => Promise<void> }} props */
function Probes({ name, again }) {
  const path = `/api/admin/deployments/${encodeURIComponent(name)}/probes`;
  const of = useResource(path);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const [silent, setSilent] = useState(/** @type {any[]} */ ([]));
  const ask = async () => {
    setBusy(true);
    setError(null);
    try {
      setSilent((await call("POST", path, { only: [] })).silent);
      await Promise.all([of.reload(), again()]);
    } catch (reason) {
      setError(problem(reason));
    }
    setBusy(false);
  };
  const said = /** @type {Record<string, string>} */ ({ yes: t("yes"), no: t("no"), ignored: t("taken, not honoured") });
  return html`<section class="card stack"><div class="toolbar"><h2>${t("What {name} was found to do", { name })}</h2>
      ${me.changes && html`<button type="button" class="button" disabled=${busy} onClick=${ask}>
        ${busy && html`<span class="spinner"></span>`}${t("Ask it now")}</button>`}</div>
    <p class="faint">${t("Small calls on record, billed as any. What they find is dated, and goes before what is declared.")}</p>
    ${error && html`<${Trouble} error=${error} />`}
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<${Table} label=${t("Probes")} rows=${[...data.probes, ...silent]}
      keyOf=${(/** @type {any} */ row) => row.capability}
      empty=${html`<p>${t("No probe was made yet.")}</p>`} columns=${[
        { name: "capability", label: t("Capability"), main: true,
          cell: (/** @type {any} */ row) => html`<code>${row.capability}</code>` },
        { name: "what", label: t("Asked whether it"), cell: (/** @type {any} */ row) => row.what },
        { name: "found", label: t("Found"), cell: (/** @type {any} */ row) => html`<${Badge}
          tone=${row.found === "yes" ? "good" : row.found ? "bad" : ""}>${said[row.found] ?? t("said nothing")}<//>` },
        { name: "detail", label: t("Why"), cell: (/** @type {any} */ row) => row.detail || row.message || "" },
        { name: "at", label: t("When"), cell: (/** @type {any} */ row) => row.at
          ? html`<a href="/console/ledger/${row.call}">${date(row.at)}</a>` : "" },
      ]} />`}<//></section>`;
}
