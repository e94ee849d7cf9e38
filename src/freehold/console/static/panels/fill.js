// Asks for what a saved prompt leaves open, and hands back the whole text. Context: `prompt`, `onText(text)`.

import { html, useEffect, useState } from "/vendor/preact.mjs";
import { t } from "/i18n.js";
import { Field } from "/panels/pieces.js";

const PLACE = /\{\{\s*([^{}]*?)\s*\}\}/g;

/**
 * The text with its places filled in.
 * @param {string} text
 * @param {Record<string, string>} values
 */
export function filled(text, values) {
  return text.replace(PLACE, (place, inside) => {
    const name = inside.split(/[=:]/, 1)[0].trim();
    return name in values ? values[name] : place;
  });
}

/** @param {import("./panels.js").Panel} given */
export default function Fill({ context, close }) {
  const { prompt, onText } = context;
  const [values, setValues] = useState(
    Object.fromEntries(prompt.variables.map((/** @type {any} */ each) => [each.name, each.default ?? each.choices?.[0] ?? ""])),
  );
  useEffect(() => document.getElementById("fill-0")?.focus(), []); // the dialog is open before this is loaded: autofocus comes too late
  const set = (/** @type {string} */ name) => (/** @type {any} */ e) => setValues({ ...values, [name]: e.target.value });
  const use = (/** @type {Event} */ event) => {
    event.preventDefault();
    close();
    onText(filled(prompt.text, values));
  };
  return html`<form class="stack" onSubmit=${use}>
    ${prompt.variables.map((/** @type {any} */ each, /** @type {number} */ at) => html`<${Field} key=${each.name} label=${each.name} id=${`fill-${at}`}>
      ${each.kind === "choice"
        ? html`<select class="select" id=${`fill-${at}`} value=${values[each.name]} onChange=${set(each.name)}>
            ${each.choices.map((/** @type {string} */ one) => html`<option key=${one} value=${one}>${one}</option>`)}</select>`
        : each.kind === "long"
          ? html`<textarea class="input" id=${`fill-${at}`} rows="5" dir="auto" value=${values[each.name]} onInput=${set(each.name)}></textarea>`
          : html`<input class="input" id=${`fill-${at}`} dir="auto" value=${values[each.name]} onInput=${set(each.name)} />`}
    <//>`)}
    <div class="toolbar"><button class="button primary">${t("Put into the message")}</button>
      <button type="button" class="button quiet" onClick=${close}>${t("Cancel")}</button></div>
  </form>`;
}
