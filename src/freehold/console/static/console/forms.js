// Forms: what is written, what the server says to it, and beside which field. Refuses to know what is asked for.

import { html, useId, useState } from "./hooks.js";
import { t } from "../i18n.js";
import { Icon } from "./icons.js";
import { problem } from "./place.js";

/**
 * @typedef {{ values: Record<string, any>, set: (name: string, value: any) => void, busy: boolean,
 *   wrong: import("./place.js").Problem | null,
 *   submit: (event: Event) => Promise<void>, fields: Set<string> }} Form
 */

/**
 * @param {Record<string, any>} initial
 * @param {(values: Record<string, any>) => Promise<any>} send
 * @returns {Form}
 */
export function useForm(initial, send) {
  const [values, setValues] = useState(initial);
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState(/** @type {import("./place.js").Problem | null} */ (null));
  const [fields] = useState(() => /** @type {Set<string>} */ (new Set()));
  return {
    values, busy, wrong, fields,
    set: (name, value) => {
      setValues((old) => ({ ...old, [name]: value }));
      if (wrong && concerns(wrong, name)) setWrong(null);
    },
    submit: async (event) => {
      event.preventDefault();
      const form = /** @type {HTMLFormElement} */ (event.currentTarget);
      setBusy(true);
      setWrong(null);
      try {
        await send(values);
      } catch (error) {
        setWrong(problem(error));
        setTimeout(() => /** @type {HTMLElement | null} */ (form.querySelector("[aria-invalid=true]"))?.focus());
      }
      setBusy(false);
    },
  };
}

/** @param {import("./place.js").Problem} wrong @param {string} name */
const concerns = (wrong, name) => (wrong.param ?? "").split(/[.[]/)[0] === name;

/** What is wrong and belongs to no field. @param {{ form: Form }} props */
export function Wrong({ form }) {
  const { wrong } = form;
  if (!wrong || [...form.fields].some((name) => concerns(wrong, name))) return null;
  return html`<p class="error" role="alert">${wrong.message}</p>`;
}

/**
 * A field with its name, a hint, and what is wrong with it.
 * @param {{ form: Form, name: string, label: string, hint?: any, kind?: string, options?: [string, string][],
 *   required?: boolean,
 *   rows?: number, placeholder?: string, autocomplete?: string, list?: string[] }} props
 */
export function Field({ form, name, label, hint, kind = "text", options, required, rows, placeholder,
  autocomplete = "off", list }) {
  const id = useId();
  form.fields.add(name);
  const bad = form.wrong && concerns(form.wrong, name) ? form.wrong.message : "";
  const shared = {
    id, name, required, placeholder, autocomplete,
    value: form.values[name] ?? "",
    "aria-invalid": bad ? "true" : undefined,
    "aria-describedby": `${hint ? `${id}-hint` : ""} ${bad ? `${id}-wrong` : ""}`.trim() || undefined,
    onInput: (/** @type {any} */ event) => form.set(name, event.currentTarget.value),
  };
  return html`<div class="field"><label for=${id}>${label}${!required
    && html` <span class="faint">${t("(optional)")}</span>`}</label>
    ${options
      ? html`<select class="select" ...${shared}>${options.map(([value, words]) => html`<option key=${value}
        value=${value}>${words}</option>`)}</select>`
      : rows
        ? html`<textarea class="input" rows=${rows} ...${shared}></textarea>`
        : html`<input class="input" type=${kind} list=${list ? `${id}-list` : undefined} ...${shared} />`}
    ${list && html`<datalist id="${id}-list">${list.map((value) => html`<option key=${value} value=${value} />`)}
      </datalist>`}
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${bad && html`<p class="error" id="${id}-wrong">${bad}</p>`}</div>`;
}

/**
 * Any of several.
 * @param {{ form: Form, name: string, label: string, hint?: any, options: string[] }} props
 */
export function Several({ form, name, label, hint, options }) {
  form.fields.add(name);
  /** @type {string[]} */
  const chosen = form.values[name] ?? [];
  const bad = form.wrong && concerns(form.wrong, name) ? form.wrong.message : "";
  return html`<fieldset class="field"><legend>${label}</legend>${hint && html`<p class="hint">${hint}</p>`}
    <div class="several">${options.map((option) => html`<label key=${option} class="choice"><input type="checkbox"
      checked=${chosen.includes(option)}
      onChange=${(/** @type {any} */ event) => form.set(name, event.currentTarget.checked ? [...chosen, option]
        : chosen.filter((one) => one !== option))} />
      ${option}</label>`)}</div>
    ${bad && html`<p class="error" role="alert">${bad}</p>`}</fieldset>`;
}

/**
 * A limit as the API writes it, taken apart for a row of fields.
 * @param {string} text  budget=5.00 USD/month, requests=60/minute, tokens=100000/day
 */
export function takeApart(text) {
  const [, measure = "requests", amount = "", currency = "", window = "month"] =
    /^(\w+)=([\d.]+) ?([A-Z]*)\/(\w+)$/.exec(text) ?? [];
  return { measure, amount, currency, window };
}

/**
 * The other way round. A row without an amount is an error of the field `limits`.
 * @param {{ measure: string, amount: string, currency: string, window: string }} row
 */
export function together({ measure, amount, currency, window }) {
  if (!amount.trim()) throw Object.assign(new Error(t("Enter an amount")), { param: "limits" });
  return `${measure}=${amount.trim()}${measure === "budget" ? ` ${currency || "USD"}` : ""}/${window}`;
}

/**
 * Limits, a row each. The value is a list of rows as `takeApart` makes them.
 * @param {{ form: Form, name: string, label: string, hint?: any }} props
 */
export function Limits({ form, name, label, hint }) {
  form.fields.add(name);
  /** @type {ReturnType<typeof takeApart>[]} */
  const rows = form.values[name] ?? [];
  const bad = form.wrong && concerns(form.wrong, name) ? form.wrong.message : "";
  const lacks = rows.some((row) => !row.amount.trim());
  const put = (/** @type {number} */ n, /** @type {object} */ change) =>
    form.set(name, rows.map((row, k) => (k === n ? { ...row, ...change } : row)));
  const value = (/** @type {any} */ event) => event.currentTarget.value;
  return html`<fieldset class="field"><legend>${label}</legend>${hint && html`<p class="hint">${hint}</p>`}
    ${rows.map((row, n) => html`<div key=${n} class="limit-row" role="group" aria-label=${t("Limit {n}", { n: n + 1 })}>
      <select class="select" aria-label=${t("What is limited")} value=${row.measure}
        onInput=${(/** @type {any} */ e) => put(n, { measure: value(e) })}>
        <option value="budget">${t("Budget")}</option><option value="requests">${t("Requests")}</option><option
          value="tokens">${t("Tokens")}</option></select>
      <select class="select" aria-label=${t("Window")} value=${row.window}
        onInput=${(/** @type {any} */ e) => put(n, { window: value(e) })}>
        ${row.measure !== "budget" && html`<option value="minute">${t("per minute")}</option>`}<option
          value="day">${t("per day")}</option>
        <option value="month">${t("per month")}</option><option value="total">${t("in all")}</option></select>
      <input class="input numeric" inputmode="decimal" aria-label=${t("Amount")} value=${row.amount}
        aria-invalid=${bad && (!lacks || !row.amount.trim()) ? "true" : undefined}
        onInput=${(/** @type {any} */ e) => put(n, { amount: value(e) })} />
      ${row.measure === "budget" && html`<input class="input currency" maxlength="3" aria-label=${t("Currency")}
        value=${row.currency || "USD"}
        onInput=${(/** @type {any} */ e) => put(n, { currency: value(e).toUpperCase() })} />`}
      <button type="button" class="icon-button" aria-label=${t("Remove limit {n}", { n: n + 1 })}
        onClick=${() => form.set(name, rows.filter((_, k) => k !== n))}><${Icon} name="close" /></button></div>`)}
    ${bad && html`<p class="error" role="alert">${bad}</p>`}
    <div><button type="button" class="button" onClick=${() =>
      form.set(name, [...rows, { measure: "budget", amount: "", currency: "USD", window: "month" }])}>
      <${Icon} name="plus" />${t("Add a limit")}</button></div></fieldset>`;
}

/** The buttons under a form. @param {{ form: Form, onClose: () => void, action: string, leave?: string }} props */
export function Buttons({ form, onClose, action, leave = t("Cancel") }) {
  return html`<button type="button" class="button" onClick=${() => onClose()}>${leave}</button>
    <button class="button primary" disabled=${form.busy}>
      ${form.busy && html`<span class="spinner"></span>`}${action}</button>`;
}

/**
 * One of a list, at once.
 * @param {{ label: string, value: string, all?: string, options: [string, string][],
 *   onChange: (value: string) => void }} props
 */
export function Choice({ label, value, all, options, onChange }) {
  const known = !value || options.some(([own]) => own === value);
  const id = useId();
  return html`<div class="field"><label for=${id}>${label}</label><select class="select" id=${id} value=${value}
    onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.value)}>
    ${all && html`<option value="">${all}</option>`}${!known && html`<option value=${value}>${value}</option>`}
    ${options.map(([own, words]) => html`<option key=${own} value=${own}>${words}</option>`)}</select></div>`;
}
