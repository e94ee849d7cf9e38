// Saved prompts: texts with places to fill in, one's own or for everybody.

import { html, useState } from "/vendor/preact.mjs";
import { t } from "/i18n.js";
import { Field, Problem, Sure, useItems, useUnsaved, Waiting } from "/panels/pieces.js";

/** @param {import("./panels.js").Panel} given */
export default function Prompts({ context }) {
  const list = useItems("/api/prompts");
  const [edited, setEdited] = useState(/** @type {any} */ (null));
  if (edited) return html`<${Editor} prompt=${edited} list=${list} context=${context} done=${() => {
    setEdited(null);
    context.changed?.("prompts");
  }} />`;
  return html`
    <p class="aside">${t("Type / in an empty message to use one. Places to fill in stand in double braces: {{topic}}, {{tone:formal|friendly}}, {{days=7}}, {{text:long}}.")}</p>
    <div class="toolbar"><button type="button" class="button primary" onClick=${() => setEdited({ name: "", text: "", shared: false })}>${t("New prompt")}</button></div>
    <${Problem} error=${list.error} />
    ${!list.items && !list.error && html`<${Waiting} />`}
    ${list.items && !list.items.length && html`<p class="empty">${t("No saved prompts yet. Save one that you type again and again.")}</p>`}
    <ul class="lines">
      ${list.items?.map((each) => html`<li key=${each.id}>
        <span><strong dir="auto">${each.name}</strong> ${each.shared && html`<span class="badge">${t("for everybody")}</span>`}
          <small class="clip" dir="auto">${each.text}</small></span>
        ${(each.own || admin(context)) && html`<span class="toolbar">
          <button type="button" class="button quiet" aria-label=${t("Edit {name}", { name: each.name })} onClick=${() => setEdited(each)}>${t("Edit")}</button>
          <${Sure} label=${t("Delete")} question=${t("Delete {name}?", { name: each.name })} act=${() => list.remove(each.id)} /></span>`}
      </li>`)}
    </ul>`;
}

/** Whether the person may change what is for everybody. */
export function admin(/** @type {any} */ context) {
  return ["owner", "admin"].includes(context.session.member?.role);
}

/** @param {any} given */
function Editor({ prompt, list, context, done }) {
  const before = { name: prompt.name, text: prompt.text, shared: prompt.shared };
  const [draft, setDraft] = useState(before);
  useUnsaved(context, before, draft);
  const set = (/** @type {string} */ name) => (/** @type {any} */ e) =>
    setDraft({ ...draft, [name]: e.target.type === "checkbox" ? e.target.checked : e.target.value });
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (await (prompt.id ? list.edit(prompt.id, draft) : list.add(draft))) done();
  };
  return html`<form class="stack" onSubmit=${save}>
    <${Field} label=${t("Name")} id="prompt-name"><input class="input" id="prompt-name" required maxlength="100" autofocus dir="auto" value=${draft.name} onInput=${set("name")} /><//>
    <${Field} label=${t("Text")} id="prompt-text" hint=${t("{{topic}} is a word, {{topic=bees}} has one already, {{tone:formal|friendly}} is a choice, {{text:long}} a long one.")}>
      <textarea class="input" id="prompt-text" required rows="8" dir="auto" aria-describedby="prompt-text-hint" value=${draft.text} onInput=${set("text")}></textarea><//>
    <label class="check"><input type="checkbox" checked=${draft.shared} onChange=${set("shared")} /> ${t("For everybody here")}</label>
    <${Problem} error=${list.error} />
    <div class="toolbar"><button class="button primary" disabled=${list.busy}>${t("Save")}</button>
      <button type="button" class="button quiet" onClick=${done}>${t("Cancel")}</button></div>
  </form>`;
}
