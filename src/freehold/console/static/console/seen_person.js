// Everything about a person: who saw their words and until when, what is held here, how to hand it out and end it.
// Refuses to show a word of what was said.

import { call } from "../door.js";
import { listed, plural, t } from "../i18n.js";
import { openDialog, toast } from "../ui.js";
import { Buttons, Field, Wrong, useForm } from "./forms.js";
import { NONE, exact, size } from "./format.js";
import { html, useEffect, useState } from "./hooks.js";
import { me, useResource } from "./place.js";
import { Badge, Copy, Empty, Loaded, Sheet, Table } from "./parts.js";
import { Late } from "./seen_pieces.js";
import { answer, asWhat, behind, className, dayName, named, ofPerson, path, place, purpose, span }
  from "./seen_words.js";

/** @param {{ query: URLSearchParams }} props */
export default function Person({ query }) {
  const asked = { member: query.get("member"), key: query.get("key"), user: query.get("user") };
  const [late, setLate] = useState(false);
  const of = useResource(path("person", asked), { every: late ? 2000 : null });
  useEffect(() => setLate(Boolean(of.data?.catching_up)), [of.data]);
  return html`<${Loaded} of=${of}>${(/** @type {any} */ data) => html`<div class="seen" aria-busy=${of.loading}>
    <${Late} data=${data} />
    ${data.attempts ? html`<${Glance} data=${data} /><${Tools} data=${data} asked=${asked} reload=${of.reload} />
      <${Parties} data=${data} /><${Terms} data=${data} />` : html`<div class="card"><${Empty}
        title=${t("Nobody saw a word of theirs")}><p>
          ${t("No call of theirs has been sent to any model.")}</p><//></div><${Tools} data=${data} asked=${asked}
            reload=${of.reload} />`}
    ${data.tools.length > 0 && html`<${Servers} tools=${data.tools} />`}
    <${House} house=${data.house} /></div>`}<//>`;
}

/** @param {{ data: any }} props */
function Glance({ data }) {
  const outside = data.parties.filter((/** @type {any} */ one) => one.party.id !== "own");
  const holding = outside.filter((/** @type {any} */ one) => one.held);
  const until = holding.map((/** @type {any} */ one) => one.until).filter(Boolean).sort().at(-1);
  const unstated = holding.filter((/** @type {any} */ one) => one.unstated).length;
  /** @type {[string, any, any][]} */
  const cards = [
    [t("Tries of a model"), html`<a href=${behind(ofPerson(data.person))}>${exact(data.attempts)}</a>`,
      plural(data.calls, "for {n} call", "for {n} calls")],
    [t("Seen by others"), exact(data.outside), plural(outside.length, "by {n} party", "by {n} parties")],
    [t("May still be kept"), exact(data.held), listed([plural(holding.length, "by {n} party", "by {n} parties"),
      until && t("until {day}", { day: dayName(until) }),
      unstated > 0 && plural(unstated, "{n} does not say how long", "{n} do not say how long")])],
    [t("Answered from elsewhere"), exact(data.astray), t("than from the region that was asked for")],
  ];
  return html`<ul class="numbers">${cards.map(([label, value, note]) => html`<li key=${label}
    class="card number-card calm"><h2>${label}</h2><p class="big">${value}</p><p class="faint small">${note}</p></li>`)}
    </ul>`;
}

/** @param {{ data: any, asked: Record<string, string | null>, reload: () => Promise<void> }} props */
function Tools({ data, asked, reload }) {
  const file = (/** @type {string} */ format) => path("person", { ...asked, format });
  const erase = () => openDialog((close) => html`<${Erase} data=${data} asked=${asked} reload=${reload}
    close=${close} />`, { label: t("Erase what is held here") });
  return html`<div class="toolbar before after"><a class="button" download href=${file("html")}>
      ${t("Report to hand over (HTML)")}</a>
    <a class="button" download href=${file("json")}>${t("As JSON")}</a>
    <a class="button" download href=${file("csv")}>${t("As CSV")}</a>
    ${me.changes && html`<button type="button" class="button danger" onClick=${erase}>
      ${t("Erase what is held here")}</button>`}</div>`;
}

/** @param {{ data: any }} props */
function Parties({ data }) {
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "party", label: t("Party"), main: true, sort: (row) => named(row.party), cell: (row) => html`<bdi>
      ${named(row.party)}</bdi><small>${row.party.id === "own" ? t("on our own machines")
        : listed([asWhat(row.roles), row.party.country || t("seat not stated")])}</small>` },
    { name: "attempts", label: t("Tries seen"), numeric: true, sort: (row) => row.attempts,
      cell: (row) => html`<a href=${behind({ ...ofPerson(data.person), ...seenBy(row, data) })}>
        ${exact(row.attempts)}</a>` },
    { name: "classes", label: t("Class of data"), cell: (row) => listed(row.classes.map(className)) || NONE },
    { name: "when", label: t("When"), sort: (row) => row.last_at, cell: span },
    { name: "until", label: t("May still be kept"), sort: (row) => row.until, cell: (row) => html`<${Until} row=${row} />` },
    { name: "trains", label: t("Models trained with it"), cell: (row) => (row.party.id === "own" ? t("no")
      : html`<${Answer} said=${row.trains} />`) },
  ];
  return html`<section class="section"><div class="section-head"><h2>${t("Who saw the words")}</h2></div>
    <${Table} label=${t("Who saw the words")} columns=${columns} rows=${data.parties}
      keyOf=${(/** @type {any} */ row) => row.party.id} faded=${(/** @type {any} */ row) => row.party.id === "own"} />
    </section>`;
}

/** The filter for what a party saw. @param {any} row @param {any} data */
function seenBy(row, data) {
  if (row.party.id === "own") return { host: "own" };
  const old = data.rows.some((/** @type {any} */ one) => one.party.id === row.party.id && one.assumed);
  return old ? { party: row.party.id } : { recipient: row.party.id };
}

/** Until when a party may keep words. @param {{ row: any }} props */
function Until({ row }) {
  if (row.party.id === "own") return NONE;
  if (!row.held) return html`<span class="faint">${t("nothing, by what was promised")}</span>`;
  return html`${row.held > row.unstated && html`<div>${t("until {day}", { day: dayName(row.until) })}</div>`}
    ${row.unstated > 0 && html`<div><${Badge} tone="warn">${t("nobody says how long")}<//></div>`}`;
}

/** A yes that is a warning. @param {{ said: string }} props */
function Answer({ said }) {
  return said === "yes" ? html`<${Badge} tone="bad">${t("yes")}<//>` : said === "no" ? t("no")
    : html`<${Badge} tone="warn">${t("not stated")}<//>`;
}

/** @param {{ data: any }} props */
function Terms({ data }) {
  const rows = data.rows.filter((/** @type {any} */ row) => row.party.id !== "own");
  if (!rows.length) return null;
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "party", label: t("Party"), main: true, sort: (row) => named(row.party), cell: (row) => html`<bdi>
      ${named(row.party)}</bdi><small>${asWhat(row.roles)}${row.assumed
        && html` · ${t("taken for granted: the entry is old")}`}</small>` },
    { name: "contract", label: t("Contract"), cell: (row) => (!row.contract ? t("none") : html`${row.version
      ? html`<a href="/console/contracts/${encodeURIComponent(row.contract)}" dir="auto">
        ${row.title || row.contract}</a>`
      : html`<bdi>${row.contract}</bdi>`}<small>${row.version ? t("version {version}", { version: row.version })
        : t("these terms are not on file")}</small>`) },
    { name: "class", label: t("Class of data"), cell: (row) => html`${className(row.data_class)}<small>
      ${purpose(row.purpose)}</small>` },
    { name: "place", label: t("Region"), cell: (row) => html`<bdi>${place(row)}</bdi>${row.astray && html`<div>
      <${Badge} tone="bad">${t("elsewhere")}<//></div>`}` },
    { name: "attempts", label: t("Tries seen"), numeric: true, sort: (row) => row.attempts,
      cell: (row) => html`<a href=${entries(row, data)}>${exact(row.attempts)}</a>` },
    { name: "until", label: t("Kept until"), sort: (row) => row.until, cell: (row) => (row.retention === null
      ? html`<${Badge} tone="warn">${t("not stated")}<//>` : row.retention === 0 ? t("not kept")
        : html`${dayName(row.until)}<small>${row.held ? plural(row.retention, "{n} day after the call",
          "{n} days after the call") : t("that is over")}</small>`) },
    { name: "terms", label: t("Trained with, read by people"), cell: (row) => html`${answer(row.trains)}<small>
      ${t("read by people: {answer}", { answer: answer(row.review) })}</small>` },
    { name: "out", label: t("Taken out before"), cell: (row) => listed(Object.entries(row.redactions).map(([kind, times]) =>
      `${kind} (${exact(/** @type {any} */ (times))})`)) || NONE },
  ];
  return html`<section class="section"><div class="section-head"><div><h2>${t("Under which terms")}</h2>
      <p class="faint">${t("As they were on the day of each call. Each try counts, and so do those for tests and for checks of the words.")}</p></div></div>
    <${Table} label=${t("Under which terms")} columns=${columns} rows=${rows} keyOf=${key} /></section>`;
}

/** @param {any} row */
const key = (row) => [row.party.id, row.roles, row.contract, row.terms, row.data_class, row.purpose, row.region,
  row.echoed, row.retention, row.trains, row.review, row.assumed].join("\n");

/** @param {any} row @param {any} data */
const entries = (row, data) => behind({
  ...ofPerson(data.person), ...(row.assumed ? { party: row.party.id } : { recipient: row.party.id }),
  contract: row.contract, terms: row.terms, data_class: row.data_class, purpose: row.purpose, region: row.region,
  echoed: row.echoed, retention: row.retention === null ? "-1" : String(row.retention),
});

/** @param {{ tools: any[] }} props */
function Servers({ tools }) {
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "server", label: t("Tool server"), main: true, cell: (row) => row.server },
    { name: "uses", label: t("Uses"), numeric: true, cell: (row) => exact(row.uses) },
    { name: "bytes", label: t("Sent"), numeric: true, cell: (row) => size(row.bytes) },
    { name: "when", label: t("When"), cell: span },
  ];
  return html`<section class="section"><div class="section-head"><h2>${t("Tools that were sent something")}</h2></div>
    <${Table} label=${t("Tools that were sent something")} columns=${columns} rows=${tools}
      keyOf=${(/** @type {any} */ row) => row.server} /></section>`;
}

/** What is held here. @param {{ house: any[] }} props */
function House({ house }) {
  /** @type {Record<string, string>} */
  const words = { entry: t("Entries of the ledger, which hold no words and stay"), text: t("Texts of calls"),
    pseudonym: t("Pseudonyms and what they stand for"), account: t("Account"), session: t("Open sign-ins"),
    conversation: t("Conversations"), message: t("Messages"), file: t("Files"), project: t("Projects"),
    prompt: t("Prompts"), assistant: t("Assistants"), memory: t("Remembered facts"), share: t("Shared copies"),
    import: t("Imports") };
  const command = (/** @type {string} */ text) => (text ? html`<span class="row command"><code>${text}</code><${Copy}
    text=${text} label=${t("Copy the command")} /></span>` : NONE);
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "kind", label: t("What"), main: true, cell: (row) => words[row.kind] ?? row.kind },
    { name: "count", label: t("How many"), numeric: true, sort: (row) => row.count,
      cell: (row) => html`${row.count === null ? t("not known") : exact(row.count)}${row.bytes > 0 && html`<small>
        ${size(row.bytes)}</small>`}` },
    { name: "export", label: t("To hand it out"), cell: (row) => command(row.export) },
    { name: "erase", label: t("To end it"), cell: (row) => command(row.erase) },
  ];
  return html`<section class="section"><div class="section-head"><h2>${t("What is held here")}</h2></div>
    <${Table} label=${t("What is held here")} columns=${columns} rows=${house}
      keyOf=${(/** @type {any} */ row) => row.kind} faded=${(/** @type {any} */ row) => row.count === 0} /></section>`;
}

/**
 * @param {{ data: any, asked: Record<string, string | null>, reload: () => Promise<void>, close: () => void }} props
 */
function Erase({ data, asked, reload, close }) {
  const whose = Object.fromEntries(Object.entries(asked).filter(([, value]) => value));
  const [here, setHere] = useState(/** @type {any} */ (null));
  const form = useForm({ why: "" }, async ({ why }) => {
    await call("POST", "/api/admin/seen/erase", { ...whose, why, do: true });
    close();
    toast(t("It was erased. The ledger stays whole."));
    await reload();
  });
  useEffect(() => void call("POST", "/api/admin/seen/erase", whose).then(setHere, () => setHere({})), []);
  return html`<${Sheet} title=${t("Erase what is held here")} close=${close} onSubmit=${form.submit}
    footer=${html`<${Buttons} form=${form} onClose=${close} action=${t("Erase for good")} />`}>
    <p>${here ? t("Of {name}: {texts} texts of calls ({size}), pseudonyms of {conversations} conversations.",
      { name: data.person.title, texts: exact(here.texts), size: size(here.bytes ?? 0),
        conversations: exact(here.conversations) }) : t("Looking …")}</p>
    <p class="faint">${t("Entries of the ledger stay, and hold no words. Conversations and files are not touched. What others hold only they can erase: see what must be erased.")}</p>
    <${Field} form=${form} name="why" label=${t("Why")} required hint=${t("This goes on the ledger with your name.")} />
    <${Wrong} form=${form} /><//>`;
}
