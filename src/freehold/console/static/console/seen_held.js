// What must be erased where by when, and whom to ask for it. Refuses to say that anything was erased elsewhere.

import { listed, plural, t } from "../i18n.js";
import { NONE, exact } from "./format.js";
import { html, useEffect, useState } from "./hooks.js";
import { useResource } from "./place.js";
import { Badge, Empty, Loaded, Table } from "./parts.js";
import { Late } from "./seen_pieces.js";
import { asWhat, behind, className, dayName, named, ofPerson, path, span } from "./seen_words.js";

/** @param {{ query: URLSearchParams }} props */
export default function Held({ query }) {
  const asked = { member: query.get("member"), key: query.get("key"), user: query.get("user") };
  const [late, setLate] = useState(false);
  const of = useResource(path("erase", asked), { every: late ? 2000 : null });
  useEffect(() => setLate(Boolean(of.data?.catching_up)), [of.data]);
  return html`<${Loaded} of=${of}>${(/** @type {any} */ data) => html`<div class="seen" aria-busy=${of.loading}>
    <${Late} data=${data} /><${Glance} data=${data} />
    ${data.duties.length ? html`<${Duties} data=${data} asked=${asked} /><${Letters} data=${data} asked=${asked} />`
      : html`<div class="card"><${Empty} title=${t("Nobody outside may hold a word")}><p>
        ${t("By what was promised, nothing is kept elsewhere today.")}</p><//></div>`}</div>`}<//>`;
}

/** @param {{ data: any }} props */
function Glance({ data }) {
  const of = (/** @type {string} */ ask) => data.duties.filter((/** @type {any} */ one) => one.ask === ask).length;
  /** @type {[string, any, string][]} */
  const cards = [
    [t("May still be held"), exact(data.kept), t("tries of a model, by others")],
    [t("To be asked for"), exact(of("overdue") + of("ask")), of("overdue") ? plural(of("overdue"), "{n} is overdue",
      "{n} are overdue") : t("nobody promised an end")],
    [t("Gone by now"), exact(data.gone), t("their time is over, by what was promised")],
    [t("Never kept"), exact(data.never), t("nothing was to be kept of them")],
  ];
  return html`<ul class="numbers">${cards.map(([label, value, note]) => html`<li key=${label}
    class="card number-card calm"><h2>${label}</h2><p class="big">${value}</p><p class="faint small">${note}</p></li>`)}
    </ul>`;
}

/** What is to be done about it. @param {{ row: any }} props */
function Ask({ row }) {
  const words = { overdue: t("Was to be erased"), ask: t("To be asked for"), due: t("Erasure is owed"),
    by_itself: t("Goes by itself") };
  const tone = { overdue: "bad", ask: "warn", due: "", by_itself: "good" }[/** @type {"due"} */ (row.ask)];
  const by = row.ask === "overdue" || row.ask === "due" ? row.exit.due : row.ask === "by_itself" ? row.until : null;
  return html`<${Badge} tone=${tone}>${words[/** @type {"due"} */ (row.ask)] ?? row.ask}<//>${by
    && html`<small>${t("by {day}", { day: dayName(by) })}</small>`}`;
}

/** When a contract ends, and what it owes then. @param {{ exit: any }} props */
function Exit({ exit }) {
  if (exit.state === null) return t("no contract on file");
  const owed = exit.erasure === "yes" ? exit.days === null ? t("erasure is owed then, no time is stated")
    : plural(exit.days, "erasure is owed within {n} day", "erasure is owed within {n} days")
    : exit.erasure === "no" ? t("no erasure is owed") : t("nobody says whether erasure is owed");
  return html`${exit.ends ? exit.over ? t("ended {day}", { day: dayName(exit.ends) })
    : t("ends {day}", { day: dayName(exit.ends) }) : t("goes on")}<small>${owed}</small>`;
}

/** @param {{ data: any, asked: Record<string, string | null> }} props */
function Duties({ data, asked }) {
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "party", label: t("Party"), main: true, sort: (row) => named(row.party), cell: (row) => html`<bdi>
      ${named(row.party)}</bdi><small>${listed([asWhat(row.roles), row.party.country])}</small>` },
    { name: "ask", label: t("What to do"), cell: (row) => html`<${Ask} row=${row} />` },
    { name: "contract", label: t("Contract"), cell: (row) => (row.contract ? html`<a
      href="/console/contracts/${encodeURIComponent(row.contract)}" dir="auto">${row.exit.title || row.contract}</a>`
      : t("none")) },
    { name: "exit", label: t("At its end"), cell: (row) => html`<${Exit} exit=${row.exit} />` },
    { name: "attempts", label: t("Tries held"), numeric: true, sort: (row) => row.attempts, cell: (row) => html`<a
      href=${entries(row, data)}>${exact(row.attempts)}</a>${row.unstated > 0 && html`<small>
        ${t("{n} without an end", { n: exact(row.unstated) })}</small>`}` },
    { name: "until", label: t("Gone by itself"), sort: (row) => row.until, cell: (row) => dayName(row.until) || NONE },
    { name: "class", label: t("Class of data"), cell: (row) => listed(row.classes.map(className)) || NONE },
    { name: "when", label: t("When"), sort: (row) => row.last_at, cell: span },
  ];
  return html`<section class="section"><div class="section-head"><h2>${t("Who may hold what")}</h2>
      <div class="toolbar"><a class="button" download href=${path("erase", { ...asked, format: "csv" })}>${t("As CSV")}</a>
        <a class="button" download href=${path("erase", { ...asked, format: "json" })}>${t("As JSON")}</a></div></div>
    <${Table} label=${t("Who may hold what")} columns=${columns} rows=${data.duties}
      keyOf=${(/** @type {any} */ row) => `${row.party.id}\n${row.contract}`} /></section>`;
}

/** Entries of what a party may hold, of all versions of the contract. @param {any} row @param {any} data */
const entries = (row, data) => behind({ ...ofPerson(data.person), recipient: row.party.id,
  retention: row.retentions.map(String), since: String(row.first_at) });

/** A draft for each to turn to. @param {{ data: any, asked: Record<string, string | null> }} props */
function Letters({ data, asked }) {
  const all = [...new Map(data.duties.map((/** @type {any} */ one) => [one.addressee.id, one.addressee])).values()];
  const about = (/** @type {string} */ id) => data.duties.filter((/** @type {any} */ one) => one.addressee.id === id);
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "to", label: t("To"), main: true, cell: (row) => html`<bdi>${named(row)}</bdi>` },
    { name: "about", label: t("About what is held by"), cell: (row) => html`<bdi>${listed(about(row.id).map(
      (/** @type {any} */ one) => named(one.party)))}</bdi>` },
    { name: "letter", label: t("To download"), cell: (row) => html`<span class="row"><a class="button" download
      href=${path("letter", { ...asked, party: row.id })}>${t("Letter")}</a><a class="button" download
        href=${path("letter", { ...asked, party: row.id, format: "csv" })}>${t("List of calls")}</a></span>` },
  ];
  return html`<section class="section"><div class="section-head"><div><h2>${t("What to ask of whom")}</h2>
      <p class="faint">${t("Drafts: have them checked before they are sent. They name calls and no person; what others hold only they can erase.")}</p></div></div>
    <${Table} label=${t("What to ask of whom")} columns=${columns} rows=${all}
      keyOf=${(/** @type {any} */ row) => row.id} /></section>`;
}
