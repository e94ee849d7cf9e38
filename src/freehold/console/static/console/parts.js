// The pieces that screens are made of. Knows how they look and are reached by keyboard; refuses to know what
// stands in them.

import { t } from "../i18n.js";
import { Head as DialogHead, IconButton, copy, openDialog } from "../ui.js";
import { html, useEffect, useId, useState } from "./hooks.js";
import { Icon } from "./icons.js";
import { signIn } from "./place.js";

/**
 * @typedef {{ name: string, label: string, cell: (row: any) => any, sort?: (row: any) => any, numeric?: boolean,
 *   main?: boolean,
 *   tight?: boolean, whole?: boolean }} Column   `main`: names the row;
 *   `tight`: as narrow as it can be (the column of actions);
 *   `whole`: is not broken into lines where there is room
 */

/**
 * The head of a screen.
 * @param {{ title: string, note?: any, tools?: any, back?: { href: string, label: string } }} props
 */
export function Head({ title, note, tools, back }) {
  useEffect(() => {
    document.title = `${title} – Freehold`;
  }, [title]);
  return html`<header class="head">
    <div class="head-words">${back && html`<a class="back" href=${back.href}>${back.label}</a>`}
      <h1 tabindex="-1">${title}</h1>${note && html`<p class="faint">${note}</p>`}</div>
    ${tools && html`<div class="toolbar">${tools}</div>`}
  </header>`;
}

/**
 * Waiting, a refusal, or what was asked for.
 * @param {{ of: import("./place.js").Resource, children: (data: any) => any }} props
 */
export function Loaded({ of, children }) {
  if (of.data) return html`<div class="loaded">${of.error
    && html`<${Trouble} error=${of.error} retry=${of.reload} />`}${children(of.data)}</div>`;
  if (of.error) return html`<${Trouble} error=${of.error} retry=${of.reload} />`;
  return html`<p class="waiting" role="status"><span class="spinner"></span> ${t("Loading")}</p>`;
}

/** @param {{ error: import("./place.js").Problem, retry?: () => void }} props */
export function Trouble({ error, retry }) {
  return html`<div class="error trouble" role="alert"><p>${error.message}</p>
    ${error.status === 401
      ? html`<a class="button" href=${signIn()}>${t("Sign in")}</a>`
      : retry && html`<button type="button" class="button" onClick=${retry}>${t("Try again")}</button>`}</div>`;
}

/** What is shown where nothing is yet: it teaches. @param {{ title: string, children?: any }} props */
export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2>${children}</div>`;
}

/** @param {{ tone?: "good" | "warn" | "bad" | "", children?: any }} props */
export function Badge({ tone = "", children }) {
  return html`<span class="badge ${tone}">${children}</span>`;
}

/**
 * A table in a box of its own; at phone's width each row is a card.
 * @param {{ label: string, columns: Column[], rows: any[], keyOf: (row: any) => string | number, empty?: any,
 *   sorted?: [string, 1 | -1],
 *   faded?: (row: any) => boolean, chosen?: (row: any) => boolean }} props
 */
export function Table({ label, columns, rows, keyOf, empty, sorted, faded, chosen }) {
  const [order, setOrder] = useState(sorted ?? null);
  const by = order && columns.find((column) => column.name === order[0])?.sort;
  const shown = by && order ? [...rows].sort((a, b) => compare(by(a), by(b)) * order[1]) : rows;
  const turn = (/** @type {Column} */ { name, numeric }) =>
    setOrder(order?.[0] === name ? [name, order[1] === 1 ? -1 : 1] : [name, numeric ? -1 : 1]);
  if (!rows.length && empty) return empty;
  return html`<div class="table-box" tabindex="0" role="region" aria-label=${label}><table class="table wide"
    role="table">
    <caption class="visually-hidden">${label}</caption>
    <thead role="rowgroup"><tr role="row">${columns.map((column) => {
      const own = order?.[0] === column.name ? order[1] : 0;
      return html`<th key=${column.name} scope="col" role="columnheader" class=${shape(column)}
        aria-sort=${own ? (own === 1 ? "ascending" : "descending") : undefined}>
        ${column.sort
          ? html`<button type="button" class="sort" onClick=${() => turn(column)}>
            ${column.label}${own ? html`<${Icon} name=${own === 1 ? "up" : "down"} />` : null}</button>`
          : column.tight ? html`<span class="visually-hidden">${column.label}</span>` : column.label}</th>`;
    })}</tr></thead>
    <tbody role="rowgroup">${shown.map((row) => html`<tr key=${keyOf(row)} role="row"
      class="${faded?.(row) ? "faded" : ""} ${chosen?.(row) ? "chosen" : ""}">${columns.map((column) =>
        column.main
          ? html`<th key=${column.name} scope="row" role="rowheader"
            class=${column.whole ? "main whole" : "main"}>${column.cell(row)}</th>`
          : html`<td key=${column.name} role="cell" class=${shape(column)}
            data-label=${column.tight ? undefined : column.label}>${column.cell(row)}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

const shape = (/** @type {Column} */ { numeric, tight, whole }) =>
  [numeric && "numeric", tight && "tight", whole && "whole"].filter(Boolean).join(" ");

/** Nothing comes last, numbers by size, words as people sort them. @param {any} a @param {any} b */
function compare(a, b) {
  if (a == null || b == null) return Number(a == null) - Number(b == null);
  return typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true });
}

/**
 * What stands in a dialog: its head, its body, and what can be done, a form when it has something to send.
 * @param {{ title: string, close: (value?: any) => void, children?: any, footer?: any,
 *   onSubmit?: (event: Event) => void }} props
 */
export function Sheet({ title, close, children, footer, onSubmit }) {
  const inside = html`<${DialogHead} title=${title} close=${close} /><div
    class="body stack">${children}</div>${footer && html`<footer>${footer}</footer>`}`;
  return onSubmit ? html`<form onSubmit=${onSubmit} novalidate>${inside}</form>` : inside;
}

/** @param {any} props */
function Question({ title, body, action, run, close }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await run();
      close(true);
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  };
  const footer = html`<button type="button" class="button" onClick=${() => close()}>${t("Cancel")}</button>
    <button class="button danger primary" disabled=${busy}>
      ${busy && html`<span class="spinner"></span>`}${action}</button>`;
  return html`<${Sheet} title=${title} close=${close} onSubmit=${send} footer=${footer}>
    ${body}${error && html`<${Trouble} error=${error} />`}<//>`;
}

/**
 * Asks before something ends, says what ends, and stays open with the reason when it could not be done.
 * @param {{ title: string, body: any, action: string, run: () => Promise<any> }} given
 * @returns {Promise<boolean>} whether it was done
 */
export async function ask(given) {
  return Boolean(await openDialog((close) => html`<${Question} ...${given} close=${close} />`, { label: given.title }));
}

/**
 * One of a few.
 * @param {{ label: string, value: string, options: [string, string][], onChange: (value: string) => void }} props
 */
export function Pick({ label, value, options, onChange }) {
  const name = useId();
  return html`<fieldset class="pick"><legend class="visually-hidden">${label}</legend>
    ${options.map(([id, words]) => html`<label key=${id}><input type="radio" name=${name} value=${id}
      checked=${id === value}
      onChange=${() => onChange(id)} /><span>${words}</span></label>`)}</fieldset>`;
}

/** A text to take along. @param {{ text: string, label: string }} props */
export function Copy({ text, label }) {
  return html`<${IconButton} icon="copy" label=${label} run=${() => copy(text)} />`;
}

/** Pairs of a name and a value. @param {{ rows: ([string, any] | null | false)[] }} props */
export function Facts({ rows }) {
  const told = /** @type {[string, any][]} */ (rows.filter((row) => row && row[1] != null && row[1] !== ""
    && row[1] !== false));
  return html`<dl class="facts">${told.map(([name, value]) => html`<div
    key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/**
 * How far something has come; what it says is said in words beside it.
 * @param {{ label: string, done: number, total: number }} props
 */
export function Progress({ label, done, total }) {
  return html`<progress class="progress" aria-label=${label} max=${total || 1}
    value=${total ? done : undefined}></progress>`;
}
