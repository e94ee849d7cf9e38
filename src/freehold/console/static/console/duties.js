// What contracts ask of us, in pieces: findings, pace, days, clauses, and the words for them. Refuses to know which
// screen shows them.

import { listed, number, plural, t } from "../i18n.js";
import { Key, Timeline } from "./charts.js";
import { cash, count, day as told, exact, share } from "./format.js";
import { html } from "./hooks.js";
import { Badge, Facts, Table } from "./parts.js";

/** When a day begins on the reader's clock. @param {string} iso */
export const at = (iso) => new Date(`${iso}T00:00:00`).getTime();

/** A day in words. @param {string | null | undefined} iso */
export const day = (iso) => (iso ? told(at(iso)) : "");

/** How far a day is from another. @param {string} iso @param {string} today */
export function away(iso, today) {
  const days = Math.round((at(iso) - at(today)) / 86_400_000);
  return days === 0 ? t("today") : days < 0 ? plural(-days, "{n} day ago", "{n} days ago")
    : plural(days, "in {n} day", "in {n} days");
}

/** How a contract stands, in a word. @param {{ state: string }} props */
export function State({ state }) {
  const words = { draft: t("Draft"), future: t("To come"), active: t("In force"), in_notice: t("In notice"),
    ended: t("Ended"), superseded: t("Superseded") };
  const tone = { active: "good", in_notice: "warn", ended: "bad" }[/** @type {"active"} */ (state)] ?? "";
  return html`<${Badge} tone=${tone}>${words[/** @type {"active"} */ (state)] ?? state}<//>`;
}

/** What is known to be amiss, by weight. @param {{ found: { error: number, warning: number, info: number } }} props */
export function Found({ found }) {
  if (!found.error && !found.warning && !found.info) return html`<span class="faint">${t("nothing")}</span>`;
  return html`<span class="row marks">
    ${found.error > 0 && html`<${Badge} tone="bad">${plural(found.error, "{n} error", "{n} errors")}<//>`}
    ${found.warning > 0 && html`<${Badge} tone="warn">${plural(found.warning, "{n} warning", "{n} warnings")}<//>`}
    ${found.info > 0 && html`<${Badge}>${plural(found.info, "{n} to know", "{n} to know")}<//>`}</span>`;
}

/**
 * What was found, the worst first, each with its reason and what to do.
 * @param {{ findings: any[], named?: boolean }} props  `named`: each says which contract it is of
 */
export function Findings({ findings, named = false }) {
  const words = { error: t("Error"), warning: t("Warning"), info: t("To know") };
  const tones = { error: "bad", warning: "warn", info: "" };
  if (!findings.length) return html`<p class="sound">${t("Nothing was found.")}</p>`;
  return html`<ul class="plain findings">${findings.map((one) => html`<li
      key="${one.code} ${one.contract} ${one.place} ${one.what}" class="card">
    <p class="row"><${Badge} tone=${tones[/** @type {"info"} */ (one.severity)]}>
      ${words[/** @type {"info"} */ (one.severity)] ?? one.severity}<//>
      ${named && one.contract && html`<a
        href="/console/contracts/${encodeURIComponent(one.contract)}">${one.contract}</a>`}
      <code class="faint">${one.place}</code></p>
    <p dir="auto"><strong>${one.what}</strong></p>
    <p class="small" dir="auto">${one.why}</p>
    <p class="small" dir="auto"><span class="faint">${t("What to do:")}</span> ${one.todo}</p></li>`)}</ul>`;
}

/** An amount of what a commitment is in. @param {any} pace @param {string | number | null} value */
export function amount(pace, value) {
  if (value == null) return "–";
  if (pace.type === "volume") return plural(Number(value), "{n} token", "{n} tokens", { n: count(Number(value)) });
  if (pace.type === "units") return `${exact(Number(value), 1)} ${pace.unit}`;
  if (Math.abs(Number(value)) < 1000) return cash({ currency: pace.currency, amount: String(value) });
  return number(Number(value), { style: "currency", currency: pace.currency, currencyDisplay: "narrowSymbol",
    maximumFractionDigits: 0 });
}

/**
 * How far a commitment is: a bar with the mark of the straight line, said in words as well.
 * @param {{ pace: any }} props
 */
export function Bar({ pace }) {
  const whole = Number(pace.amount) || 1;
  const [part, line] = [Number(pace.counted) / whole, Number(pace.line) / whole];
  const words = `${t("{part} of {whole}", { part: amount(pace, pace.counted), whole: amount(pace, pace.amount) })}`;
  const lacks = pace.state !== "met" && Number(pace.shortfall) > 0;
  const pct = (/** @type {number} */ value) => `${Math.min(100, Math.max(0, value * 100))}%`;
  const label = t("Commitment {name}", { name: pace.commitment });
  return html`<div class="limit pace ${lacks ? "near" : "calm"}">
    <div class="limit-words"><span>${pace.commitment}</span><span class="numeric">${words}</span></div>
    <div role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
      aria-valuenow=${Math.round(Math.min(1, part) * 100)} aria-valuetext=${words}>
      <svg class="stripe" width="100%" height="10" aria-hidden="true"><rect class="rail" y="1" width="100%" height="8"
        rx="4" />${part > 0 && html`<rect class="fill" y="1" width=${pct(Math.max(0.01, part))} height="8" rx="4" />`}
        ${pace.state === "running" && pace.type !== "units" && html`<rect class="mark" x=${pct(line)} width="2"
          height="10" />`}</svg></div>
    <small class="limit-note">${standing(pace)}</small></div>`;
}

/** How a commitment stands, in a few words. @param {any} pace */
function standing(pace) {
  if (pace.state === "future") return t("begins on {day}", { day: day(pace.start) });
  if (pace.state === "met") return t("met");
  if (pace.state === "over") return t("{amount} lacking at its end", { amount: amount(pace, pace.shortfall) });
  if (Number(pace.shortfall) > 0) return t("{amount} lacking by {day}", { amount: amount(pace, pace.shortfall),
    day: day(pace.end) });
  return pace.type === "units" ? t("paid with each period") : t("on its way to be met");
}

/** A commitment from its first day to its last. @param {{ pace: any }} props */
export function Pace({ pace }) {
  const pick = (/** @type {string} */ name) => pace.points.map((/** @type {any} */ one) =>
    (one[name] == null ? null : Number(one[name])));
  const units = pace.type === "units"; // these are counted by time: they are on the line as long as they run
  /** @type {import("./charts.js").Series[]} */
  const series = [{ name: t("Counted"), values: pick("counted"), tone: 1 },
    { name: t("Forecast"), values: pick("forecast"), tone: 2 }];
  if (!units) series.splice(1, 0, { name: t("Straight line"), values: pick("line"), tone: "rest" });
  const format = (/** @type {any} */ value) => amount(pace, value);
  const whole = Number(pace.amount) || 1;
  const rules = { pay: t("what is lacking is to be paid"), rollover: t("what is lacking goes on to the next one"),
    none: t("nothing is owed for what is lacking"), unknown: t("nobody says what becomes of what is lacking") };
  const forecast = pace.forecast != null && pace.state === "running";
  return html`<section class="card stack" aria-label=${t("Commitment {name}", { name: pace.commitment })}>
    <${Bar} pace=${pace} />
    ${pace.points.length > 1 && html`<div><${Key} lines series=${series} />
      <${Timeline} label=${t("Commitment {name}", { name: pace.commitment })} kind="lines" height=${200}
        times=${pace.points.map((/** @type {any} */ one) => at(one.day))} series=${series} format=${format}
        axis=${(/** @type {any} */ value) => (whole < 100 ? format(value) : count(value))} /></div>`}
    <${Facts} rows=${[
      [t("From, to"), `${day(pace.start)} – ${day(pace.end)}`],
      [t("Counted so far"), `${amount(pace, pace.counted)} (${share(Number(pace.counted) / whole)})`],
      !units && [Number(pace.ahead) < 0 ? t("Behind a straight line by") : t("Ahead of a straight line by"),
        pace.state === "running" ? amount(pace, Math.abs(Number(pace.ahead))) : ""],
      !units && [t("On a day, over the last 30"), pace.state === "running" ? amount(pace, pace.rate) : ""],
      [t("Forecast at its end"), forecast ? amount(pace, pace.forecast) : ""],
      !units && [t("By the mean since it began"), forecast ? amount(pace, pace.linear) : ""],
      [t("Lacking then"), Number(pace.shortfall) > 0 ? amount(pace, pace.shortfall) : ""],
      [t("What that costs"), Number(pace.shortfall) > 0 && ["pay", "unknown"].includes(pace.rule)
        && (pace.cost == null ? t("not known") : cash({ currency: pace.currency, amount: pace.cost }))],
      !units && [t("If it is not met"), rules[/** @type {"pay"} */ (pace.rule)]],
      [t("Its use counts"), listed(pace.deployments) || t("of nobody")],
      [t("Not counted: no price is known"), pace.unpriced > 0 && plural(pace.unpriced, "{n} token", "{n} tokens")],
      [t("Not counted: other currencies"), listed(pace.foreign)],
    ]} /></section>`;
}

/** What happens on a day, in a word. @param {string} kind */
function happens(kind) {
  return { notice: t("Notice by us"), supplier_notice: t("Notice by the supplier"), start: t("Start"), end: t("End"),
    renewal: t("Renewal"), replaced: t("Replaced"), transition_end: t("End of the transition"),
    retrieval_end: t("Last day for data"), erasure: t("Erasure"), charges_end: t("End of switching charges"),
    commitment_start: t("Commitment begins"), commitment_end: t("Commitment ends"), price_start: t("Price begins"),
    price_end: t("Price ends"), milestone: t("Milestone"), audit_report: t("Report expires"),
    exclusivity_end: t("End of exclusivity"), refusal_end: t("End of a first refusal"),
    share_start: t("Revenue share begins"), share_end: t("Revenue share ends") }[/** @type {"end"} */ (kind)] ?? kind;
}

/**
 * What is due when.
 * @param {{ events: any[], today: string, named?: boolean, empty: string }} props
 */
export function Days({ events, today, named = false, empty }) {
  /** @type {(import("./parts.js").Column | false)[]} */
  const columns = [
    { name: "day", label: t("Day"), main: true, whole: true, cell: (row) => html`${day(row.day)}<small>
      ${away(row.day, today)}</small>` },
    named && { name: "contract", label: t("Contract"), cell: (row) => html`<a
      href="/console/contracts/${encodeURIComponent(row.contract)}">${row.contract}</a>` },
    { name: "kind", label: t("What"), cell: (row) => html`${happens(row.kind)}<small dir="auto">${row.what}</small>` },
    { name: "act", label: t("To do"), cell: (row) => row.act && html`<${Badge} tone="warn">${t("to do")}<//>` },
  ];
  return html`<${Table} label=${t("What is due when")} rows=${events}
    columns=${/** @type {import("./parts.js").Column[]} */ (columns.filter(Boolean))}
    keyOf=${(/** @type {any} */ row) => `${row.day} ${row.contract} ${row.place} ${row.kind}`}
    empty=${html`<p class="notice">${empty}</p>`} />`;
}

/** The clauses of laws that a file states, and what that is worth. @param {{ lists: any[] }} props */
export function Clauses({ lists }) {
  const titles = { dora: t("DORA, every contract"), dora_critical: t("DORA, critical or important functions"),
    data_act: t("Data Act, switching") };
  const answers = { met: t("Stated"), unclear: t("Unclear"), missing: t("Missing") };
  const tones = { met: "good", unclear: "warn", missing: "bad" };
  const holds = { yes: t("It holds"), no: t("It does not hold"), unknown: t("Whether it holds is not known") };
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "clause", label: t("Clause"), main: true, cell: (row) => html`<span dir="auto">${row.clause}</span><small>
      ${t("Article {n}", { n: row.article })}</small>` },
    { name: "answer", label: t("In the file"), cell: (row) => html`<${Badge}
      tone=${tones[/** @type {"met"} */ (row.answer)]}>${answers[/** @type {"met"} */ (row.answer)]}<//>` },
    { name: "read", label: t("What it says"), cell: (row) => html`<span dir="auto">${row.read || "–"}</span>
      ${row.note && html`<small dir="auto">${row.note}</small>`}` },
    { name: "place", label: t("Read from"), cell: (row) => html`<code class="small">${row.place}</code>` },
  ];
  return html`<p class="notice before"><strong>${t("A finding, not a statement of compliance.")}</strong> ${
      t("What laws ask for is looked for in the fields of the contract's file; who reads the contract itself may find more.")}</p>
    ${lists.map((one) => html`<section key=${one.id} class="section"><div class="section-head"><div>
      <h3>${titles[/** @type {"dora"} */ (one.id)] ?? one.title}</h3><p class="faint" dir="auto">${one.law}</p></div>
      <p class="small">${holds[/** @type {"yes"} */ (one.applies)]}: <span dir="auto">${one.because}</span></p></div>
      <${Table} label=${titles[/** @type {"dora"} */ (one.id)] ?? one.title} columns=${columns} rows=${one.items}
        keyOf=${(/** @type {any} */ row) => `${row.article} ${row.clause}`}
        faded=${() => one.applies === "no"} /></section>`)}`;
}
