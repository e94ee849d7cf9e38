// What left an area, and what nobody says the place of. Refuses to count as inside what nobody vouches for.

import { listed, plural, t } from "../i18n.js";
import { Shares } from "./charts.js";
import { NONE, exact } from "./format.js";
import { html, useEffect, useState } from "./hooks.js";
import { go, useResource, withQuery } from "./place.js";
import { Badge, Loaded, Pick, Table } from "./parts.js";
import { Late, Text } from "./seen_pieces.js";
import { behind, className, named, path, place, purpose, since, span } from "./seen_words.js";

/** @returns {[string, string][]} */
const spans = () => [["30", t("30 days")], ["90", t("90 days")], ["365", t("12 months")], ["all", t("all of it")]];

/** @param {{ query: URLSearchParams }} props */
export default function Left({ query }) {
  const area = query.get("area") ?? "eu";
  const days = query.get("days") ?? "90";
  const asked = { area, since: since(days) };
  const [late, setLate] = useState(false);
  const of = useResource(path("left", asked), { every: late ? 2000 : null });
  useEffect(() => setLate(Boolean(of.data?.catching_up)), [of.data]);
  const set = (/** @type {Record<string, string | null>} */ change) => go(withQuery(change), { replace: true });
  const file = (/** @type {string} */ format) => path("left", { ...asked, format });
  return html`<div class="toolbar before ends"><${Text} label=${t("Region, area or country")} value=${area}
      list=${of.data?.areas ?? []} onChange=${(/** @type {string} */ name) => set({ area: name || null })} />
    <${Pick} label=${t("Span of time")} value=${days} options=${spans()}
      onChange=${(/** @type {string} */ id) => set({ days: id === "90" ? null : id })} />
    <a class="button" download href=${file("csv")}>${t("As CSV")}</a>
    <a class="button" download href=${file("json")}>${t("As JSON")}</a></div>
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<div class="seen" aria-busy=${of.loading}>
      <${Late} data=${data} /><${Glance} data=${data} /><${Notes} data=${data} />
      <${Rows} data=${data} state="outside" title=${t("What left")}
        empty=${t("Nothing is known to have left {area} in this span of time.", { area: data.area })} />
      <${Parts} data=${data} />
      <${Rows} data=${data} state="unstated" title=${t("Nobody says where it was served")} empty="" /></div>`}<//>`;
}

/** @param {{ data: any }} props */
function Glance({ data }) {
  const { outside, unstated, inside, own } = data.attempts;
  /** @type {[string, number, string][]} */
  const cards = [
    [t("Left {area}", { area: data.area }), outside, t("tries of a model")],
    [t("Nobody says"), unstated, t("not counted as inside")],
    [t("Stayed"), inside, !inside ? "" : data.unseated ? plural(data.unseated, "{n} was seen by a party without a stated seat",
      "{n} were seen by a party without a stated seat") : t("all recipients' seats are known")],
    [t("Never left the house"), own, t("on our own machines")],
  ];
  return html`<ul class="numbers">${cards.map(([label, value, note]) => html`<li key=${label}
    class="card number-card calm"><h2>${label}</h2><p class="big">${exact(value)}</p><p class="faint small">${note}</p>
      </li>`)}</ul>`;
}

/** @param {{ data: any }} props */
function Notes({ data }) {
  return html`${data.unlisted.length > 0 && html`<p class="notice before">
    ${t("In no known area, so outside of each: {regions}. [data] areas in the configuration says where they are.",
      { regions: listed(data.unlisted) })}</p>`}`;
}

/** @param {{ data: any, state: "outside" | "unstated", title: string, empty: string }} props */
function Rows({ data, state, title, empty }) {
  const rows = data.rows.filter((/** @type {any} */ row) => row.state === state);
  if (!rows.length && !empty) return null;
  /** @type {Record<string, string>} */
  const why = { region: t("region asked for"), echoed: t("region that answered"), party: t("seat of a recipient") };
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "seller", label: t("Seller, host"), main: true, sort: (row) => named(row.seller), cell: (row) => html`<bdi>
      ${listed([...new Set([named(row.seller), named(row.host)])])}</bdi><small>${row.contract || t("no contract")}
        ${row.assumed && html` · ${t("taken for granted: the entry is old")}`}</small>` },
    { name: "place", label: t("Region"), cell: (row) => html`<bdi>${place(row)}</bdi>${state === "unstated"
      && row.promised.length > 0 && html`<small>${t("promised: {regions}", { regions: listed(row.promised) })}</small>`}` },
    ...(state === "outside" ? [{ name: "why", label: t("Why it counts as outside"), cell: (/** @type {any} */ row) =>
      html`<span class="row marks">${row.why.map((/** @type {string} */ one) => html`<${Badge} key=${one}
        tone=${one === "party" ? "warn" : "bad"}>${why[one] ?? one}<//>`)}</span>` }] : []),
    { name: "parties", label: t("Seated outside"), cell: (row) => (row.outside.length ? html`${row.outside.map(
      (/** @type {any} */ party) => html`<div key=${party.id}><bdi>${named(party)}</bdi> (${party.country})</div>`)}`
      : NONE) },
    { name: "class", label: t("Class of data"), sort: (row) => row.data_class, cell: (row) => html`
      ${className(row.data_class)}<small>${listed([row.function, purpose(row.purpose)])}</small>` },
    { name: "attempts", label: t("Tries"), numeric: true, sort: (row) => row.attempts,
      cell: (row) => html`<a href=${entries(row, data)}>${exact(row.attempts)}</a>` },
    { name: "when", label: t("When"), sort: (row) => row.last_at, cell: span },
  ];
  return html`<section class="section"><div class="section-head"><h2>${title}</h2></div>
    <${Table} label=${title} columns=${columns} rows=${rows} keyOf=${key}
      empty=${html`<p class="sound">${empty}</p>`} /></section>`;
}

/** @param {any} row */
const key = (row) => [row.why, row.seller.id, row.host.id, row.region, row.echoed, row.data_class, row.function,
  row.purpose, row.contract, row.outside.map((/** @type {any} */ one) => one.id), row.assumed].join("\n");

/** @param {any} row @param {any} data */
const entries = (row, data) => behind({
  seller: row.seller.id, host: row.host.id, region: row.region, echoed: row.echoed, data_class: row.data_class,
  function: row.function, purpose: row.purpose, contract: row.contract,
  since: data.since === null ? null : String(data.since), until: data.until === null ? null : String(data.until),
});

/** What left, by each axis of which there is more than one value. @param {{ data: any }} props */
function Parts({ data }) {
  /** @type {[string, string, (name: string) => string][]} */
  const all = [["seller", t("Seller"), plain], ["host", t("Host"), plain], ["region", t("Region"), plain],
    ["data_class", t("Class of data"), className], ["function", t("Function"), plain],
    ["recipient", t("Seated outside"), plain]];
  const axes = all.filter(([axis]) => data.by[axis].length > 1);
  return axes.length > 0 && html`<section class="section"><div class="section-head"><h2>${t("What left, by")}</h2></div>
    <div class="grid three">${axes.map(([axis, label, word]) => html`<div key=${axis} class="card"><h3>${label}</h3>
      <${Shares} label=${label} what=${t("Tries")} format=${exact} parts=${data.by[axis].map(
        (/** @type {any} */ part) => ({ name: word(part.name), value: part.attempts }))} /></div>`)}</div></section>`;
}

/** @param {string} name */
const plain = (name) => name || t("none");
