// What finance and a regulator take: cost and use in the columns of FOCUS, and templates of the DORA register with the
// origin of every cell. Refuses to reckon, and to say that a register complies.

import { t } from "../i18n.js";
import { exact } from "./format.js";
import { html } from "./hooks.js";
import { useResource } from "./place.js";
import { Badge, Loaded, Progress, Table } from "./parts.js";
import { Late, Saves, download, span } from "./settlement_words.js";

/** @param {{ period: string }} props */
export default function Files({ period }) {
  return html`<section class="card before"><div class="section-head"><div><h2>${t("Cost and use in the columns of FOCUS 1.2")}</h2>
      <p class="faint">${t("A row for each day, deployment, team, key, function, model and meter, at list price, at the contract's price and as billed.")}</p></div>
    <div class="toolbar"><${Saves} label=${t("Download FOCUS")} files=${[
      [t("As CSV"), () => download("/focus", { period, format: "csv" })],
      [t("As Parquet"), () => download("/focus", { period, format: "parquet" })]]} /></div></div></section>
    <${Register} />`;
}

function Register() {
  const of = useResource("/api/admin/settlement/dora");
  return html`<section class="section"><div class="section-head"><div><h2>${t("Templates of the DORA register")}</h2>
      <p class="faint">${t("What contracts, configuration and the ledger can fill in, each cell with where it is from. What is not known stays empty. Whether a register is complete and right is for you to judge.")}</p></div>
    <div class="toolbar"><button type="button" class="button" onClick=${() => download("/dora/export", {})}>
      ${t("Download as ZIP")}</button></div></div>
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<${Late} of=${data.catching_up} />
      <p class="small before">${t("Amounts of {year} in {currency}.", { year: span(data.year),
        currency: data.currency })} <span dir="auto">${data.source}</span></p>
      <ul class="notice plain small before">${data.notes.map((/** @type {string} */ note) => html`<li key=${note}
        dir="auto">${note}</li>`)}</ul>
      ${data.templates.map((/** @type {any} */ one) => html`<${Template} key=${one.id} it=${one} />`)}`}<//></section>`;
}

/** @param {{ it: any }} props */
function Template({ it }) {
  return html`<section class="card before template"><div class="section-head"><div><h3>${it.id}</h3>
      <p class="faint" dir="auto">${it.title}</p></div>
      <div class="job"><${Progress} label=${t("Filled cells of {template}", { template: it.id })} done=${it.filled}
        total=${it.cells} /><small>${t("{done} of {all} cells filled",
          { done: exact(it.filled), all: exact(it.cells) })}</small></div></div>
    ${it.rows.length ? it.rows.map((/** @type {any} */ row, /** @type {number} */ n) => html`<${Row} key=${n}
      id=${it.id} row=${row} />`) : html`<p class="faint">${t("No row: no contract is in force that belongs here.")}</p>`}
  </section>`;
}

/** @param {{ id: string, row: any }} props */
function Row({ id, row }) {
  const lacks = row.cells.filter((/** @type {any} */ cell) => cell.origin === "missing").length;
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "code", label: t("Column"), main: true, cell: (cell) => html`<code>${cell.code}</code>
      <small dir="auto">${cell.title}</small>` },
    { name: "value", label: t("Value"), cell: (cell) => (cell.value ? html`<span dir="auto">${cell.meaning}</span>
      ${cell.meaning !== cell.value && html`<small><code>${cell.value}</code></small>`}`
      : html`<span class="faint">${t("empty")}</span>`) },
    { name: "origin", label: t("Where it is from"), cell: (cell) => html`<${Origin} of=${cell.origin} />` },
    { name: "how", label: t("How it came to be"), cell: (cell) => html`<div class="reckoned small"
      dir="auto">${cell.how}</div>` },
  ];
  return html`<details class="raw"><summary><span dir="auto">${row.about}</span>${lacks > 0 && html` · ${
      t("{n} not known", { n: exact(lacks) })}`}</summary>
    <${Table} label="${id}, ${row.about}" columns=${columns} rows=${row.cells}
      keyOf=${(/** @type {any} */ cell) => cell.code} /></details>`;
}

/** @param {{ of: string }} props */
function Origin({ of }) {
  /** @type {Record<string, [string, "good" | "warn" | "bad" | ""]>} */
  const words = { contract: [t("Contract"), "good"], configuration: [t("Configuration"), "good"],
    ledger: [t("Ledger"), "good"], computed: [t("Computed"), "warn"], form: [t("Does not apply"), ""],
    missing: [t("Missing"), "bad"] };
  const [word, tone] = words[of] ?? [of, ""];
  return html`<${Badge} tone=${tone}>${word}<//>`;
}
