// What rests on whom: each counterparty in one line, then functions, dimensions and how it went. Refuses to reckon: the
// server does.

import { listed, number, plural, t } from "../i18n.js";
import { Bar, Figure, Key, Shares, Spark, Timeline } from "./charts.js";
import { NONE, amount, cash, count, exact, purse, share, span } from "./format.js";
import { html } from "./hooks.js";
import { go, useAddress, useResource, withQuery } from "./place.js";
import { Badge, Empty, Head, Loaded, Pick, Table } from "./parts.js";
import { behind, dayName, dimensions, named, role, spanName } from "./dependency_words.js";

const SPANS = ["7d", "30d", "90d", "365d"];
const MEASURES = ["spend", "tokens", "requests"];
const DAY = 86_400_000;
const MOST = 6; // parts of a whole that have a bar of their own
const FEW = 3; // functions that are named beside a counterparty

export default function Dependency() {
  const { query } = useAddress();
  const wanted = new URLSearchParams();
  for (const name of ["span", "measure", "by", "function", "merged", "currency"]) if (query.get(name)) wanted.set(name,
    query.get(name) ?? "");
  const of = useResource(`/api/admin/dependency?${wanted}`);
  const set = (/** @type {Record<string, string | null>} */ change) => go(withQuery(change), { replace: true });
  const words = { spend: t("Spend"), tokens: t("Tokens"), requests: t("Requests") };
  const tools = html`<${Pick} label=${t("Span of time")} value=${SPANS.includes(query.get("span") ?? "")
    ? query.get("span") : "30d"} options=${SPANS.map((id) => [id, spanName(id)])}
      onChange=${(/** @type {string} */ id) => set({ span: id === "30d" ? null : id })} />
    <${Pick} label=${t("Measured by")} value=${query.get("measure") ?? of.data?.measure ?? "spend"}
      options=${MEASURES.map((id) => [id, words[/** @type {"spend"} */ (id)]])}
      onChange=${(/** @type {string} */ measure) => set({ measure })} />
    <label class="choice live"><input type="checkbox" role="switch" class="switch"
      checked=${query.get("merged") !== "false"} onChange=${(/** @type {any} */ event) =>
        set({ merged: event.currentTarget.checked ? null : "false" })} />${t("Groups as one")}</label>`;
  return html`<${Head} title=${t("Dependency")} tools=${tools}
      note=${t("What rests on whom, from the calls themselves. Each number opens the entries behind it.")} />
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<div class="dependency" aria-busy=${of.loading}>
      ${data.catching_up && html`<p
        class="notice">${t("The ledger is being summed: {done} of {total} entries. The figures below are partial until then.",
        { done: exact(data.catching_up.done), total: exact(data.catching_up.total) })}</p>`}
      ${data.function !== null && html`<div class="toolbar before"><span class="chip">${t("Function")}: <b
        dir="auto">${title(data)}</b></span><button type="button" class="button quiet"
          onClick=${() => set({ function: null })}>${t("All functions")}</button></div>`}
      ${data.whole.requests + data.whole.failed
        ? html`<${Glance} data=${data} /><${Parties} data=${data} /><${Functions} data=${data} /><${Parts} data=${data}
          set=${set} /><${Rest} data=${data} />`
        : html`<div class="card"><${Empty} title=${t("No calls in this span of time")}>
            <p>${t("What rests on whom is seen from the first call on. Calls for tests and guards do not count here.")}</p>
            <a class="button primary" href="/">${t("Open the chat")}</a><//></div>${data.counterparties.length > 0
              && html`<${Parties} data=${data} />`}`}
    </div>`}<//>`;
}

/** @param {any} data */
const title = (data) => data.functions[0]?.title || t("no function");

/** What a board asks first. @param {{ data: any }} props */
function Glance({ data }) {
  const [first] = data.counterparties;
  const seller = data.dimensions.find((/** @type {any} */ one) => one.by === "seller");
  const due = data.counterparties.filter((/** @type {any} */ one) => one.notice?.by)
    .sort((/** @type {any} */ a, /** @type {any} */ b) => (a.notice.by < b.notice.by ? -1 : 1))[0];
  const outside = data.counterparties.filter((/** @type {any} */ one) => one.outside.until || one.outside.unstated);
  /** @type {[string, any, any][]} */
  const cards = [
    [t("Largest counterparty"), first?.share ? html`<a href=${behind(data, { party: first.members })}>
      ${share(first.share)}</a>` : NONE, first?.share ? named(first) : t("nobody outside")],
    [t("Concentration by seller"), seller.hhi_points === null ? NONE : exact(seller.hhi_points),
      t("of 10,000 (HHI {hhi}; 1 is all with one)", { hhi: index(seller.hhi) })],
    [t("With a second target"), share(data.second.ready), t("in the same route, with others; not yet proven")],
    [t("Notice due next"), due ? dayName(due.notice.by) : NONE, due ? html`${named(due)}, ${contract(due.notice)}`
      : t("no contract on file wants any")],
    [t("May be held outside"), plural(outside.length, "{n} party", "{n} parties"),
      html`<a href="#held">${t("all that people made here is kept here")}</a>`],
  ];
  return html`<ul class="numbers">${cards.map(([label, value, note]) => html`<li key=${label}
    class="card number-card calm"><h2>${label}</h2><p class="big">${value}</p><p class="faint small">${note}</p></li>`)}
    </ul>`;
}

/** @param {number | null} value */
const index = (value) => (value === null ? NONE
  : number(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 }));

/** @param {any} notice */
const contract = (notice) => html`<a href="/console/contracts/${encodeURIComponent(notice.contract)}"><code>
  ${notice.contract}</code></a>`;

/** One line for each counterparty. @param {{ data: any }} props */
function Parties({ data }) {
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "name", label: t("Counterparty"), main: true, sort: named, cell: (row) => html`${named(row)}<small>
      ${Object.entries(row.roles).map(([by, part], n) => html`${n > 0 && " · "}<a key=${by}
        href=${behind(data, { [by]: row.members })}>${role(by)} ${share(/** @type {any} */ (part))}</a>`)}</small>` },
    { name: "share", label: t("Share of all"), numeric: true, sort: (row) => row.share, cell: (row) => html`<div
      class="part"><${Bar} value=${row.share} /><a href=${behind(data, { party: row.members })}>${share(row.share)}</a>
      </div>` },
    { name: "trend", label: t("Trend"), whole: true, cell: (row) => html`<${Spark} values=${row.trend} wide=${96}
      /><small>${ends(row.trend)}</small>` },
    { name: "functions", label: t("Functions that rest on it"), cell: (row) => html`<${Relying} data=${data}
      row=${row} />` },
    { name: "second", label: t("Second target"), numeric: true, sort: (row) => row.second.ready,
      cell: (row) => (row.share ? html`${share(row.second.ready)}<small>${lacking(row.second)}</small>` : NONE) },
    { name: "notice", label: t("Notice by"), whole: true, sort: (row) => row.notice?.by ?? row.notice?.ends,
      cell: (row) => html`<${Notice} notice=${row.notice} />` },
    { name: "held", label: t("May hold of ours"), numeric: true, sort: (row) => row.outside.requests,
      cell: (row) => html`<${Outside} data=${data} row=${row} />` },
  ];
  return html`<section class="section"><div class="section-head"><div><h2>${t("Counterparties")}</h2>
      <p class="faint">${t("A call rests on its maker, seller, host and whose machines it runs on, so shares add up to more than 100 %. What runs on our own machines rests on nobody.")}</p></div></div>
    <${Table} label=${t("Counterparties")} columns=${columns} rows=${data.counterparties}
      keyOf=${(/** @type {any} */ row) => row.id} faded=${(/** @type {any} */ row) => !row.requests}
      empty=${html`<p class="notice">${t("No call rested on anybody outside.")}</p>`} /></section>`;
}

/** How a share began and where it is. @param {(number | null)[]} values */
function ends(values) {
  const known = values.filter((value) => value !== null);
  return known.length > 1 ? t("{from} to {until}", { from: share(known[0]), until: share(known[known.length - 1]) }) : "";
}

/** @param {{ data: any, row: any }} props */
function Relying({ data, row }) {
  const functions = row.functions;
  if (!functions.length) return NONE;
  return html`<ul class="plain relying">${functions.slice(0, FEW).map((/** @type {any} */ one) => html`<li key=${one.id}><a
    href=${behind(data, { party: row.members, function: [one.id] })}>${one.title || t("no function")}</a> ${share(one.share)}
    </li>`)}${functions.length > FEW && html`<li class="faint small">
      ${plural(functions.length - FEW, "{n} other", "{n} others")}</li>`}</ul>`;
}

/** Why not all of it could go elsewhere. @param {any} second */
function lacking(second) {
  const words = { unhealthy: t("not well"), forbidden: t("not allowed"), none: t("none"), gone: t("no route") };
  const some = Object.entries(words).filter(([name]) => second[name])
    .map(([name, word]) => `${word} ${share(second[name])}`);
  return listed(some) || t("not yet proven");
}

/** @param {{ notice: any }} props */
function Notice({ notice }) {
  if (!notice) return NONE;
  return html`${notice.by ? dayName(notice.by) : t("ends {day}", { day: dayName(notice.ends) })}<small>${contract(notice)}
    ${notice.missed && html` ${t("missed for this term")}`}</small>`;
}

/** What a party may still hold, by how long it was said to keep it. @param {{ data: any, row: any }} props */
function Outside({ data, row }) {
  const { outside } = row;
  const today = data.until - DAY;
  const some = Object.entries(outside.by_days).filter(([days]) => days !== "0");
  if (!some.length) return NONE;
  return html`${some.map(([days, requests]) => html`<div key=${days}><a href=${behind(data, { recipient: row.members,
    retention: [days] }, { since: Number(days) < 0 ? null : today - Number(days) * DAY, purposes: false })}>
    ${plural(requests, "{n} request", "{n} requests")}</a><small>${Number(days) < 0 ? t("nobody says how long")
      : plural(Number(days), "kept for {n} day", "kept for {n} days")}</small></div>`)}
    ${outside.until && html`<small>${t("until {day}", { day: dayName(outside.until) })}</small>`}`;
}

/** What was put together under an id. @param {any[]} some @param {string} id @returns {string[]} */
const membersOf = (some, id) => some.find((one) => one.id === id)?.members ?? [id];

/** Business functions, the worst one first. @param {{ data: any }} props */
function Functions({ data }) {
  const [by, word] = dimensions().find(([id]) => id === data.by) ?? dimensions()[1] ?? ["seller", ""];
  const of = (/** @type {any} */ row) => row.largest.find((/** @type {any} */ one) => one.by === by);
  const { parts } = data.dimensions.find((/** @type {any} */ one) => one.by === by);
  const names = { critical: t("critical"), important: t("important"), ordinary: t("ordinary") };
  const tones = { critical: "bad", important: "warn", ordinary: "" };
  const kind = (/** @type {any} */ row) => /** @type {"critical"} */ (row.criticality);
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "name", label: t("Function"), main: true, cell: (row) => html`<a href=${withQuery({ function: row.id
      || "(none)" })}>${row.title || t("no function")}</a><small>${listed([row.owner,
        row.rto !== null && t("may stand still for {time}", { time: span(row.rto * 1000) })].filter(Boolean))}</small>` },
    { name: "criticality", label: t("Criticality"), cell: (row) => (row.criticality ? html`<${Badge}
      tone=${tones[kind(row)]}>${names[kind(row)]}<//>` : NONE) },
    { name: "share", label: t("Share of all"), numeric: true, sort: (row) => row.share, cell: (row) => html`<a
      href=${behind(data, { function: [row.id] })}>${share(row.share)}</a>` },
    { name: "worst", label: t("Rests most on"), sort: (row) => row.worst_share, cell: (row) => (!row.share ? NONE
      : !row.worst ? t("ourselves") : html`<div class="part"><${Bar} value=${row.worst_share} />
        <a href=${behind(data, { party: membersOf(data.counterparties, row.worst), function: [row.id] })}>
          ${share(row.worst_share)}</a></div>${row.worst_name}`) },
    { name: "hhi", label: t("{dimension}: largest, HHI", { dimension: word }), sort: (row) => of(row)?.hhi,
      cell: (row) => (of(row)?.hhi == null ? NONE : html`${named(of(row))} <a href=${behind(data, { function: [row.id],
        [by]: membersOf(parts, of(row).id) })}>${share(of(row).share)}</a><small>
        ${index(of(row).hhi)} · ${t("{n} of 10,000", { n: exact(of(row).hhi_points) })}</small>`) },
    { name: "second", label: t("Second target"), numeric: true, sort: (row) => row.second.ready,
      cell: (row) => (row.share ? html`${share(row.second.ready)}<small>${lacking(row.second)}</small>` : NONE) },
  ];
  return html`<section class="section"><div class="section-head"><div><h2>${t("Business functions")}</h2>
      <p class="faint">${t("The worst one first: by how critical it is, then by how much of it rests on one counterparty. Freehold knows them from [functions] in its configuration.")}</p></div></div>
    <${Table} label=${t("Business functions")} columns=${columns} rows=${data.functions}
      keyOf=${(/** @type {any} */ row) => row.id} faded=${(/** @type {any} */ row) => !row.requests} /></section>`;
}

/** All dimensions, and one of them over time. @param {{ data: any, set: (change: any) => void }} props */
function Parts({ data, set }) {
  const all = dimensions();
  const word = all.find(([id]) => id === data.by)?.[1] ?? data.by;
  const { trend } = data;
  const sums = trend.starts.map((/** @type {number} */ _, /** @type {number} */ n) =>
    trend.lines.reduce((/** @type {number} */ sum, /** @type {any} */ line) => sum + Number(line.values[n]), 0));
  const series = trend.lines.map((/** @type {any} */ line, /** @type {number} */ n) => ({
    name: line.id === null ? t("others") : named(line), tone: line.id === null ? "rest" : n + 1,
    values: line.values.map((/** @type {any} */ value, /** @type {number} */ k) => (sums[k] ? Number(value) / sums[k]
      : null)),
  }));
  const concentration = [{ name: t("HHI"), values: trend.hhi, tone: 4 }];
  const nothing = trend.lines.length ? undefined : html`<p class="faint">${data.measure === "spend"
    ? t("No price is known of these calls; measure them by tokens or requests.") : NONE}</p>`;
  return html`<section class="section"><div class="section-head"><div><h2>${t("Shares and concentration")}</h2>
      <p class="faint">${t("The Herfindahl-Hirschman index (HHI) adds up the squares of the shares: 1 when all is with one, near 0 when it is spread thinly. Times 10,000 it is the scale that competition authorities use.")}</p></div>
      <div class="field"><label for="by">${t("Over time by")}</label><select class="select" id="by" value=${data.by}
        onChange=${(/** @type {any} */ event) => set({ by: event.currentTarget.value })}>
        ${all.map(([id, label]) => html`<option key=${id} value=${id}>${label}</option>`)}</select></div></div>
    <div class="grid two">
      <${Figure} title=${t("{dimension}: shares over time", { dimension: word })} empty=${nothing}
        note=${html`<${Key} lines series=${series} />`}>${(/** @type {boolean} */ table) => html`<${Timeline}
          label=${t("{dimension}: shares over time", { dimension: word })} kind="lines" times=${trend.starts}
          series=${series} format=${share} table=${table} />`}<//>
      <${Figure} title=${t("{dimension}: concentration over time", { dimension: word })} empty=${nothing}
        note=${html`<p>${t("HHI from 0 to 1, each stretch by itself")}</p>`}>${(/** @type {boolean} */ table) => html`<${Timeline}
          label=${t("{dimension}: concentration over time", { dimension: word })} kind="lines" times=${trend.starts}
          series=${concentration} format=${(/** @type {any} */ value) => index(value ?? null)} table=${table} />`}<//>
    </div>
    <div class="grid three after">${all.map(([id, label]) => html`<${Dimension} key=${id} data=${data} label=${label}
      of=${data.dimensions.find((/** @type {any} */ one) => one.by === id)} />`)}</div></section>`;
}

/** @param {{ data: any, label: string, of: any }} props */
function Dimension({ data, label, of }) {
  const value = (/** @type {any} */ part) => (data.measure === "spend" ? amount(part.spend, data.currency)
    : data.measure === "tokens" ? part.tokens : part.requests);
  const some = of.parts.filter((/** @type {any} */ part) => value(part) > 0);
  const rest = some.slice(some.length > MOST ? MOST - 1 : MOST);
  /** @type {any[]} */
  const shown = some.slice(0, some.length - rest.length).map((/** @type {any} */ part, /** @type {number} */ n) => ({
    name: named(part), value: value(part), tone: n + 1, href: behind(data, { [of.by]: part.members }),
    note: part.members.length > 1 ? listed(part.members.map((/** @type {string} */ id) => named({ id }))) : "",
  }));
  if (rest.length) shown.push({ name: plural(rest.length, "{n} other", "{n} others"), tone: "rest", href: "", note: "",
    value: rest.reduce((/** @type {number} */ sum, /** @type {any} */ part) => sum + value(part), 0) });
  const format = (/** @type {any} */ number) => (data.measure === "spend" ? cash({ currency: data.currency,
    amount: String(number ?? 0) }) : count(number));
  const points = of.hhi_points === null ? "" : t("{n} of 10,000", { n: exact(of.hhi_points) });
  return html`<section class="card"><div class="section-head"><h3>${label}</h3><p class="numeric">
      <b>${index(of.hhi)}</b> <span class="faint small">${points}</span></p></div>
    ${shown.length ? html`<${Shares} label=${label} what=${t("Amount")} parts=${shown} format=${format} />`
      : html`<p class="faint">${NONE}</p>`}</section>`;
}

/** What is held here, what does not count, and what these figures do not know. @param {{ data: any }} props */
function Rest({ data }) {
  const { whole } = data;
  const others = whole.spend.filter((/** @type {any} */ one) => one.currency !== data.currency);
  const spend = data.measure === "spend";
  const said = [
    t("A second target stands in the same route, rests on others, is allowed to take the calls and is well now. That it does the work as well is not yet proven."),
    spend && whole.unpriced > 0 && plural(whole.unpriced, "{n} request has no known price and is in no share of spend.",
      "{n} requests have no known price and are in no share of spend."),
    spend && others.length > 0 && t("Beside {currency} there is {amounts}; nothing here converts currencies.",
      { currency: data.currency, amounts: purse(others) }),
    data.compute_assumed > 0 && t("For {share} nobody said whose machines it ran on; the host's were taken.",
      { share: share(data.compute_assumed) }),
    data.recipients_assumed > 0 && plural(data.recipients_assumed,
      "{n} entry is too old to say who saw the words; its host and seller were taken.",
      "{n} entries are too old to say who saw the words; their hosts and sellers were taken."),
    whole.failed > 0 && plural(whole.failed, "{n} attempt failed; it counts for spend and tokens alone.",
      "{n} attempts failed; they count for spend and tokens alone."),
  ].filter(Boolean);
  return html`<section class="section grid two">
    <div class="card stack" id="held"><h2>${t("Held by ourselves")}</h2>
      <p><b>${share(1)}</b> ${t("of what people made here is kept here, by construction: no vendor keeps a conversation or a file for us.")}</p>
      <ul class="tags">${kept(data.ours).map((text) => html`<li key=${text}><${Badge}>${text}<//></li>`)}</ul>
      ${data.apart.length > 0 && html`<h2>${t("Apart from all of this")}</h2>
        <p class="faint">${t("What was done for tests and guards counts in no share.")}</p>
        <ul class="plain">${data.apart.map((/** @type {any} */ one) => html`<li key=${one.purpose}><a
          href=${behind(data, { purpose: [one.purpose] })}>${one.purpose}</a>: ${plural(one.requests, "{n} request",
            "{n} requests")}, ${purse(one.spend)}</li>`)}</ul>`}</div>
    <div class="card stack"><h2>${t("What these figures say, and what not")}</h2>
      <ul class="said small">${said.map((text) => html`<li key=${text}>${text}</li>`)}</ul></div></section>`;
}

/** @param {Record<string, number>} ours */
const kept = (ours) => [
  plural(ours.conversation ?? 0, "{n} conversation", "{n} conversations"),
  plural(ours.message ?? 0, "{n} message", "{n} messages"), plural(ours.file ?? 0, "{n} file", "{n} files"),
  plural(ours.project ?? 0, "{n} project", "{n} projects"), plural(ours.prompt ?? 0, "{n} prompt", "{n} prompts"),
  plural(ours.assistant ?? 0, "{n} assistant", "{n} assistants"),
  plural(ours.memory ?? 0, "{n} memory", "{n} memories"),
];
