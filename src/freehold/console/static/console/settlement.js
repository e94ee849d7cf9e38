// Settlement: what is owed to whom for a period, inside the house too, and the files that finance and a regulator take.
// Refuses to reckon: the server does.

import { listed, plural, t } from "../i18n.js";
import { Bar, Shares } from "./charts.js";
import { NONE, cash, exact } from "./format.js";
import { html, useId } from "./hooks.js";
import { go, useAddress, useResource, withQuery } from "./place.js";
import { Badge, Empty, Facts, Head, Loaded, Pick, Table } from "./parts.js";
import Charges from "./settlement_charges.js";
import Files from "./settlement_files.js";
import { Late, Saves, download, entries, lastQuarter, money, num, periods, plain, span } from "./settlement_words.js";

export default function Settlement() {
  const { query } = useAddress();
  const view = query.get("view") ?? "statements";
  const period = query.get("period") ?? lastQuarter();
  const tools = html`<${When} period=${period} />`;
  return html`<${Head} title=${t("Settlement")} tools=${tools}
      note=${t("What is owed to whom for a period, line by line, from contracts and the ledger. Days are in UTC.")} />
    <div class="section-head"><${Pick} label=${t("View")} value=${view}
      options=${[["statements", t("Statements")], ["chargeback", t("Chargeback")], ["files", t("FOCUS and DORA")]]}
      onChange=${(/** @type {string} */ id) => go(withQuery({ view: id === "statements" ? null : id }))} /></div>
    ${view === "chargeback" ? html`<${Charges} period=${period} query=${query} />`
      : view === "files" ? html`<${Files} period=${period} />` : html`<${Statements} period=${period} />`}`;
}

/** @param {{ period: string }} props */
function When({ period }) {
  const id = useId();
  const set = (/** @type {any} */ event) => go(withQuery({ period: event.currentTarget.value.trim() || null }),
    { replace: true });
  return html`<div class="field period"><label for=${id}>${t("Period")}</label><input class="input" id=${id}
      list="${id}-list" value=${period} onChange=${set} aria-describedby="${id}-hint" autocomplete="off" />
    <datalist id="${id}-list">${periods().map((name) => html`<option key=${name} value=${name} />`)}</datalist>
    <p class="hint" id="${id}-hint">${t("e.g. 2026Q3, 2026-09, 2026, or two with .. between")}</p></div>`;
}

/** @param {{ period: string }} props */
function Statements({ period }) {
  const of = useResource(`/api/admin/settlement?${new URLSearchParams({ period })}`);
  return html`<${Loaded} of=${of}>${(/** @type {any} */ data) => {
    const { settlement } = data;
    const some = settlement.statements.length > 0 || settlement.outside.length > 0;
    return html`<div aria-busy=${of.loading} class=${of.loading ? "late" : ""}>
      <${Late} of=${data.catching_up} />
      ${settlement.notes.map((/** @type {string} */ note) => html`<p key=${note} class="notice before"
        dir="auto">${note}</p>`)}
      ${some ? html`<${Sums} settlement=${settlement} />` : html`<div class="card"><${Empty}
        title=${t("Nothing to settle")}><p>${t("No contract was in force in that period, and nothing was used. Name contract files in freehold.toml, or choose another period.")}</p><//></div>`}
      ${settlement.statements.map((/** @type {any} */ one) => html`<${Statement} key=${one.contract} it=${one}
        period=${settlement.name} />`)}
      ${settlement.outside.length > 0 && html`<section class="section"><div class="section-head"><h2>
        ${t("Under no contract on file")}</h2></div><${Lines} label=${t("Under no contract on file")}
          lines=${settlement.outside} contract="" /></section>`}
      ${some && html`<p class="faint small after" dir="auto">${settlement.rounding}</p>`}</div>`;
  }}<//>`;
}

/** All contracts together. @param {{ settlement: any }} props */
function Sums({ settlement }) {
  const of = (/** @type {string} */ side) => settlement.totals.map((/** @type {any} */ total) => html`<span
    key=${total.currency}>${plain(total[side])} <small class="faint small">${total.currency}</small></span>`);
  const open = settlement.totals.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.open, 0);
  const parts = settlement.statements.flatMap((/** @type {any} */ one) => one.totals.map((/** @type {any} */ total) =>
    ({ name: one.title || one.contract, note: total.currency, value: Number(total.net) })))
    .filter((/** @type {any} */ part) => part.value > 0)
    .sort((/** @type {any} */ a, /** @type {any} */ b) => b.value - a.value);
  const single = settlement.totals.length === 1 ? settlement.totals[0].currency : "";
  return html`<ul class="numbers">${[[t("We owe"), of("customer")], [t("We are owed"), of("supplier")],
      [t("Net: we owe"), of("net")]].map(([label, values]) => html`<li key=${label}
        class="card number-card calm"><h2>${label}</h2><p class="big">${values.length ? values : NONE}</p></li>`)}
      <li class="card number-card calm"><h2>${t("Not known yet")}</h2><p class="big">${exact(open)}</p>
        <p class="faint small">${t("lines that lack a price or a figure")}</p></li></ul>
    <div class="toolbar before"><${Saves} label=${t("Download all")} files=${files(settlement.name, "")} /></div>
    ${single && parts.length > 1 && html`<div class="card"><${Shares} label=${t("Contract")} what=${t("Net: we owe")}
      parts=${parts} format=${(/** @type {number} */ value) => cash({ amount: String(value), currency: single })} />
      </div>`}`;
}

/** @param {string} period @param {string} contract */
const files = (period, contract) => [["pdf", t("As PDF")], ["csv", t("As CSV")], ["json", t("As JSON")]]
  .map(([format = "", label = ""]) => [label, () => download("/export", { period, contract, format })]);

/** @param {{ it: any, period: string }} props */
function Statement({ it, period }) {
  return html`<section class="section statement"><div class="section-head"><div>
      <h2><a href="/console/contracts/${encodeURIComponent(it.contract)}" dir="auto">${it.title || it.contract}</a></h2>
      <p class="faint">${listed([it.supplier, t("version {version}", { version: it.version }), span(it.period)])}${" "}
        <code title=${t("terms, the first digits of their hash")}>${it.hash}</code></p></div>
      <div class="toolbar"><${Saves} label=${t("Download the statement on {contract}", { contract: it.contract })}
        files=${files(period, it.contract)} /></div></div>
    ${it.notes.map((/** @type {string} */ note) => html`<p key=${note} class="small before" dir="auto">${note}</p>`)}
    <${Lines} label=${t("Lines of {contract}", { contract: it.contract })} lines=${it.lines} contract=${it.contract} />
    ${it.totals.map((/** @type {any} */ total) => html`<div key=${total.currency} class="card after"><${Facts} rows=${[
      [t("We owe"), money(total.customer, total.currency)], [t("We are owed"), money(total.supplier, total.currency)],
      [t("Net: we owe"), html`<strong>${money(total.net, total.currency)}</strong>`],
      total.open > 0 && [t("Not known yet"), plural(total.open, "{n} line", "{n} lines")]]} /></div>`)}
    ${it.commitments.length > 0 && html`<div class="card after"><h3>${t("Commitments")}</h3>
      ${it.commitments.map((/** @type {any} */ one) => html`<${Drawn} key=${one.commitment} it=${one} />`)}</div>`}
  </section>`;
}

/** @param {{ label: string, lines: any[], contract: string }} props */
function Lines({ label, lines, contract }) {
  const kinds = { usage: t("Use"), shortfall: t("Commitment not met"), share: t("Share of revenue"),
    credit: t("Credit") };
  const due = (/** @type {any} */ line, /** @type {string} */ payer) => line.payer === payer
    && (line.due === null ? html`<span class="bad">${t("not known")}</span>` : money(line.due, line.currency));
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "what", label: t("What"), main: true, cell: (line) => html`${kinds[/** @type {"usage"} */ (line.kind)]}
      <small dir="auto">${line.about}</small><small>${span(line)}</small>` },
    { name: "how", label: t("How it was reckoned"), cell: (line) => html`<${How} line=${line} />` },
    { name: "entries", label: t("Entries"), numeric: true, cell: (line) => entries(line, contract) },
    { name: "ours", label: t("We owe"), numeric: true, cell: (line) => due(line, "customer") },
    { name: "theirs", label: t("We are owed"), numeric: true, cell: (line) => due(line, "supplier") },
  ];
  return html`<${Table} label=${label} columns=${columns} rows=${lines}
    keyOf=${(/** @type {any} */ line) => `${line.kind} ${line.about} ${line.first} ${line.currency}`}
    empty=${html`<p class="notice">${t("Nothing was used and nothing is owed.")}</p>`} />`;
}

/** The rule of a line, and what it was applied to. @param {{ line: any }} props */
function How({ line }) {
  const cap = line.cap && Number(line.cap.total) - Number(line.cap.left);
  return html`<div class="reckoned"><span dir="auto">${line.rule}</span>
    ${line.kind === "usage" && html`<small>${t("{input} tokens in, {cached} of them cached, {output} out",
      { input: exact(line.input), cached: exact(line.cached), output: exact(line.output) })}</small>`}
    ${line.kind !== "usage" && line.basis !== null && html`<small>${t("reckoned on {amount}",
      { amount: money(line.basis, line.currency) })}</small>`}
    ${line.tiers.length > 0 && html`<ul class="plain small tiers">${line.tiers.map((/** @type {any} */ tier) => html`<li
      key=${tier.over}>${Number(tier.over) ? t("{pct} % of {part} above {over}: {share}", {
        pct: num(tier.pct), part: money(tier.part, line.currency), over: money(tier.over, line.currency),
        share: money(tier.share, line.currency) }) : t("{pct} % of {part}: {share}", { pct: num(tier.pct),
        part: money(tier.part, line.currency), share: money(tier.share, line.currency) })}</li>`)}</ul>`}
    ${line.cap && html`<${Measure} label=${t("Cap used")} part=${cap / Number(line.cap.total)}
      text=${t("{used} of {all}", { used: money(String(cap), line.currency), all: money(line.cap.total,
        line.currency) })} />`}
    ${line.terms.length > 0 && html`<small>${t("terms on the entries:")} <code>${line.terms.join(", ")}</code></small>`}
    ${line.notes.map((/** @type {string} */ note) => html`<small key=${note} dir="auto">${note}</small>`)}</div>`;
}

/** How much of something there is, as a bar and in words. @param {{ label: any, part: number, text: string }} props */
function Measure({ label, part, text }) {
  return html`<div><div class="limit-words"><span>${label}</span><span class="numeric">${text}</span></div>
    <${Bar} value=${part} /></div>`;
}

/** How far a commitment has come. @param {{ it: any }} props */
function Drawn({ it }) {
  const said = (/** @type {string} */ value) => (it.type === "spend" ? money(value, it.unit)
    : `${num(value)} ${it.unit}`);
  const name = html`<span dir="auto">${it.commitment}</span> ${Number(it.remaining) === 0
    && html`<${Badge} tone="good">${t("met")}<//>`}`;
  return html`<div class="drawn"><${Measure} label=${name} part=${Number(it.counted) / Number(it.amount)}
      text=${t("{used} of {all}", { used: said(it.counted), all: said(it.amount) })} />
    <p class="small faint">${t("in this period {drawn}, left {left}, until {day}",
      { drawn: said(it.drawn), left: said(it.remaining), day: span({ first: it.last, last: it.last }) })}
      ${Number(it.missing) > 0 && html` · <span class="bad">${t("over, and {amount} was not used",
        { amount: said(it.missing) })}</span>`}
      ${Number(it.carried) > 0 && html` · ${t("{amount} rolls over", { amount: said(it.carried) })}`}</p>
    ${it.notes.map((/** @type {string} */ note) => html`<p key=${note} class="small faint" dir="auto">${note}</p>`)}
  </div>`;
}
