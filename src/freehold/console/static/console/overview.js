// The first screen: how much, what it costs, how fast, what fails, and on whom it all rests. Refuses to change
// anything.

import { plural, t } from "../i18n.js";
import { Figure, Key, Shares, Spark, Timeline } from "./charts.js";
import { NONE, ago, amount, cash, change, count, exact, purse, share, span } from "./format.js";
import { html, useState } from "./hooks.js";
import { go, useAddress, useResource, withQuery } from "./place.js";
import { Badge, Empty, Head, Loaded, Pick, Table } from "./parts.js";

/** @typedef {"calls" | "cost" | "tokens"} Measure */

const SPANS = ["1h", "24h", "7d", "30d", "90d"];
const MOST = 6; // parts of a whole that have a bar of their own

/** @param {string} id */
const spanName = (id) => ({ "1h": t("1 hour"), "24h": t("24 hours"), "7d": t("7 days"), "30d": t("30 days"),
  "90d": t("90 days") })[id] ?? id;

export default function Overview() {
  const { query } = useAddress();
  const asked = query.get("span") ?? "24h";
  const chosen = SPANS.includes(asked) ? asked : "24h";
  const [live, setLive] = useState(true);
  const every = live ? (chosen === "1h" ? 5000 : 20_000) : null;
  const of = useResource(`/api/admin/overview?span=${chosen}`, { every });
  const tools = html`<${Pick} label=${t("Span of time")} value=${chosen}
    options=${SPANS.map((id) => [id, spanName(id)])}
      onChange=${(/** @type {string} */ id) => go(withQuery({ span: id === "24h" ? null : id }))} />
    <label class="choice live"><input type="checkbox" role="switch" class="switch" checked=${live}
      onChange=${() => setLive(!live)} />${t("Live")}</label>`;
  return html`<${Head} title=${t("Overview")} tools=${tools} />
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<${Body} data=${data} late=${of.loading} />`}<//>`;
}

/** @param {{ data: any, late: boolean }} props */
function Body({ data, late }) {
  const currency = data.totals.cost[0]?.currency ?? "USD";
  return html`<div class="overview" aria-busy=${late}>
    <${Now} now=${data.now} ledger=${data.ledger} />
    ${data.catching_up && html`<p
      class="notice">${t("The ledger is being summed: {done} of {total} entries. The figures below are partial until then.",
      { done: exact(data.catching_up.done), total: exact(data.catching_up.total) })}</p>`}
    ${data.totals.attempts || data.totals.calls
      ? html`<${Numbers} data=${data} currency=${currency} /><${Charts} data=${data} currency=${currency} />
        <${Dependence} by=${data.by} currency=${currency} /><${Callers} by=${data.by} /><${Errors} data=${data} />`
      : html`<div class="card"><${Empty} title=${t("No calls in this span of time")}>
          <p>${t("Charts appear with the first call. Ask something in the chat, or give a program a key and this address.")}</p>
          <div class="row"><a class="button primary" href="/">${t("Open the chat")}</a><a class="button"
            href="/console/keys">${t("Make a key")}</a></div><//></div>`}
  </div>`;
}

/** How the server stands at this moment. @param {{ now: any, ledger: any }} props */
function Now({ now, ledger }) {
  const states = { ok: t("Ledger writes"), refusing: t("Ledger refuses: no call is let through"),
    spooling: t("Ledger writes to a spool") };
  const open = now.open_circuits;
  return html`<ul class="now" aria-label=${t("Now")}>
    <li><${Badge} tone=${now.ready ? "good" : "bad"}>${now.ready ? t("Ready") : t("Not ready")}<//></li>
    <li><${Badge} tone=${ledger.state === "ok" ? "good" : ledger.state === "spooling" ? "warn" : "bad"}>
      ${states[/** @type {"ok"} */ (ledger.state)] ?? ledger.state}<//></li>
    ${open.length > 0 && html`<li><a href="/console/deployments"><${Badge}
      tone="warn">${plural(open.length, "{n} deployment is left out: {names}",
      "{n} deployments are left out: {names}", { names: open.join(", ") })}<//></a></li>`}
    <li>${plural(now.inflight, "{n} call in flight", "{n} calls in flight")}</li>
    <li>${t("{ready} of {all} workers", { ready: exact(now.workers_ready), all: exact(now.workers) })}</li>
    ${now.engines > 0 && html`<li>${t("{ready} of {all} own models loaded",
      { ready: exact(now.engines_ready), all: exact(now.engines) })}</li>`}
    <li>${plural(ledger.entries, "{n} entry on the ledger", "{n} entries on the ledger")}</li>
  </ul>`;
}

/** @param {{ data: any, currency: string }} props */
function Numbers({ data, currency }) {
  const { totals, before, series } = data;
  const rate = totals.calls ? totals.failed_calls / totals.calls : 0;
  const of = (/** @type {(one: any) => number | null} */ pick) => series.map(pick);
  const since = (/** @type {string} */ text) => (before && text
    ? t("{change} on the {span} before", { change: text, span: spanName(data.span) }) : "");
  return html`<ul class="numbers">
    <${Number_} label=${t("Calls")} value=${count(totals.calls)} note=${since(change(totals.calls, before?.calls))}
      values=${of((one) => one.calls)} />
    <${Number_} label=${t("Spend")} value=${purse(totals.cost)} values=${of((one) => amount(one.cost, currency))}
      tone=${2}
      note=${totals.unpriced ? plural(totals.unpriced, "{n} call has no known price", "{n} calls have no known price")
        : since(change(amount(totals.cost, currency), before && amount(before.cost, currency)))} />
    <${Number_} label=${t("Time to first token")} value=${span(totals.latency.first_p50)}
      values=${of((one) => one.first_p95)} tone=${3}
      note=${t("half of the answers; 95 % within {time}", { time: span(totals.latency.first_p95) })} />
    <${Number_} label=${t("Failed calls")} value=${share(rate)}
      note=${plural(totals.failed_calls, "{n} of {all}", "{n} of {all}", { all: count(totals.calls) })}
      values=${of((one) => one.failed_calls)} tone="bad" />
    <${Number_} label=${t("Tokens")} value=${count(totals.input + totals.output)}
      values=${of((one) => one.input + one.output)} tone=${4}
      note=${t("{input} in, {output} out", { input: count(totals.input), output: count(totals.output) })} />
  </ul>`;
}

/** @param {{ label: string, value: string, note: string, values: (number | null)[], tone?: any }} props */
function Number_({ label, value, note, values, tone = 1 }) {
  return html`<li class="card number-card"><h2>${label}</h2><p class="big">${value}</p><p
    class="faint small">${note}</p><${Spark} values=${values} tone=${tone} /></li>`;
}

/** @param {{ data: any, currency: string }} props */
function Charts({ data, currency }) {
  const { series, totals } = data;
  const times = series.map((/** @type {any} */ one) => one.at);
  const pick = (/** @type {(one: any) => number | null} */ of) => series.map(of);
  const traffic = [
    { name: t("Answered"), values: pick((one) => one.calls - one.failed_calls), tone: 1 },
    { name: t("Failed"), values: pick((one) => one.failed_calls), tone: /** @type {const} */ ("bad") },
  ];
  const speed = [
    { name: t("Whole answer, 95 %"), values: pick((one) => one.p95), tone: 4 },
    { name: t("First token, 95 %"), values: pick((one) => one.first_p95), tone: 3 },
  ];
  const spend = [{ name: t("Spend"), values: pick((one) => amount(one.cost, currency)), tone: 2 }];
  const tokens = [
    { name: t("In"), values: pick((one) => one.input), tone: 4 },
    { name: t("Out"), values: pick((one) => one.output), tone: 5 },
  ];
  const money = (/** @type {any} */ value) => cash({ currency, amount: String(value ?? 0) });
  return html`<div class="grid two">
    <${Figure} title=${t("Traffic")} note=${html`<${Key} series=${traffic}
      totals=${[count(totals.calls - totals.failed_calls), count(totals.failed_calls)]} />`}>
      ${(/** @type {boolean} */ table) => html`<${Timeline} label=${t("Traffic")} times=${times} series=${traffic}
        format=${exact} axis=${count} table=${table} />`}<//>
    <${Figure} title=${t("Spend")} note=${html`<p><b>${purse(totals.cost)}
      </b> ${t("in {span}", { span: spanName(data.span) })}</p>`}>
      ${(/** @type {boolean} */ table) => html`<${Timeline} label=${t("Spend")} times=${times} series=${spend}
        format=${money} table=${table} />`}<//>
    <${Figure} title=${t("Latency")} note=${html`<${Key} lines series=${speed}
      totals=${[span(totals.latency.p95), span(totals.latency.first_p95)]} />`}>
      ${(/** @type {boolean} */ table) => html`<${Timeline} label=${t("Latency")} kind="lines" times=${times}
        series=${speed} format=${span} table=${table} />`}<//>
    <${Figure} title=${t("Tokens")} note=${html`<${Key} series=${tokens}
      totals=${[count(totals.input), count(totals.output)]} />`}>
      ${(/** @type {boolean} */ table) => html`<${Timeline} label=${t("Tokens")} times=${times} series=${tokens}
        format=${exact} axis=${count} table=${table} />`}<//>
  </div>`;
}

/** @param {any} group @param {Measure} measure @param {string} currency */
const measured = (group, measure, currency) =>
  measure === "calls" ? group.attempts : measure === "tokens" ? group.input + group.output
    : amount(group.cost, currency);

/** On whom it rests: the three axes beside each other. @param {{ by: any, currency: string }} props */
function Dependence({ by, currency }) {
  const [measure, setMeasure] = useState(/** @type {Measure} */ ("calls"));
  /** @type {[string, string, string][]} */
  const axes = [
    ["maker", t("Maker"), t("who trained the model")],
    ["seller", t("Seller"), t("who sends the bill")],
    ["host", t("Host"), t("whose computers saw the words")],
  ];
  const tone = colours(by, measure, currency);
  const words = { calls: t("Calls"), cost: t("Spend"), tokens: t("Tokens") };
  const format = (/** @type {any} */ value) => (measure === "cost" ? cash({ currency, amount: String(value ?? 0) })
    : count(value));
  return html`<section class="card dependence"><div class="section-head"><div><h2>${t("On whom it rests")}</h2>
      <p class="faint">${t("The same calls, seen three ways; a party has the same colour in each. One long bar is a partner that could not leave without being missed.")}</p></div>
      <${Pick} label=${t("Measured by")} value=${measure} options=${Object.entries(words)} onChange=${setMeasure}
        /></div>
    <div class="grid three">${axes.map(([id, title, note]) => html`<div key=${id}><h3>${title} <small
      class="faint">${note}</small></h3>
      <${Shares} label=${title} what=${words[measure]} format=${format}
        parts=${parts(by[id], measure, currency, id, tone)} /></div>`)}</div>
  </section>`;
}

/**
 * Who is who: a party has one colour on all three axes.
 * @param {any} by
 * @param {Measure} measure
 * @param {string} currency
 */
function colours(by, measure, currency) {
  /** @type {Map<string, number>} */
  const sums = new Map();
  for (const group of [...by.maker, ...by.seller, ...by.host]) sums.set(group.id,
    (sums.get(group.id) ?? 0) + measured(group, measure, currency));
  const order = [...sums].sort((a, b) => b[1] - a[1]).map(([id]) => id);
  return (/** @type {string} */ id) => (order.indexOf(id) < MOST ? order.indexOf(id) + 1
    : /** @type {const} */ ("rest"));
}

/**
 * The greatest parts, and the others together.
 * @param {any[]} groups @param {Measure} measure @param {string} currency @param {string} axis @param {(id: string) =>
 *   number | "rest"} tone
 */
function parts(groups, measure, currency, axis, tone) {
  const all = groups
    .map((group) => ({
      name: group.name === "own" ? t("ourselves") : group.name || t("not named"),
      value: measured(group, measure, currency),
      tone: tone(group.id),
      href: group.id ? `/console/ledger?${axis}=${encodeURIComponent(group.id)}` : undefined,
    }))
    .sort((a, b) => b.value - a.value);
  if (all.length <= MOST) return all;
  const rest = all.slice(MOST - 1);
  return [...all.slice(0, MOST - 1), { name: plural(rest.length, "{n} other", "{n} others"),
    value: rest.reduce((sum, one) => sum + one.value, 0), tone: /** @type {const} */ ("rest") }];
}

/** Who calls, and what for. @param {{ by: any }} props */
function Callers({ by }) {
  const axes = { key: t("Keys"), team: t("Teams"), model: t("Models asked"), deployment: t("Deployments") };
  const [axis, setAxis] = useState(/** @type {keyof typeof axes} */ ("key"));
  const filter = axis === "model" ? "asked" : axis;
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "name", label: t("Name"), main: true, sort: (row) => row.name,
      cell: (row) => (row.id ? html`<a href="/console/ledger?${filter}=${encodeURIComponent(row.id)}">
        ${row.name || row.id}</a>` : t("none")) },
    { name: "calls", label: t("Calls"), numeric: true, sort: (row) => row.calls, cell: (row) => exact(row.calls) },
    { name: "share", label: t("Share of calls"), numeric: true, sort: (row) => row.share_calls,
      cell: (row) => share(row.share_calls) },
    { name: "cost", label: t("Spend"), numeric: true, sort: (row) => Number(row.cost[0]?.amount ?? 0),
      cell: (row) => purse(row.cost) },
    { name: "tokens", label: t("Tokens"), numeric: true, sort: (row) => row.input + row.output,
      cell: (row) => count(row.input + row.output) },
    { name: "failed", label: t("Failed"), numeric: true, sort: (row) => row.failed_calls / (row.calls || 1),
      cell: (row) => (row.calls ? share(row.failed_calls / row.calls) : NONE) },
    { name: "p95", label: t("95 % within"), numeric: true, sort: (row) => row.p95, cell: (row) => span(row.p95) },
  ];
  return html`<section class="section"><div class="section-head"><h2>${t("Who calls, and what")}</h2>
      <${Pick} label=${t("Grouped by")} value=${axis} options=${Object.entries(axes)} onChange=${setAxis} /></div>
    <${Table} label=${axes[axis]} columns=${columns} rows=${by[axis]} keyOf=${(/** @type {any} */ row) => row.id}
      sorted=${["calls", -1]} empty=${html`<p class="faint">${t("Nothing here in this span of time.")}</p>`}
        /></section>`;
}

/** @param {{ data: any }} props */
function Errors({ data }) {
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "code", label: t("Error"), main: true, sort: (row) => row.code,
      cell: (row) => html`<a href="/console/ledger?error=${encodeURIComponent(row.code)}&since=${data.since}"><code>
        ${row.code}</code></a>` },
    { name: "attempts", label: t("Attempts"), numeric: true, sort: (row) => row.attempts,
      cell: (row) => exact(row.attempts) },
    { name: "deployments", label: t("Deployments"), cell: (row) => row.deployments.join(", ")
      || t("refused at the door") },
    { name: "last", label: t("Last"), sort: (row) => row.last_at, cell: (row) => ago(row.last_at) },
  ];
  return html`<section class="section"><div class="section-head"><h2>${t("What fails")}</h2></div>
    <${Table} label=${t("What fails")} columns=${columns} rows=${data.errors}
      keyOf=${(/** @type {any} */ row) => row.code}
      empty=${html`<p class="notice">${t("Nothing failed in this span of time.")}</p>`} /></section>`;
}
