// One contract: what it asks, its terms with where each comes from, its versions, the clauses of laws. Refuses to
// change it: it stands in a file.

import { listed, plural, t } from "../i18n.js";
import { Clauses, Days, Findings, Pace, State, away, day } from "./duties.js";
import { html } from "./hooks.js";
import { go, useAddress, useResource, withQuery } from "./place.js";
import { Badge, Facts, Head, Loaded, Pick, Table } from "./parts.js";

/** @param {{ id: string }} props */
export default function Contract({ id }) {
  const of = useResource(`/api/admin/contracts/${encodeURIComponent(id)}`);
  const tools = html`<a class="button" download="contracts.ics"
    href="/api/admin/contracts/calendar.ics?contract=${encodeURIComponent(id)}&days=730">${t("Calendar file")}</a>`;
  return html`<${Head} title=${of.data?.row.title || id} back=${{ href: "/console/contracts", label: t("Contracts") }}
      note=${of.data && html`<${Note} row=${of.data.row} />`} tools=${tools} />
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<${Body} data=${data} />`}<//>`;
}

/** @param {{ row: any }} props */
function Note({ row }) {
  return html`<span class="row"><${State} state=${row.state} /><code>${row.id}</code>
    <span>${t("version {name}", { name: row.version })}</span><code>${row.hash}</code></span>`;
}

/** @param {{ data: any }} props */
function Body({ data }) {
  const { query } = useAddress();
  const views = { asks: t("What it asks"), terms: t("Terms"), versions: t("Versions"), clauses: t("Clauses") };
  const asked = query.get("view") ?? "";
  const view = asked in views ? asked : "asks";
  const { row, dates } = data;
  return html`<section class="card before"><${Facts} rows=${[
      [t("With"), listed([row.supplier, row.maker && row.maker !== row.supplier ? row.maker : ""])],
      [t("First day"), day(dates.first)],
      [t("Last day"), `${day(dates.last) || t("open-ended")}${dates.renews ? ` (${t("renews itself")})` : ""}`],
      [t("Notice by"), dates.notice_by && `${day(dates.notice_by)} (${away(dates.notice_by, data.day)})`],
      [t("Earliest day without it"), dates.free_from && day(dates.free_from)],
      [t("Answered for by"), row.owner || t("nobody")],
      [t("Deployments under it"), row.deployments.length ? html`<a
        href="/console/deployments">${listed(row.deployments)}</a>` : t("none")],
      [t("File"), html`<code>${row.path}</code>`],
    ]} /></section>
    <${Pick} label=${t("View")} value=${view} options=${Object.entries(views)}
      onChange=${(/** @type {string} */ id) => go(withQuery({ view: id === "asks" ? null : id }))} />
    <div class="after">${view === "terms" ? html`<${Terms} data=${data} />`
      : view === "versions" ? html`<${Versions} data=${data} />`
        : view === "clauses" ? html`<h2 class="visually-hidden">${t("Clauses")}</h2>
          ${data.clauses.length ? html`<${Clauses} lists=${data.clauses} />`
            : html`<p class="notice">${t("It is no longer in force, so nothing is looked for in it.")}</p>`}`
          : html`<${Asks} data=${data} />`}</div>`;
}

/** @param {{ data: any }} props */
function Asks({ data }) {
  return html`<section><div class="section-head"><h2>${t("What was found")}</h2></div>
      <${Findings} findings=${data.findings} /></section>
    ${data.paces.length > 0 && html`<section class="section"><div class="section-head"><h2>${t("Commitments")}</h2></div>
      <div class="stack">${data.paces.map((/** @type {any} */ pace) => html`<${Pace} key=${pace.commitment}
        pace=${pace} />`)}</div></section>`}
    <section class="section"><div class="section-head"><h2>${t("Due in the next two years")}</h2></div>
      <${Days} events=${data.events} today=${data.day} empty=${t("Nothing is due in the next two years.")} /></section>`;
}

/** @param {string} title */
function section(title) {
  return { Parties: t("Parties"), Chain: t("Chain"), Term: t("Term"), Commitments: t("Commitments"),
    Prices: t("Prices"), Limits: t("Limits"), Data: t("Data"), "Use of answers": t("Use of answers"),
    "Exclusivity and first refusal": t("Exclusivity and first refusal"), "Revenue share": t("Revenue share"),
    Service: t("Service"), Audit: t("Audit"), DORA: t("DORA") }[/** @type {"Term"} */ (title)] ?? title;
}

/** @param {{ data: any }} props */
function Terms({ data }) {
  const empty = data.sections.filter((/** @type {any} */ one) => !one.lines.length);
  return html`${data.sections.filter((/** @type {any} */ one) => one.lines.length).map((/** @type {any} */ one) =>
      html`<section key=${one.title} class="card before"><h2>${section(one.title)}</h2>
        <dl class="pairs terms">${one.lines.map((/** @type {any} */ line) => html`<div key=${line.field}>
          <dt dir="auto" title=${line.field}>${line.label}</dt><dd dir="auto">${line.value}${line.sources.map(
            (/** @type {number} */ n) => html` <a key=${n} class="source" href="#source-${n + 1}"
              aria-label=${t("Source {n}", { n: n + 1 })}>[${n + 1}]</a>`)}</dd></div>`)}</dl>
        ${one.unstated.length > 0 && html`<p class="faint small after">${t("Not stated:")} <span
          dir="auto">${listed(one.unstated)}</span></p>`}</section>`)}
    ${empty.length > 0 && html`<p class="faint">${t("Nothing is stated of:")} ${listed(empty.map(
      (/** @type {any} */ one) => section(one.title)))}</p>`}
    ${data.note && html`<section class="section"><h2>${t("Note")}</h2><p dir="auto">${data.note}</p></section>`}
    <section class="section"><div class="section-head"><h2>${t("Where values come from")}</h2></div>
      ${data.sources.length ? html`<ol class="card sources">${data.sources.map((/** @type {string} */ text,
        /** @type {number} */ n) => html`<li key=${n} id="source-${n + 1}" dir="auto" tabindex="-1">${text}</li>`)}</ol>`
        : html`<p class="notice">${t("The file names no source of its values.")}</p>`}</section>`;
}

/** @param {{ data: any }} props */
function Versions({ data }) {
  /** @type {import("./parts.js").Column[]} */
  const chain = [
    { name: "id", label: t("Version"), main: true, cell: (row) => (row.id === data.row.id
      ? html`<strong aria-current="true">${row.id}</strong><small>${t("this one")}</small>`
      : html`<a href="/console/contracts/${encodeURIComponent(row.id)}?view=versions">${row.id}</a>
        <small>${row.version}</small>`) },
    { name: "state", label: t("State"), cell: (row) => html`<${State} state=${row.state} />` },
    { name: "first", label: t("First day"), whole: true, cell: (row) => day(row.first) },
    { name: "last", label: t("Last day"), whole: true, cell: (row) => day(row.last) || t("open-ended") },
    { name: "hash", label: t("Fingerprint"), cell: (row) => html`<code>${row.hash}</code>` },
  ];
  return html`<section><div class="section-head"><h2>${t("Versions")}</h2></div>
    <${Table} label=${t("Versions")} columns=${chain} rows=${[...data.chain].reverse()}
      keyOf=${(/** @type {any} */ row) => row.id} /></section>
    ${data.compared.length ? data.compared.map((/** @type {any} */ one) => html`<${Changes} key=${one.new} one=${one} />`)
      : html`<p class="notice after">${t("There is no other version to compare it with.")}</p>`}`;
}

/** @param {{ one: any }} props */
function Changes({ one }) {
  const words = { better: t("better for us"), worse: t("worse for us") };
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "field", label: t("Term"), main: true, cell: (row) => html`<code>${row.field}</code>` },
    { name: "was", label: t("Was"), cell: (row) => html`<span dir="auto">${row.was ?? t("not stated")}</span>` },
    { name: "now", label: t("Is"), cell: (row) => html`<span dir="auto">${row.now ?? t("not stated")}</span>` },
    { name: "means", label: t("What that means"), cell: (row) => html`${row.for_us && html`<${Badge}
      tone=${row.for_us === "better" ? "good" : row.for_us === "worse" ? "bad" : ""}>
      ${words[/** @type {"better"} */ (row.for_us)] ?? row.for_us}<//> `}<span dir="auto">${row.means}</span>` },
  ];
  const title = t("From {old} to {new}", { old: one.old, new: one.new });
  return html`<section class="section"><div class="section-head"><h2>${title}</h2>
      <p class="faint">${plural(one.changes.length, "{n} term changed", "{n} terms changed")}</p></div>
    <${Table} label=${title} columns=${columns} rows=${one.changes} keyOf=${(/** @type {any} */ row) => row.field}
      empty=${html`<p class="notice">${t("No term changed.")}</p>`} /></section>`;
}
