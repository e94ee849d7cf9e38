// Chargeback: what each team, business function or key owes inside the house. Refuses to reckon.

import { plural, t } from "../i18n.js";
import { Shares } from "./charts.js";
import { cash, count, exact } from "./format.js";
import { html } from "./hooks.js";
import { go, useResource, withQuery } from "./place.js";
import { Empty, Loaded, Pick, Table } from "./parts.js";
import { Late, Saves, download, money } from "./settlement_words.js";

const MOST = 8; // bars

/** @param {{ period: string, query: URLSearchParams }} props */
export default function Charges({ period, query }) {
  const by = query.get("by") ?? "team";
  const shortfall = query.get("shortfall") === "true";
  const asked = { period, by, shortfall: String(shortfall) };
  const of = useResource(`/api/admin/settlement/chargeback?${new URLSearchParams(asked)}`);
  const set = (/** @type {Record<string, string | null>} */ change) => go(withQuery(change), { replace: true });
  return html`<div class="toolbar before"><${Pick} label=${t("By")} value=${by}
      options=${[["team", t("Team")], ["function", t("Function")], ["key", t("Key")]]}
      onChange=${(/** @type {string} */ id) => set({ by: id === "team" ? null : id })} />
    <label class="choice live"><input type="checkbox" role="switch" class="switch" checked=${shortfall}
      onChange=${(/** @type {any} */ event) => set({ shortfall: event.currentTarget.checked ? "true" : null })} />
      ${t("With commitments that were not met")}</label>
    <${Saves} label=${t("Download")} files=${[["csv", t("As CSV")], ["json", t("As JSON")]]
      .map(([format = "", label = ""]) => [label, () => download("/chargeback/export", { ...asked, format })])} /></div>
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<div aria-busy=${of.loading}
      class=${of.loading ? "late" : ""}><${Late} of=${data.catching_up} />
      ${data.notes.map((/** @type {string} */ note) => html`<p key=${note} class="notice before" dir="auto">${note}
        </p>`)}
      ${data.charges.length ? html`<${Body} data=${data} />` : html`<div class="card"><${Empty}
        title=${t("Nothing was used")}><p>${t("No call of that period cost anything. Choose another period.")}</p><//>
        </div>`}</div>`}<//>`;
}

/** @param {{ data: any }} props */
function Body({ data }) {
  const nobody = { team: t("without a team"), function: t("for no function"), key: t("without a key") };
  const name = (/** @type {any} */ line) => line.name || nobody[/** @type {"team"} */ (data.by)];
  const currencies = new Set(data.charges.map((/** @type {any} */ line) => line.currency).filter(Boolean));
  const [currency] = currencies;
  /** @type {Map<string, number>} */
  const sums = new Map();
  for (const line of data.charges) if (line.currency === currency) {
    sums.set(name(line), (sums.get(name(line)) ?? 0) + Number(line.due));
  }
  const parts = [...sums].map(([who, value]) => ({ name: who, value })).filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value);
  const rest = parts.slice(MOST);
  if (rest.length > 1) parts.splice(MOST, rest.length, { name: plural(rest.length, "{n} more", "{n} more"),
    value: rest.reduce((sum, part) => sum + part.value, 0) });
  const headings = { team: t("Team"), function: t("Function"), key: t("Key") };
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "who", label: headings[/** @type {"team"} */ (data.by)], main: true, sort: name,
      cell: (line) => html`<span dir="auto">${name(line)}</span>` },
    { name: "contract", label: t("Contract"), sort: (line) => line.contract, cell: (line) => (line.contract
      ? html`<a href="/console/contracts/${encodeURIComponent(line.contract)}"><code>${line.contract}</code></a>`
      : html`<span class="faint">${t("none on file")}</span>`) },
    { name: "calls", label: t("Calls"), numeric: true, sort: (line) => line.calls, cell: (line) => exact(line.calls) },
    { name: "tokens", label: t("Tokens"), numeric: true, sort: (line) => line.input + line.output,
      cell: (line) => count(line.input + line.output) },
    { name: "cost", label: t("Cost"), numeric: true, sort: (line) => Number(line.cost ?? 0),
      cell: (line) => (line.cost === null ? html`<span class="bad">${t("not known")}</span>`
        : money(line.cost, line.currency)) },
    ...(data.shortfalls ? [/** @type {import("./parts.js").Column} */ ({ name: "shortfall", label: t("Not met"),
      numeric: true, sort: (line) => Number(line.shortfall), cell: (line) => money(line.shortfall, line.currency) })]
      : []),
    { name: "due", label: t("Owes"), numeric: true, sort: (line) => Number(line.due),
      cell: (line) => html`<strong>${money(line.due, line.currency)}</strong>` },
  ];
  return html`${parts.length > 1 && html`<div class="card before"><${Shares}
      label=${headings[/** @type {"team"} */ (data.by)]} what=${t("Owes")} parts=${parts}
      format=${(/** @type {number} */ value) => cash({ amount: String(value), currency: String(currency) })} /></div>`}
    <${Table} label=${t("Chargeback")} columns=${columns} rows=${data.charges}
      keyOf=${(/** @type {any} */ line) => `${line.who} ${line.contract} ${line.currency}`} sorted=${["due", -1]} />
    <p class="faint small after" dir="auto">${data.rounding}</p>`;
}
