// Contracts: with whom, until when, what is to be decided next, whether promises will be met. They stand in files, so
// nothing is changed here.

import { listed, t } from "../i18n.js";
import Contract from "./contract.js";
import { Bar, Days, Findings, Found, State, away, day } from "./duties.js";
import { NONE, exact } from "./format.js";
import { html } from "./hooks.js";
import { useResource } from "./place.js";
import { Empty, Head, Loaded, Table } from "./parts.js";

/** @param {{ rest: string }} props */
export default function Contracts({ rest }) {
  if (rest) return html`<${Contract} id=${rest} key=${rest} />`;
  return html`<${List} />`;
}

function List() {
  const of = useResource("/api/admin/contracts");
  const tools = html`<a class="button" href="/api/admin/contracts/calendar.ics"
    download="contracts.ics">${t("Calendar file")}</a>`;
  return html`<${Head} title=${t("Contracts")} tools=${tools}
      note=${t("What was agreed with those who make, sell and host models. It stands in files, and binds every call.")} />
    <${Loaded} of=${of}>${(/** @type {any} */ data) => (data.contracts.length ? html`<${Body} data=${data} />`
      : html`<div class="card"><${Empty} title=${t("No contract yet")}>
        <p>${t("Each contract is a file. Name them in freehold.toml, and the contract in each deployment that is under it.")}</p>
        <pre class="sample"><code>${'[contracts]\ninclude = ["contracts/*.toml"]'}</code></pre><//></div>`)}<//>`;
}

/** @param {{ data: any }} props */
function Body({ data }) {
  const standing = data.contracts.filter((/** @type {any} */ row) => !over(row));
  const past = data.contracts.filter(over);
  return html`${data.catching_up && html`<p class="notice before">
      ${t("The ledger is being summed: {done} of {total} entries. The figures below are partial until then.",
        { done: exact(data.catching_up.done), total: exact(data.catching_up.total) })}</p>`}
    <${Rows} label=${t("Contracts")} rows=${standing} today=${data.day} />
    <section class="section"><div class="section-head"><h2>${t("What was found")}</h2><${Found} found=${data.found} />
      </div><${Findings} findings=${data.findings} named /></section>
    <section class="section"><div class="section-head"><h2>${t("Due in the next 90 days")}</h2></div>
      <${Days} events=${data.events} today=${data.day} named
        empty=${t("Nothing is due in the next 90 days.")} /></section>
    ${past.length > 0 && html`<section class="section"><div class="section-head"><h2>${t("No longer in force")}</h2>
      </div><${Rows} label=${t("No longer in force")} rows=${past} today=${data.day} /></section>`}`;
}

/** @param {any} row */
const over = (row) => row.state === "ended" || row.state === "superseded";

/** @param {{ label: string, rows: any[], today: string }} props */
function Rows({ label, rows, today }) {
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "id", label: t("Contract"), main: true, cell: (row) => html`<a
      href="/console/contracts/${encodeURIComponent(row.id)}" dir="auto">${row.title || row.id}</a>
      <small>${listed([row.title && row.id, row.supplier])}</small>` },
    { name: "state", label: t("State"), cell: (row) => html`<${State} state=${row.state} />` },
    { name: "notice", label: t("Notice by"), whole: true, cell: (row) => (row.notice_by
      ? html`${day(row.notice_by)}<small>${away(row.notice_by, today)}</small>`
      : html`<span class="faint">${over(row) ? NONE : row.renews ? t("not stated") : row.last ? t("not needed")
        : t("on any day")}</span>`) },
    { name: "last", label: t("Last day"), whole: true, cell: (row) => html`${day(row.last) || t("open-ended")}${row.renews
      && html`<small>${t("renews itself")}</small>`}` },
    { name: "paces", label: t("Commitments"), cell: (row) => row.paces.map((/** @type {any} */ pace) => html`<${Bar}
      key=${pace.commitment} pace=${pace} />`) },
    { name: "found", label: t("Found"), cell: (row) => html`<${Found} found=${row.found} />` },
    { name: "owner", label: t("Answered for by"), cell: (row) => row.owner
      || html`<span class="faint">${t("nobody")}</span>` },
  ];
  return html`<${Table} label=${label} columns=${columns} rows=${rows} keyOf=${(/** @type {any} */ row) => row.id} />`;
}
