// Words and small pieces that the views of the settlement page share. Refuses to know what any view shows.

import { date, number, t } from "../i18n.js";
import { Menu } from "../ui.js";
import { NONE, exact } from "./format.js";
import { html } from "./hooks.js";

const DAY = 86_400_000;

/** When a day begins in UTC, ms. @param {string} iso */
const at = (iso) => Date.parse(`${iso}T00:00:00Z`);

/** Days in words. @param {{ first: string, last: string }} of */
export function span({ first, last }) {
  const day = (/** @type {string} */ iso) => date(at(iso), { dateStyle: "medium", timeZone: "UTC" });
  return first === last ? day(first) : t("{first} to {last}", { first: day(first), last: day(last) });
}

/** An amount in full, with cents. @param {string | null} amount @param {string} currency */
export function money(amount, currency) {
  if (amount === null) return NONE;
  try {
    return number(Number(amount), { style: "currency", currency, currencyDisplay: "code", minimumFractionDigits: 2,
      maximumFractionDigits: 2 });
  } catch {
    return `${plain(amount)} ${currency}`.trim();
  }
}

/** An amount without its currency, with cents. @param {string} amount */
export const plain = (amount) => number(Number(amount), { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** A number that came as text. @param {string} value */
export const num = (value) => number(Number(value), { maximumFractionDigits: 6 });

/** The quarter before the one of today. */
export function lastQuarter() {
  const now = new Date();
  const quarter = Math.floor(now.getUTCMonth() / 3);
  return quarter ? `${now.getUTCFullYear()}Q${quarter}` : `${now.getUTCFullYear() - 1}Q4`;
}

/** Periods that people ask for. */
export function periods() {
  const now = new Date();
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  const found = [];
  for (let back = 0; back < 5; back += 1) {
    const quarter = year * 4 + Math.floor(month / 3) - back;
    found.push(`${Math.floor(quarter / 4)}Q${(quarter % 4) + 1}`);
  }
  for (let back = 0; back < 4; back += 1) {
    found.push(new Date(Date.UTC(year, month - back, 1)).toISOString().slice(0, 7));
  }
  return [...found, String(year), String(year - 1)];
}

/** How many entries stand behind a line, and the way to them. @param {any} line @param {string} contract */
export function entries(line, contract) {
  if (!line.attempts) return NONE;
  const query = new URLSearchParams({ last: "custom", since: String(at(line.first)),
    until: String(at(line.last) + DAY) });
  if (contract && line.kind !== "share") query.set("contract", contract);
  if (line.deployment) query.set("deployment", line.deployment);
  const said = exact(line.attempts);
  return html`${line.kind === "share" || !contract ? said : html`<a href="/console/ledger?${query}">${said}</a>`}
    <small>${t("no. {first} to {last}", { first: exact(line.first_seq), last: exact(line.last_seq) })}</small>`;
}

/** Has the browser save a file. @param {string} path @param {Record<string, string>} query */
export function download(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== "");
  Object.assign(document.createElement("a"), { href: `/api/admin/settlement${path}?${new URLSearchParams(given)}`,
    download: "" }).click();
}

/**
 * A menu of files; several stand on a page, so each says to those who hear it what it is of.
 * @param {{ label: string, files: [string, () => void][] }} props
 */
export function Saves({ label, files }) {
  return html`<${Menu} label=${label} class="button" items=${() => files.map(([name, run]) => ({ label: name, run }))}>
    <span aria-hidden="true">${t("Download")}</span><span class="visually-hidden">${label}</span><//>`;
}

/** That sums are not done yet. @param {{ of: { done: number, total: number } | null }} props */
export function Late({ of }) {
  return of && html`<p class="notice before">${t("The ledger is being summed: {done} of {total} entries. The figures below are partial until then.",
    { done: exact(of.done), total: exact(of.total) })}</p>`;
}
