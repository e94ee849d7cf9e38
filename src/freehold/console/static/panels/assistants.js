// Assistants: instructions, files, tools and the models allowed, under one name; one's own or for everybody.

import { html, useState } from "/vendor/preact.mjs";
import { t } from "/i18n.js";
import { Field, Files, Problem, Sure, useItems, useUnsaved, Waiting } from "/panels/pieces.js";
import { admin } from "/panels/prompts.js";

const EMPTY = { name: "", description: "", instructions: "", files: [], tools: [], models: [], starters: [], shared: false };

/** @param {import("./panels.js").Panel} given */
export default function Assistants({ context, close }) {
  const list = useItems("/api/assistants");
  const [edited, setEdited] = useState(/** @type {any} */ (null));
  if (edited) return html`<${Editor} assistant=${edited} list=${list} context=${context} done=${() => {
    setEdited(null);
    context.changed?.("assistants");
  }} />`;
  const start = (/** @type {string} */ id) => {
    close();
    context.go?.(`/?assistant=${encodeURIComponent(id)}`);
  };
  return html`
    <p class="aside">${t("An assistant is a set of instructions, files, tools and allowed models under one name.")}</p>
    <div class="toolbar"><button type="button" class="button primary" onClick=${() => setEdited(EMPTY)}>${t("New assistant")}</button></div>
    <${Problem} error=${list.error} />
    ${!list.items && !list.error && html`<${Waiting} />`}
    ${list.items && !list.items.length && html`<p class="empty">${t("No assistants yet. Make one for a task that comes back: minutes, translations, code review.")}</p>`}
    <ul class="lines">
      ${list.items?.map((each) => html`<li key=${each.id}>
        <span><strong dir="auto">${each.name}</strong> ${each.shared && html`<span class="badge">${t("for everybody")}</span>`}
          <small class="clip" dir="auto">${each.description || each.instructions}</small></span>
        <span class="toolbar">
          <button type="button" class="button" aria-label=${t("Chat with {name}", { name: each.name })} onClick=${() => start(each.id)}>${t("Chat")}</button>
          ${(each.own || admin(context)) && html`
            <button type="button" class="button quiet" aria-label=${t("Edit {name}", { name: each.name })} onClick=${() => setEdited(each)}>${t("Edit")}</button>
            <${Sure} label=${t("Delete")} question=${t("Delete {name}?", { name: each.name })} act=${() => list.remove(each.id)} />`}
        </span></li>`)}
    </ul>`;
}

/** @param {any} given */
function Editor({ assistant, list, context, done }) {
  const [draft, setDraft] = useState({ ...EMPTY, ...assistant });
  const [starters, setStarters] = useState(assistant.starters.join("\n"));
  useUnsaved(context, [{ ...EMPTY, ...assistant }, assistant.starters.join("\n")], [draft, starters]);
  const put = (/** @type {string} */ name, /** @type {any} */ value) => setDraft((/** @type {any} */ now) => ({ ...now, [name]: value }));
  const putFiles = (/** @type {(files: any[]) => any[]} */ change) => setDraft((/** @type {any} */ now) => ({ ...now, files: change(now.files) }));
  const [sending, setSending] = useState(false);
  const set = (/** @type {string} */ name) => (/** @type {any} */ e) => put(name, e.target.value);
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const { name, description, instructions, tools, models, shared } = draft;
    const body = {
      name, description, instructions, tools, models, shared,
      files: draft.files.map((/** @type {any} */ file) => file.id),
      starters: starters.split("\n").map((/** @type {string} */ line) => line.trim()).filter(Boolean),
    };
    if (await (assistant.id ? list.edit(assistant.id, body) : list.add(body))) done();
  };
  const home = context.session.home ?? {};
  return html`<form class="stack" onSubmit=${save}>
    <${Field} label=${t("Name")} id="assistant-name"><input class="input" id="assistant-name" required maxlength="100" autofocus dir="auto" value=${draft.name} onInput=${set("name")} /><//>
    <${Field} label=${t("What it is for, in a line")} id="assistant-about"><input class="input" id="assistant-about" maxlength="300" dir="auto" value=${draft.description} onInput=${set("description")} /><//>
    <${Field} label=${t("Instructions")} id="assistant-how" hint=${t("Goes before every conversation with it. Whoever may use the assistant may read this.")}>
      <textarea class="input" id="assistant-how" rows="7" dir="auto" value=${draft.instructions} onInput=${set("instructions")}></textarea><//>
    <${Field} label=${t("Files it knows")} id="assistant-files"><${Files} id="assistant-files" files=${draft.files} onChange=${putFiles} onBusy=${setSending} /><//>
    <${Choices} legend=${t("Models allowed")} none=${t("All that the person may use")} names=${(home.models ?? []).map((/** @type {any} */ m) => m.id)}
      chosen=${draft.models} onChange=${(/** @type {any} */ models) => put("models", models)} />
    <${Choices} legend=${t("Tools")} none=${t("None")} names=${(home.tools ?? []).map((/** @type {any} */ s) => s.name)}
      chosen=${draft.tools} onChange=${(/** @type {any} */ tools) => put("tools", tools)} />
    <${Field} label=${t("First questions to offer, one a line")} id="assistant-starters">
      <textarea class="input" id="assistant-starters" rows="3" dir="auto" value=${starters} onInput=${(/** @type {any} */ e) => setStarters(e.target.value)}></textarea><//>
    <label class="check"><input type="checkbox" checked=${draft.shared} onChange=${(/** @type {any} */ e) => put("shared", e.target.checked)} /> ${t("For everybody here")}</label>
    <${Problem} error=${list.error} />
    <div class="toolbar"><button class="button primary" disabled=${sending || list.busy}>${t("Save")}</button>
      <button type="button" class="button quiet" onClick=${done}>${t("Cancel")}</button></div>
  </form>`;
}

/** Several of a set; what was chosen and is no longer there stays visible, so that it can be taken out. @param {any} given */
function Choices({ legend, none, names, chosen, onChange }) {
  const all = [...new Set([...names, ...chosen])];
  const flip = (/** @type {string} */ name) =>
    onChange(chosen.includes(name) ? chosen.filter((/** @type {string} */ each) => each !== name) : [...chosen, name]);
  return html`<fieldset class="choices">
    <legend>${legend}</legend>
    ${!chosen.length && html`<small>${none}</small>`}
    ${all.map((name) => html`<label class="check" key=${name}>
      <input type="checkbox" checked=${chosen.includes(name)} onChange=${() => flip(name)} /> <bdi>${name}</bdi></label>`)}
  </fieldset>`;
}
