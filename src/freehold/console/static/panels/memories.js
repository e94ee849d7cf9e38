// What is remembered about the person: seen, approved, changed and forgotten here. Nothing is used before it is approved.

import { html, useState } from "/vendor/preact.mjs";
import { t } from "/i18n.js";
import { Problem, Sure, useItems, Waiting } from "/panels/pieces.js";

export default function Memories() {
  const list = useItems("/api/memories");
  const [text, setText] = useState("");
  const add = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (text.trim() && (await list.add({ text: text.trim() }))) setText("");
  };
  const proposed = list.items?.filter((each) => each.state === "proposed") ?? [];
  const approved = list.items?.filter((each) => each.state !== "proposed") ?? [];
  return html`
    <p class="aside">${t("What you approve here goes along with every new question, to whichever model answers. A temporary chat sends none of it.")}</p>
    <form class="row" onSubmit=${add}>
      <label class="visually-hidden" for="memory-new">${t("Something to remember")}</label>
      <input class="input" id="memory-new" maxlength="500" value=${text} placeholder=${t("I work in metric units.")}
        onInput=${(/** @type {any} */ e) => setText(e.target.value)} />
      <button class="button primary" disabled=${!text.trim() || list.busy}>${t("Remember")}</button>
    </form>
    <${Problem} error=${list.error} />
    ${!list.items && !list.error && html`<${Waiting} />`}
    ${proposed.length > 0 && html`<h3>${t("Waiting for your word")}</h3>
      <ul class="lines">${proposed.map((each) => html`<${Proposed} key=${each.id} memory=${each} list=${list} />`)}</ul>`}
    ${list.items && html`<h3>${t("Remembered")}</h3>`}
    ${list.items && !approved.length && html`<p class="empty">${t("Nothing yet. Write a line above, or let a model propose one with the tool “memory”.")}</p>`}
    <ul class="lines">${approved.map((each) => html`<${Approved} key=${each.id} memory=${each} list=${list} />`)}</ul>`;
}

/** @param {any} given */
function Proposed({ memory, list }) {
  return html`<li><span dir="auto">${memory.text}</span>
    <span class="toolbar">
      <button type="button" class="button primary" onClick=${() => list.edit(memory.id, { state: "approved" })}>${t("Approve")}</button>
      <button type="button" class="button quiet" onClick=${() => list.remove(memory.id)}>${t("Dismiss")}</button>
    </span></li>`;
}

/** @param {any} given */
function Approved({ memory, list }) {
  const [text, setText] = useState(/** @type {string | null} */ (null));
  if (text === null) {
    return html`<li><span dir="auto">${memory.text}</span>
      <span class="toolbar">
        <button type="button" class="button quiet" onClick=${() => setText(memory.text)}>${t("Edit")}</button>
        <${Sure} label=${t("Forget")} question=${t("Forget this?")} act=${() => list.remove(memory.id)} />
      </span></li>`;
  }
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (await list.edit(memory.id, { text: text.trim() })) setText(null);
  };
  return html`<li><form class="row" onSubmit=${save}>
    <input class="input" maxlength="500" aria-label=${t("Something to remember")} value=${text}
      onInput=${(/** @type {any} */ e) => setText(e.target.value)} />
    <button class="button primary" disabled=${!text.trim()}>${t("Save")}</button>
    <button type="button" class="button quiet" onClick=${() => setText(null)}>${t("Cancel")}</button>
  </form></li>`;
}
