// One project or folder: its name, where it lies, its instructions and files. Context: `project` (none: a new one),
// `parent` for a new one, `onDone(project | null)`.

import { html, useState } from "/vendor/preact.mjs";
import { call } from "/door.js";
import { t } from "/i18n.js";
import { Field, Files, Problem, Sure } from "/panels/pieces.js";

/** @param {import("./panels.js").Panel} given */
export default function Project({ context, close }) {
  const given = context.project;
  const [draft, setDraft] = useState({
    name: given?.name ?? "",
    kind: given?.kind ?? context.kind ?? "project",
    parent: given?.parent ?? context.parent ?? "",
    instructions: given?.instructions ?? "",
    files: given?.files ?? [],
  });
  const [error, setError] = useState("");
  const put = (/** @type {string} */ name, /** @type {any} */ value) => setDraft((/** @type {any} */ now) => ({ ...now, [name]: value }));
  const putFiles = (/** @type {(files: any[]) => any[]} */ change) => setDraft((/** @type {any} */ now) => ({ ...now, files: change(now.files) }));
  const [sending, setSending] = useState(false);
  const finish = async (/** @type {() => Promise<any>} */ work) => {
    try {
      const answer = await work();
      context.changed?.("projects");
      close();
      context.onDone?.(answer ?? null);
    } catch (problem) {
      setError(/** @type {Error} */ (problem).message);
    }
  };
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    const body = { ...draft, parent: draft.parent || null, files: draft.files.map((/** @type {any} */ file) => file.id) };
    finish(() => (given ? call("PATCH", `/api/projects/${given.id}`, body) : call("POST", "/api/projects", body)));
  };
  const others = (context.session.home?.projects ?? []).filter((/** @type {any} */ each) => each.id !== given?.id);
  return html`<form class="stack" onSubmit=${save}>
    <${Field} label=${t("Name")} id="project-name"><input class="input" id="project-name" required maxlength="100" autofocus dir="auto" value=${draft.name} onInput=${(/** @type {any} */ e) => put("name", e.target.value)} /><//>
    ${others.length > 0 && html`<${Field} label=${t("Inside of")} id="project-parent">
      <select class="select" id="project-parent" value=${draft.parent} onChange=${(/** @type {any} */ e) => put("parent", e.target.value)}>
        <option value="">${t("nothing: at the top")}</option>
        ${others.map((/** @type {any} */ each) => html`<option key=${each.id} value=${each.id}>${each.name}</option>`)}
      </select><//>`}
    <${Field} label=${t("Instructions")} id="project-how" hint=${t("They go before every conversation in here, after those of what it lies in.")}>
      <textarea class="input" id="project-how" rows="6" dir="auto" value=${draft.instructions} onInput=${(/** @type {any} */ e) => put("instructions", e.target.value)}></textarea><//>
    <${Field} label=${t("Files for every conversation in here")} id="project-files"><${Files} id="project-files" files=${draft.files} onChange=${putFiles} onBusy=${setSending} /><//>
    <${Problem} error=${error} />
    <div class="toolbar"><button class="button primary" disabled=${sending || !draft.name.trim()}>${t("Save")}</button>
      ${given && html`<${Sure} label=${t("Delete")} question=${t("Delete it? Its conversations stay, outside of it.")} act=${() => finish(() => call("DELETE", `/api/projects/${given.id}`))} />`}
    </div>
  </form>`;
}
