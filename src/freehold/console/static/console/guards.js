// Guards: policies in force and whom they hold for, what was decided and by whom, calls that were stopped, and a text
// to try. Refuses to decide anything.

import { call } from "../door.js";
import { plural, t } from "../i18n.js";
import { Figure, Key, Shares, Timeline } from "./charts.js";
import { ago, count, exact, instant } from "./format.js";
import { Field, Wrong, useForm } from "./forms.js";
import { Verdicts } from "./guards_verdicts.js";
import { category, decider, does, severity, whom } from "./guards_words.js";
import { html, useState } from "./hooks.js";
import { go, me, problem, useAddress, useResource, withQuery } from "./place.js";
import { Badge, Empty, Head, Loaded, Pick, Table, Trouble } from "./parts.js";

const SPANS = ["24h", "7d", "30d", "90d"];
const MOST = 8; // parts of a whole that have a bar of their own
/** @type {[string, number | "rest"][]} */
const DECIDERS = [["vendor", 6], ["rules", 1], ["injection", 2], ["deployment", 4], ["privacy", 3], ["contract", 5]];

/** @param {string} id */
const spanName = (id) => ({ "24h": t("24 hours"), "7d": t("7 days"), "30d": t("30 days"),
  "90d": t("90 days") })[id] ?? id;

export default function Guards() {
  const { query } = useAddress();
  const asked = query.get("span") ?? "24h";
  const span = SPANS.includes(asked) ? asked : "24h";
  const policies = useResource("/api/admin/guards");
  const decided = useResource(`/api/admin/guards/verdicts?span=${span}`, { every: 20_000 });
  const tools = html`<${Pick} label=${t("Span of time")} value=${span}
    options=${SPANS.map((id) => [id, spanName(id)])}
    onChange=${(/** @type {string} */ id) => go(withQuery({ span: id === "24h" ? null : id }))} />`;
  return html`<${Head} title=${t("Guards")} tools=${tools}
      note=${t("What may be said, to a model and by it, what is taken out before words leave, and who decided so. Policies are written in freehold.toml.")} />
    <${Loaded} of=${policies}>${(/** @type {any} */ data) => html`<div class="guards">
      <${Loaded} of=${decided}>${(/** @type {any} */ sums) => html`<${Decided} data=${sums}
        late=${decided.loading} />`}<//>
      <${Policies} rows=${data.policies} />
      <${Stopped} key=${span} span=${span} />
      <${Try} data=${data} />
      <${Names} rows=${data.categories} />
    </div>`}<//>`;
}

/** @param {{ data: any, late: boolean }} props */
function Decided({ data, late }) {
  if (!data.times && !data.catching_up) return html`<div class="card"><${Empty}
    title=${t("Nothing was decided in this span of time")}><p>
    ${t("Each time that a policy, a moderator or a vendor's own filter finds something, it is put on record and counted here.")}</p><//></div>`;
  const times = data.series.map((/** @type {any} */ one) => one.at);
  const vendors = data.by.filter((/** @type {any} */ one) => one.decider === "vendor")
    .reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.times, 0);
  const series = DECIDERS.map(([id, tone]) => ({ name: decider(id), tone,
    values: data.series.map((/** @type {any} */ one) => one.by[id] ?? 0) })).filter((one) => one.values.some(Boolean));
  const totals = series.map((one) => count(one.values.reduce((/** @type {number} */ a, /** @type {number} */ b) =>
    a + b, 0)));
  return html`<div class="stack" aria-busy=${late}>
    ${data.catching_up && html`<p
      class="notice">${t("The ledger is being summed: {done} of {total} entries. The figures below are partial until then.",
      { done: exact(data.catching_up.done), total: exact(data.catching_up.total) })}</p>`}
    <ul class="numbers">
      <${Number_} label=${t("Decisions")} value=${data.times} note=${t("something was found, by whomever")} />
      <${Number_} label=${t("Words stopped")} value=${data.stopped} note=${t("words that went no further")} />
      <${Number_} label=${t("Would have been stopped")} value=${data.would}
        note=${t("but for policies that only look on")} />
      <${Number_} label=${t("Decided by vendors")} value=${vendors} note=${t("by filters that are not ours")} />
    </ul>
    <div class="grid two">
      <${Figure} title=${t("Who decided")} note=${html`<${Key} series=${series} totals=${totals} />`}>
        ${(/** @type {boolean} */ table) => html`<${Timeline} label=${t("Who decided")} times=${times} series=${series}
          format=${exact} axis=${count} table=${table} />`}<//>
      <section class="card"><div class="section-head"><h2>${t("What was found")}</h2></div>
        <${Shares} label=${t("What was found")} what=${t("Decisions")} format=${count}
          parts=${parts(data.categories)} /></section>
    </div>
    <section class="card"><div class="section-head"><h2>${t("By each")}</h2></div><${By} rows=${data.by} /></section>
  </div>`;
}

/** @param {{ label: string, value: number, note: string }} props */
function Number_({ label, value, note }) {
  return html`<li class="card number-card"><h2>${label}</h2><p class="big">${count(value)}</p><p
    class="faint small">${note}</p></li>`;
}

/** The greatest categories, and the others together. @param {any[]} rows */
function parts(rows) {
  const all = rows.map((one, n) => ({ name: category(one.name), value: one.times, tone: (n % 6) + 1,
    note: one.stopped ? plural(one.stopped, "{n} stopped", "{n} stopped") : "" }));
  if (all.length <= MOST) return all;
  const rest = all.slice(MOST - 1);
  return [...all.slice(0, MOST - 1), { name: plural(rest.length, "{n} other", "{n} others"),
    value: rest.reduce((sum, one) => sum + one.value, 0), tone: /** @type {const} */ ("rest") }];
}

/** @param {{ rows: any[] }} props */
function By({ rows }) {
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "name", label: t("Who decided"), main: true, sort: (row) => decider(row.name),
      cell: (row) => decider(row.name) },
    { name: "times", label: t("Decisions"), numeric: true, sort: (row) => row.times, cell: (row) => exact(row.times) },
    { name: "stopped", label: t("Words stopped"), numeric: true, sort: (row) => row.stopped,
      cell: (row) => exact(row.stopped) },
    { name: "dry", label: t("Would have been stopped"), numeric: true, sort: (row) => row.dry,
      cell: (row) => exact(row.dry) },
    { name: "last", label: t("Last"), sort: (row) => row.last_at, cell: (row) => ago(row.last_at) },
  ];
  return html`<${Table} label=${t("Who decided")} columns=${columns} rows=${rows}
    keyOf=${(/** @type {any} */ row) => row.name} />`;
}

/** @param {{ rows: any[] }} props */
function Policies({ rows }) {
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "name", label: t("Policy"), main: true, sort: (row) => row.policy.name,
      cell: (row) => html`<span dir="auto">${row.policy.name}</span>${row.policy.dry_run
        && html` <${Badge} tone="warn">${t("only looks on")}<//>`}` },
    { name: "whom", label: t("Holds for"), cell: (row) => whom(row.policy).map((line) => html`<div
      key=${line}>${line}</div>`) },
    { name: "does", label: t("What it does"), cell: (row) => {
      const lines = does(row.policy, row.parts);
      return lines.length ? html`<ul class="plain">${lines.map((line) => html`<li key=${line}>${line}</li>`)}</ul>`
        : t("nothing");
    } },
  ];
  return html`<section class="section"><div class="section-head"><div><h2>${t("Policies in force")}</h2><p
      class="faint">${t("All that hold for a call hold together; the strictest action is taken.")}</p></div></div>
    ${rows.length ? html`<${Table} label=${t("Policies in force")} columns=${columns} rows=${rows}
        keyOf=${(/** @type {any} */ row) => row.policy.name} />`
      : html`<div class="card"><${Empty} title=${t("No policy yet")}><p>
        ${t("A table in freehold.toml makes one. This one notes what word lists find, and stops nothing:")}</p>
        <pre class="sample"><code>${'[policies.first]\ndry_run = true\nmoderation = { block = { "*" = 4 } }\ninjection = { action = "block" }'}</code></pre><//></div>`}
  </section>`;
}

/** Calls in which something was stopped, page by page. @param {{ span: string }} props */
function Stopped({ span }) {
  const of = useResource(`/api/admin/guards/stopped?span=${span}`);
  const [more, setMore] = useState(/** @type {{ calls: any[], next: number | null } | null} */ (null));
  const [wrong, setWrong] = useState(/** @type {any} */ (null));
  const next = more ? more.next : of.data?.next;
  const on = async () => {
    setWrong(null);
    try {
      const page = await call("GET", `/api/admin/guards/stopped?span=${span}&before=${next}`);
      setMore({ calls: [...(more?.calls ?? []), ...page.calls], next: page.next });
    } catch (error) {
      setWrong(problem(error));
    }
  };
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "at", label: t("When"), main: true, whole: true, cell: (row) => html`<a
      href="/console/ledger/${row.call}">${instant(row.at)}</a>` },
    { name: "who", label: t("Key"), cell: (row) => html`<span dir="auto">${row.key?.name || t("none")}</span>` },
    { name: "asked", label: t("Model asked"), cell: (row) => html`${row.asked}${row.deployment
      && row.deployment !== row.asked && html`<small>${row.deployment}</small>`}` },
    { name: "why", label: t("Decided"), cell: (row) => html`<${Verdicts} rows=${row.verdicts} />` },
  ];
  return html`<section class="section"><div class="section-head"><h2>${t("Stopped calls")}</h2></div>
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<${Table} label=${t("Stopped calls")} columns=${columns}
      rows=${[...data.calls, ...(more?.calls ?? [])]} keyOf=${(/** @type {any} */ row) => row.seq}
      empty=${html`<p class="faint">${t("None in this span of time.")}</p>`} />
      ${wrong && html`<${Trouble} error=${wrong} />`}
      ${next != null && html`<button type="button" class="button after" onClick=${on}>${t("Show more")}</button>`}`}<//>
  </section>`;
}

/** @param {{ data: any }} props */
function Try({ data }) {
  const [result, setResult] = useState(/** @type {any} */ (null));
  const form = useForm({ text: "", whose: "user", policy: "", ask: false }, async ({ text, whose, policy, ask }) => {
    setResult(null);
    const side = whose === "model" ? "output" : "input";
    const source = whose === "model" ? "user" : whose;
    setResult(await call("POST", "/api/admin/guards/try", { text, side, source, policy, ask }));
  });
  /** @type {[string, string][]} */
  const voices = [["user", t("a person who asks")], ["tool", t("a tool's result")], ["document", t("a document")],
    ["model", t("a model that answers")]];
  /** @type {[string, string][]} */
  const names = [["", t("all in force, whomever they hold for")],
    ...data.policies.map((/** @type {any} */ one) => [one.policy.name, one.policy.name])];
  const asks = me.changes && data.moderators.length > 0;
  return html`<section class="section"><div class="section-head"><div><h2>${t("Try a text")}</h2><p class="faint">
      ${t("Nothing of it is kept, and nothing leaves unless a moderator is asked.")}</p></div></div>
    <form class="card stack" onSubmit=${form.submit} novalidate>
      <${Field} form=${form} name="text" label=${t("Text")} rows=${4} required />
      <div class="grid two"><${Field} form=${form} name="whose" label=${t("Whose words")} options=${voices} required />
        <${Field} form=${form} name="policy" label=${t("Policy")} options=${names} required /></div>
      ${asks && html`<label class="choice"><input type="checkbox" checked=${form.values.ask}
        onChange=${(/** @type {any} */ event) => form.set("ask", event.currentTarget.checked)} />
        ${t("Ask the moderators too: a call on the ledger, under your own key")}</label>`}
      <${Wrong} form=${form} />
      <div class="row"><button class="button primary" disabled=${form.busy}>${form.busy
        && html`<span class="spinner"></span>`}${t("Look at it")}</button></div>
      <div role="status">${result && html`<${Found} result=${result} />`}</div>
    </form></section>`;
}

/** @param {{ result: any }} props */
function Found({ result }) {
  const personal = Object.entries(result.personal);
  const none = !result.rules.length && !result.attack.score && !personal.length && !result.verdicts.length;
  return html`<div class="stack">
    <p><${Badge} tone=${result.stopped ? "bad" : "good"}>${result.stopped ? t("It would be stopped")
      : t("It would pass")}<//> ${none && t("Nothing was found.")}</p>
    ${result.rules.length > 0 && html`<div><h3>${t("Word lists")}</h3><ul
      class="plain">${result.rules.map((/** @type {any} */ one) => html`<li key=${one.category}>
        ${category(one.category)}, ${severity(one.severity)} <small><code>${one.detail}</code></small></li>`)}</ul></div>`}
    ${result.attack.score > 0 && html`<div><h3>${t("Signs of an attack")}</h3><p>
      ${t("Score {score} of 1", { score: exact(result.attack.score, 2) })} <small><code>
      ${result.attack.signs.join(", ")}</code></small></p></div>`}
    ${personal.length > 0 && html`<div><h3>${t("Personal data and secrets")}</h3><ul
      class="plain">${personal.map(([kind, times]) => html`<li key=${kind}>${category(kind)}: ${exact(times)}
        </li>`)}</ul></div>`}
    ${result.asked.map((/** @type {any} */ one) => html`<div key=${one.deployment}><h3>
      ${decider(`deployment:${one.deployment}`)}</h3>${one.error ? html`<p class="error">${one.error.message}</p>`
        : html`<p>${one.findings.length ? one.findings.map((/** @type {any} */ f) =>
          `${category(f.category)}, ${severity(f.severity)}`).join("; ") : t("Nothing was found.")} <a
            href="/console/ledger/${one.call}">${t("Open the record")}</a></p>`}</div>`)}
    ${result.verdicts.length > 0 && html`<div><h3>${t("What the policies decide")}</h3><${Verdicts}
      rows=${result.verdicts} /></div>`}
  </div>`;
}

/** Our categories, and what others call them. @param {{ rows: any[] }} props */
function Names({ rows }) {
  const shown = (/** @type {string} */ text) => (text ? html`<code>${text}</code>` : "");
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "name", label: t("Category"), main: true, sort: (row) => category(row.name),
      cell: (row) => html`${category(row.name)}<small><code>${row.name}</code></small>` },
    { name: "openai", label: "OpenAI", sort: (row) => row.openai, cell: (row) => shown(row.openai) },
    { name: "azure", label: "Azure", sort: (row) => row.azure, cell: (row) => shown(row.azure) },
    { name: "mlcommons", label: "MLCommons", sort: (row) => row.mlcommons, cell: (row) => shown(row.mlcommons) },
  ];
  return html`<details class="section"><summary>${t("Categories, and what others call them")}</summary>
    <${Table} label=${t("Categories")} columns=${columns} rows=${rows}
      keyOf=${(/** @type {any} */ row) => row.name} /></details>`;
}
