// Pieces that the pages on who saw what share. Refuses to know which of them shows them.

import { t } from "../i18n.js";
import { exact } from "./format.js";
import { html, useEffect, useId, useState } from "./hooks.js";

/**
 * A text that counts once it is left or Enter is pressed.
 * @param {{ label: string, value: string, onChange: (value: string) => void, list?: string[] }} props
 */
export function Text({ label, value, onChange, list }) {
  const id = useId();
  const [text, setText] = useState("");
  const plain = value.replace(/\\(.)/g, "$1");
  useEffect(() => setText(plain), [plain]);
  return html`<div class="field"><label for=${id}>${label}</label><input class="input" id=${id} value=${text}
    list=${list ? `${id}-list` : undefined} autocomplete="off"
    onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)}
    onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.value.trim())} />
    ${list && html`<datalist id="${id}-list">${list.map((one) => html`<option key=${one} value=${one} />`)}</datalist>`}
    </div>`;
}

/** That the figures below are not all. @param {{ data: any }} props */
export function Late({ data }) {
  return data.catching_up && html`<p class="notice before" role="status">
    ${t("The ledger is being summed: {done} of {total} entries. The figures below are partial until then.",
      { done: exact(data.catching_up.done), total: exact(data.catching_up.total) })}</p>`;
}
