// Small dialogs about one conversation: to which project it belongs, and taking a copy of it. Refuses to know how it looks.

import { html } from "./vendor/preact.mjs";
import { t } from "./i18n.js";
import { state } from "./store.js";
import { Head, icon, openDialog, walk } from "./ui.js";

/** @typedef {import("./types.js").Conversation} Conversation @typedef {import("./types.js").Project} Project */

/** The projects in the order of their tree, with how deep each lies. @param {string | null} parent @param {number} deep @returns {[Project, number][]} */
function tree(parent, deep) {
  if (deep > 8) return [];
  return state.projects.filter((one) => one.parent === parent).flatMap((one) => [/** @type {[Project, number]} */ ([one, deep]), ...tree(one.id, deep + 1)]);
}

/** @param {Conversation} one */
export async function openMove(one) {
  const pick = (/** @type {(value: any) => void} */ close, /** @type {string | null} */ project) => close({ project });
  /** @type {{project: string | null} | null} */
  const to = await openDialog((close) => html`<${Head} title=${t("Move to a project")} close=${close} />
    <div class="body options" onKeyDown=${walk}>
      <button type="button" class="option" aria-pressed=${!one.project} onClick=${() => pick(close, null)}><span class="grow">${t("No project")}</span>${!one.project && icon("check")}</button>
      ${tree(null, 0).map(([project, deep]) => html`<button type="button" class="option" key=${project.id} aria-pressed=${one.project === project.id} onClick=${() => pick(close, project.id)}>
        ${Array.from({ length: deep }, () => html`<span class="step"></span>`)}${icon("folder")}
        <span class="grow truncate" dir="auto">${project.name}</span>${one.project === project.id && icon("check")}</button>`)}
      ${!state.projects.length && html`<p class="empty">${t("There is no project yet. Make one with the plus beside “Projects”.")}</p>`}</div>`, { label: t("Move to a project") });
  if (to && to.project !== one.project) (await import("./talk.js")).patch(one.id, to);
}

/** @param {Conversation} one */
export function openExport(one) {
  /** @type {[string, string, string][]} */
  const forms = [
    ["md", "Markdown", t("The branch that you see, for reading and passing on")],
    ["json", "JSON", t("All branches, with what is known of each answer")],
    ["zip", "ZIP", t("All of it with the files; Freehold reads it back")],
  ];
  return openDialog((close) => html`<${Head} title=${t("Export")} close=${close} /><div class="body options">
    ${forms.map(([form, name, about]) => html`<a class="option" key=${form} download href=${`/api/conversations/${encodeURIComponent(one.id)}/export?format=${form}`} onClick=${() => close()}>
      <span class="grow"><span>${name}</span><span class="small faint">${about}</span></span>${icon("download")}</a>`)}</div>`, { label: t("Export") });
}
