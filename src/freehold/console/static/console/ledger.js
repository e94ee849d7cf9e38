// The ledger: what was asked, who saw it, what it cost. Filters stand in the address. Refuses to change an entry;
// nobody can.

import { call } from "../door.js";
import { listed, t } from "../i18n.js";
import { Menu, openDialog } from "../ui.js";
import { Bar } from "./charts.js";
import { Choice, Field, Wrong, useForm } from "./forms.js";
import { GONE, NONE, cash, count, exact, fault, instant, share, span, stamp } from "./format.js";
import { html, useEffect, useMemo, useState } from "./hooks.js";
import { Icon } from "./icons.js";
import Entry from "./entry.js";
import { go, useAddress, useResource, withQuery } from "./place.js";
import { Badge, Empty, Head, Loaded, Pick, Progress, Sheet, Table } from "./parts.js";

const FILTERS = ["kinds", "call", "key", "team", "asked", "deployment", "maker", "seller", "host", "compute", "chips",
  "region", "echoed", "contract", "terms", "function", "purpose", "data_class", "party", "recipient", "retention",
  "user", "error", "failed", "since", "until", "min_cost"];
/** @type {Record<string, number>} */
const LAST = { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000 };

/** @returns {[string, string][]} */
const times = () => [["1h", t("last hour")], ["24h", t("last 24 hours")], ["7d", t("last 7 days")],
  ["30d", t("last 30 days")], ["custom", t("from … until …")]];

/** @returns {[string, string][]} */
const kinds = () => [["intent", t("intents")], ["admin", t("acts of administration")],
  ["intent,outcome,admin", t("everything")]];

/** The filters of the address as the API takes them. @param {URLSearchParams} query */
function asked(query) {
  const wanted = new URLSearchParams();
  for (const name of FILTERS) if (query.get(name)) wanted.set(name, query.get(name) ?? "");
  const last = LAST[query.get("last") ?? ""];
  if (last) wanted.set("since", String(Date.now() - last));
  return wanted;
}

/** @param {{ rest: string }} props */
export default function Ledger({ rest }) {
  if (rest) return html`<${Entry} id=${rest} key=${rest} />`;
  return html`<${List} />`;
}

function List() {
  const { query } = useAddress();
  const totals = query.get("view") === "totals";
  const verify = () => openDialog((close) => html`<${Verify} close=${close} />`, { label: t("Verify the ledger") });
  const save = (/** @type {string} */ format) => `/api/admin/ledger/export?${new URLSearchParams({ format,
    ...Object.fromEntries(asked(query)) })}`;
  const tools = html`<button type="button" class="button" onClick=${verify}>${t("Verify")}</button>
    <${Menu} label=${t("Export")} class="button" items=${() => [
      { heading: t("What the filters let through") },
      { label: t("As CSV"), run: () => download(save("csv")) },
        { label: t("As JSON Lines"), run: () => download(save("jsonl")) }]}>${t("Export")}<//>`;
  return html`<${Head} title=${t("Ledger")} tools=${tools}
    note=${t("Who will see what is written here before it is sent, and what came of it after. Each entry seals the ones before it.")} />
    <${Filters} query=${query} />
    <div class="section-head after"><${Pick} label=${t("View")} value=${totals ? "totals" : "entries"}
      options=${[["entries", t("Entries")], ["totals", t("Totals")]]}
      onChange=${(/** @type {string} */ view) => go(withQuery({ view: view === "totals" ? view : null }))} />
      ${totals ? html`<${By} query=${query} />` : html`<${Order} query=${query} />`}</div>
    ${totals ? html`<${Totals} query=${query} />` : html`<${Entries} query=${query} />`}`;
}

/** @param {string} href */
function download(href) {
  Object.assign(document.createElement("a"), { href, download: "" }).click();
}

/** @param {{ query: URLSearchParams }} props */
function Filters({ query }) {
  const of = useResource("/api/admin/ledger/choices");
  const set = (/** @type {Record<string, string | null>} */ change) =>
    go(withQuery({ before: null, after: null, offset: null, ...change }));
  const some = [...FILTERS, "last"].filter((name) => query.get(name));
  const [open, setOpen] = useState(some.length > 0 && innerWidth > 700);
  const data = of.data ?? { makers: [], sellers: [], hosts: [], deployments: [], models: [], errors: [], keys: [],
    teams: [], regions: [], contracts: [], computes: [], chips: [], functions: [], purposes: [] };
  const pairs = (/** @type {string[]} */ values) => values.map((value) =>
    /** @type {[string, string]} */ ([value.replace(/[\\,]/g, "\\$&"), value === "own" ? t("ourselves") : value]));
  const named = (/** @type {any[]} */ values) => values.map(({ id, name }) =>
    /** @type {[string, string]} */ ([id, name]));
  /** @type {[string, string, [string, string][]][]} */
  const menus = [
    ["key", t("Key"), named(data.keys)], ["team", t("Team"), named(data.teams)],
      ["asked", t("Model asked"), pairs(data.models)],
    ["deployment", t("Deployment"), pairs(data.deployments)], ["maker", t("Maker"), pairs(data.makers)],
      ["seller", t("Seller"), pairs(data.sellers)],
    ["host", t("Host"), pairs(data.hosts)], ["compute", t("Owner of the machines"), pairs(data.computes)],
      ["chips", t("Chips"), pairs(data.chips)], ["region", t("Region"), pairs(data.regions)],
    ["contract", t("Contract"), pairs(data.contracts)], ["function", t("Function"), pairs(data.functions)],
      ["purpose", t("Purpose"), pairs(data.purposes)],
    ["error", t("Error"), data.errors.map((/** @type {string} */ code) => [code, fault(code)])],
  ];
  const custom = query.get("since") || query.get("until") || query.get("last") === "custom";
  /** @type {Record<string, string>} */
  const names = { ...Object.fromEntries(menus.map(([name, label]) => [name, label])), failed: t("Outcome"),
    last: t("Time"), since: t("From"), until: t("Until"), kinds: t("Kind"), call: t("Call"),
      min_cost: t("Costs at least"), data_class: t("Class of data"), party: t("Rests on"), recipient: t("Seen by"),
        retention: t("Kept for, days"), echoed: t("Region that answered"), terms: t("Version of the contract"),
          user: t("User") };
  const shown = (/** @type {string} */ name) => {
    const value = query.get(name) ?? "";
    if (name === "since" || name === "until") return instant(Number(value));
    if (name === "last") return times().find(([id]) => id === value)?.[1] ?? value;
    if (name === "kinds") return kinds().find(([id]) => id === value)?.[1] ?? value;
    if (name === "failed") return value === "true" ? t("failed") : t("answered");
    const known = menus.find(([id]) => id === name)?.[2].find(([id]) => id === value)?.[1];
    return known ?? value.replaceAll("(none)", t("none")).replace(/\\(.)/g, "$1");
  };
  return html`<section class="filters-box" aria-label=${t("Filters")}>
    <div class="toolbar"><button type="button" class="button" aria-expanded=${open} aria-controls="filters"
      onClick=${() => setOpen(!open)}><${Icon} name="filter" />${t("Filters")}</button>
      ${some.map((name) => html`<span key=${name} class="chip">${names[name]}: <b dir="auto">${shown(name)}</b><button
        type="button" aria-label=${t("Remove the filter {name}", { name: names[name] ?? name })}
        onClick=${() => set({ [name]: null })}><${Icon} name="close" /></button></span>`)}
      ${some.length > 1 && html`<button type="button" class="button quiet"
        onClick=${() => set(Object.fromEntries(some.map((name) => [name, null])))}>${t("Remove all")}</button>`}</div>
    ${open && html`<div class="card filter-grid" id="filters">
      <${Choice} label=${t("Time")} value=${custom ? "custom" : query.get("last") ?? ""} all=${t("all of it")}
        options=${times()}
        onChange=${(/** @type {string} */ last) => set({ last, since: null, until: null })} />
      ${custom && ["since", "until"].map((name) => html`<div key=${name} class="field"><label
        for="filter-${name}">${names[name]}</label>
        <input class="input" type="datetime-local" id="filter-${name}" value=${local(query.get(name))}
          onChange=${(/** @type {any} */ event) => set({ last: null, [name]: event.currentTarget.value
            ? String(new Date(event.currentTarget.value).getTime()) : null })} /></div>`)}
      <${Choice} label=${t("Outcome")} value=${query.get("failed") ?? ""} all=${t("any")}
        options=${[["false", t("answered")], ["true", t("failed")]]}
          onChange=${(/** @type {string} */ failed) => set({ failed })} />
      ${menus.map(([name, label, options]) => html`<${Choice} key=${name} label=${label} value=${query.get(name) ?? ""}
        all=${t("any")} options=${options} onChange=${(/** @type {string} */ value) => set({ [name]: value })} />`)}
      <${Choice} label=${t("Kind")} value=${query.get("kinds") ?? ""} all=${t("outcomes")} options=${kinds()}
        onChange=${(/** @type {string} */ kinds) => set({ kinds })} />
      <div class="field"><label for="filter-call">${t("Call")}</label><input class="input" id="filter-call"
        placeholder=${t("its id, as the client got it")} value=${query.get("call") ?? ""}
        onChange=${(/** @type {any} */ event) => set({ call: event.currentTarget.value.trim() })} /></div>
      <div class="field"><label for="filter-cost">${t("Costs at least")}</label><input class="input" id="filter-cost"
        inputmode="decimal" value=${query.get("min_cost") ?? ""}
        onChange=${(/** @type {any} */ event) => set({ min_cost: event.currentTarget.value.trim() })} /></div>
    </div>`}
  </section>`;
}

/** A moment as a field of date and time has it. @param {string | null} ms */
function local(ms) {
  if (!ms) return "";
  const at = new Date(Number(ms));
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @param {{ query: URLSearchParams }} props */
function Order({ query }) {
  return html`<${Pick} label=${t("Order")} value=${query.get("order") ?? "newest"}
    options=${[["newest", t("Newest")], ["oldest", t("Oldest")], ["dearest", t("Dearest")]]}
    onChange=${(/** @type {string} */ order) => go(withQuery({ order: order === "newest" ? null : order, before: null,
      after: null, offset: null }))} />`;
}

/** @param {{ query: URLSearchParams }} props */
function Entries({ query }) {
  const text = query.toString();
  const path = useMemo(() => {
    const wanted = asked(query);
    for (const name of ["order", "before", "after", "offset"]) if (query.get(name)) wanted.set(name, query.get(name)
      ?? "");
    return `/api/admin/ledger?${wanted}`;
  }, [text]);
  const of = useResource(path);
  const order = query.get("order") ?? "newest";
  const page = order === "newest" ? "before" : order === "oldest" ? "after" : "offset";
  return html`<${Loaded} of=${of}>${(/** @type {any} */ data) => html`<div aria-busy=${of.loading}
    class=${of.loading ? "late" : ""}>
    <${Table} label=${t("Entries")} columns=${columns()} rows=${data.entries}
      keyOf=${(/** @type {any} */ row) => row.seq}
      empty=${html`<div class="card"><${Empty} title=${t("No entry")}>${asked(query).size
        ? html`<p>${t("Nothing on the ledger is let through by these filters. Remove one of them.")}</p>`
        : html`<p>${t("The first call writes the first one. Ask something in the chat.")}</p><a class="button primary"
          href="/">${t("Open the chat")}</a>`}<//></div>`} />
    <nav class="pager" aria-label=${t("Pages")}>${query.get(page)
      && html`<a class="button" href=${withQuery({ [page]: null })}>${t("To the beginning")}</a>`}
      ${data.next != null && html`<a class="button" href=${withQuery({ [page]: String(data.next) })}>
        ${t("Next page")}</a>`}</nav></div>`}<//>`;
}

/** @returns {import("./parts.js").Column[]} */
function columns() {
  const own = (/** @type {string} */ name) => (name === "own" ? t("ourselves") : name);
  return [
    { name: "at", label: t("When"), main: true, whole: true,
      cell: (row) => html`<a href="/console/ledger/${encodeURIComponent(row.call)}">${stamp(row.at)}</a>` },
    { name: "key", label: t("Key"), whole: true, cell: (row) =>
      html`${row.key?.name ?? NONE}${row.team && html`<small>${row.team.name}</small>`}` },
    { name: "asked", label: t("Asked, sent"), cell: (row) =>
      (row.kind === "admin" ? act(row) : html`${row.asked}${row.sent !== row.asked
        && html`<small>${row.sent}</small>`}`) },
    { name: "where", label: t("Maker, seller, host"), cell: (row) =>
      html`${[...new Set([row.maker, row.seller, row.host].filter(Boolean).map(own))].join(" · ") || NONE}<small>
        ${row.deployment}${row.attempt > 0 && ` · ${t("attempt {n}", { n: row.attempt + 1 })}`}</small>` },
    { name: "outcome", label: t("Outcome"), cell: (row) => html`<${Outcome} row=${row} />` },
    { name: "tokens", label: t("Tokens in, out"), numeric: true,
      cell: (row) => (row.kind === "outcome" ? html`${listed([count(row.input), count(row.output)])}${row.estimated
        && html`<small>${t("counted by us")}</small>`}` : NONE) },
    { name: "cost", label: t("Cost"), numeric: true, cell: (row) => cash(row.cost) },
    { name: "time", label: t("Time"), numeric: true, cell: (row) =>
      html`${span(row.total_ms)}${row.first_ms != null && html`<small>
        ${t("first {time}", { time: span(row.first_ms) })}</small>`}` },
  ];
}

/** @param {any} row */
const act = (row) => html`<code>${row.note?.act ?? t("administration")}</code>`;

/** @param {{ row: any }} props */
export function Outcome({ row }) {
  if (row.kind === "intent") return html`<${Badge}>${t("Intent")}<//>`;
  if (row.kind === "admin") return html`<${Badge}>${t("Administration")}<//>`;
  if (!row.error) return html`<${Badge} tone="good">${t("Answered")}<//>`;
  return html`<${Badge} tone=${row.error === GONE ? "" : "bad"}>${fault(row.error)}<//>`;
}

/** What totals can be grouped by. @returns {[string, string][]} */
const groups = () => [["maker", t("Maker")], ["seller", t("Seller")], ["host", t("Host")],
  ["deployment", t("Deployment")], ["asked", t("Model asked")], ["answered", t("Model that answered")],
  ["key", t("Key")], ["team", t("Team")], ["compute", t("Owner of the machines")], ["chips", t("Chips")],
  ["region", t("Region")], ["contract", t("Contract")], ["function", t("Function")], ["purpose", t("Purpose")],
  ["data_class", t("Class of data")], ["error", t("Error")], ["day", t("Day")], ["month", t("Month")]];

/** @param {{ query: URLSearchParams }} props */
function By({ query }) {
  const [first = "maker", second = ""] = (query.get("by") ?? "maker").split(",");
  const set = (/** @type {string[]} */ ...names) =>
    go(withQuery({ by: [...new Set(names.filter(Boolean))].join(",") }));
  return html`<div class="toolbar by"><${Choice} label=${t("Grouped by")} value=${first} options=${groups()}
    onChange=${(/** @type {string} */ name) => set(name, second)} />
    <${Choice} label=${t("then by")} value=${second} all=${t("nothing more")}
      options=${groups().filter(([name]) => name !== first)}
        onChange=${(/** @type {string} */ name) => set(first, name)} /></div>`;
}

/** @param {{ query: URLSearchParams }} props */
function Totals({ query }) {
  const text = query.toString();
  const path = useMemo(() => {
    const wanted = asked(query);
    wanted.delete("kinds");
    return `/api/admin/ledger/totals?${new URLSearchParams({ by: query.get("by") ?? "maker",
      ...Object.fromEntries(wanted) })}`;
  }, [text]);
  const of = useResource(path);
  return html`<${Loaded} of=${of}>${(/** @type {any} */ data) => {
    const names = Object.fromEntries(groups());
    const most = Math.max(1, ...data.totals.map((/** @type {any} */ row) => row.attempts));
    const whole = data.totals.reduce((/** @type {number} */ sum, /** @type {any} */ row) => sum + row.attempts, 0);
    /** @type {import("./parts.js").Column[]} */
    const shown = [
      ...data.by.map((/** @type {string} */ by, /** @type {number} */ n) =>
        ({ name: by, label: names[by] ?? by, main: n === 0, sort: (/** @type {any} */ row) => row.names[n],
        cell: (/** @type {any} */ row) => (row.names[n] === "own" ? t("ourselves")
          : fault(row.names[n]) || t("none")) })),
      { name: "part", label: t("Share of attempts"), sort: (row) => row.attempts,
        cell: (row) => html`<div class="part"><${Bar} value=${row.attempts / most}
          /><span>${share(row.attempts / whole)}</span></div>` },
      { name: "attempts", label: t("Attempts"), numeric: true, sort: (row) => row.attempts,
        cell: (row) => exact(row.attempts) },
      { name: "failed", label: t("Failed"), numeric: true, sort: (row) => row.failed_attempts,
        cell: (row) => exact(row.failed_attempts) },
      { name: "input", label: t("Tokens in"), numeric: true, sort: (row) => row.input,
        cell: (row) => count(row.input) },
      { name: "output", label: t("Tokens out"), numeric: true, sort: (row) => row.output,
        cell: (row) => count(row.output) },
      { name: "cost", label: t("Cost"), numeric: true, sort: (row) => (row.cost ? Number(row.cost.amount) : null),
        cell: (row) => cash(row.cost) },
    ];
    return html`<${Table} key=${data.by.join()} label=${t("Totals")} columns=${shown} rows=${data.totals}
      keyOf=${(/** @type {any} */ row) => row.group.join("\n") + (row.cost?.currency ?? "")}
      sorted=${data.by[0] === "day" || data.by[0] === "month" ? [data.by[0], -1] : ["attempts", -1]}
      empty=${html`<div class="card"><${Empty} title=${t("Nothing to sum")}><p>
        ${t("No entry is let through by these filters.")}</p><//></div>`} />`;
  }}<//>`;
}

/** Walks over all seals, in the server. @param {{ close: () => void }} props */
function Verify({ close }) {
  const [job, setJob] = useState(/** @type {any} */ (null));
  const form = useForm({ expect: "" }, async ({ expect }) =>
    setJob(await call("POST", "/api/admin/ledger/verify", { expect: expect.trim() ? [expect.trim()] : [] })));
  useEffect(() => {
    if (job?.state !== "running") return;
    const timer = setTimeout(async () => setJob(await call("GET",
      `/api/admin/jobs/${job.id}`).catch((error) => ({ ...job, state: "failed", error }))), 700);
    return () => clearTimeout(timer);
  }, [job]);
  const busy = job?.state === "running";
  const footer = html`<button type="button" class="button" onClick=${() => close()}>${t("Close")}</button><button
    class="button primary" disabled=${busy || form.busy}>${job ? t("Verify again") : t("Verify")}</button>`;
  return html`<${Sheet} title=${t("Verify the ledger")} close=${close} onSubmit=${form.submit} footer=${footer}>
    <p>${t("Every seal is computed anew. An entry that was changed, removed or put in between breaks the chain from there on, and is named.")}</p>
    <${Field} form=${form} name="expect" label=${t("A seal that you kept")} placeholder="SEQ:HASH"
      hint=${t("Kept outside this server, it shows that the end was not cut off or written anew.")} />
    <${Wrong} form=${form} />
    <div role="status">
      ${busy && html`<div class="stack"><${Progress} label=${t("Verify the ledger")} done=${job.done} total=${job.total}
        /><p class="faint">${t("{done} of {all} entries", { done: exact(job.done), all: exact(job.total) })}</p></div>`}
      ${job?.state === "failed" && html`<p class="error">${job.error?.message}</p>`}
      ${job?.state === "done" && (job.result.ok
        ? html`<div class="sound"><strong>${t("The ledger is sound.")}</strong><p>
          ${t("{n} entries; the last seal is below. Keep it somewhere else.", { n: exact(job.result.entries) })}</p>
            <code>${job.result.head}</code></div>`
        : html`<div class="error"><strong>${t("The chain is broken at entry {seq}.",
          { seq: exact(job.result.fault_seq) })}</strong><p>${job.result.fault}</p></div>`)}
    </div>
  <//>`;
}
