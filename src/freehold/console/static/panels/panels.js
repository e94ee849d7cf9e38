// Dialogs that are opened now and then: settings with their leaves, and small ones of their own. Loaded when first asked
// for. Knows which module shows what; refuses to know what they do.

import { html, render, useEffect, useRef, useState } from "/vendor/preact.mjs";
import { t } from "/i18n.js";
import { confirm, giveBack, IconButton, style } from "/ui.js";

/**
 * What a panel is handed. `session` is the answer of GET /api/session; `changed(what)` tells the page that something it
 * shows is other than it was; `go(path)` leads to another address of the page; `unsaved(is)`, which this module adds,
 * keeps whether an editor holds what is not saved yet: leaving it is then asked about.
 * @typedef {{session: any, changed?: (what: string) => void, go?: (path: string) => void, unsaved?: (is: boolean) => void, [more: string]: any}} Context
 * @typedef {{context: Context, close: () => void}} Panel
 */

/** @type {[string, () => Promise<any>][]} */
const LEAVES = [
  ["general", () => import("/panels/general.js")],
  ["memories", () => import("/panels/memories.js")],
  ["prompts", () => import("/panels/prompts.js")],
  ["assistants", () => import("/panels/assistants.js")],
  ["tools", () => import("/panels/tools.js")],
  ["imports", () => import("/panels/imports.js")],
  ["exports", () => import("/panels/exports.js")],
  ["shares", () => import("/panels/shares.js")],
  ["sessions", () => import("/panels/sessions.js")],
];

/** @type {Record<string, () => Promise<any>>} */
const SMALL = {
  project: () => import("/panels/project.js"),
  share: () => import("/panels/share.js"),
  fill: () => import("/panels/fill.js"),
};

/** What a leaf or a small dialog is called. */
function title(/** @type {string} */ name) {
  return {
    general: t("General"),
    memories: t("Memory"),
    prompts: t("Saved prompts"),
    assistants: t("Assistants"),
    tools: t("Tools"),
    imports: t("Import"),
    exports: t("Export"),
    shares: t("Shared links"),
    sessions: t("Sign-ins and tokens"),
    project: t("Project"),
    share: t("Share this conversation"),
    fill: t("Fill in the prompt"),
  }[name];
}

/**
 * Open the dialog `name`; resolves when it was closed. `settings` opens the first leaf.
 * @param {string} name
 * @param {Context} context
 * @returns {Promise<void>}
 */
export async function openPanel(name, context) {
  style("/panels/panels.css");
  const back = document.activeElement;
  const dialog = document.createElement("dialog");
  const small = name in SMALL;
  dialog.className = small ? "dialog panel small" : "dialog panel";
  dialog.setAttribute("aria-labelledby", "panel-title");
  document.body.append(dialog);
  const done = new Promise((resolve) => dialog.addEventListener("close", () => resolve(undefined), { once: true }));
  // Only a press that both began and ended on the backdrop closes it: a selection of text may end outside.
  /** @type {EventTarget | null} */
  let down = null;
  dialog.addEventListener("pointerdown", (event) => (down = event.target));
  dialog.addEventListener("click", (event) => event.target === dialog && down === dialog && close());
  let unsaved = false;
  const may = async () => !unsaved || confirm({ title: t("Leave what you wrote?"), text: t("It is not saved yet."), yes: t("Leave it"), danger: true });
  const close = async () => void (await may() && dialog.close());
  dialog.addEventListener("cancel", (event) => {
    if (event.target !== dialog || !unsaved) return;
    event.preventDefault();
    close();
  });
  context = { ...context, unsaved: (is) => (unsaved = is) };
  render(
    small
      ? html`<${Small} name=${name} context=${context} close=${close} />`
      : html`<${Leaves} first=${name === "settings" ? "general" : name} context=${context} close=${close} may=${may} />`,
    dialog,
  );
  dialog.showModal();
  await done;
  render(null, dialog);
  dialog.remove();
  giveBack(back);
}

/** @param {any} given */
function Leaves({ first, context, close, may }) {
  const [name, setName] = useState(first);
  const turn = async (/** @type {string} */ next) => {
    if (next === name || !(await may())) return;
    setName(next);
    /** @type {HTMLElement | null | undefined} */ (list.current?.querySelector(`[data-leaf=${next}]`))?.focus();
  };
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const step = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1 })[event.key];
    if (!step) return;
    event.preventDefault();
    const at = LEAVES.findIndex(([each]) => each === name);
    turn(LEAVES[(at + step + LEAVES.length) % LEAVES.length][0]);
  };
  return html`
    <header class="panel-head">
      <h2 id="panel-title">${t("Settings")}</h2>
      <${IconButton} icon="close" label=${t("Close")} run=${close} />
    </header>
    <div class="panel-body">
      <div class="panel-leaves" role="tablist" aria-orientation="vertical" aria-label=${t("Settings")} ref=${list}
        onKeyDown=${onKeyDown}>
        ${LEAVES.map(([each]) => html`<button type="button" role="tab" key=${each} data-leaf=${each} id=${`leaf-${each}`}
          aria-selected=${each === name ? "true" : "false"} aria-controls="panel-leaf" tabindex=${each === name ? 0 : -1}
          autofocus=${each === first} onClick=${() => turn(each)}>${title(each)}</button>`)}
      </div>
      <section class="panel-leaf" id="panel-leaf" role="tabpanel" aria-labelledby=${`leaf-${name}`} tabindex="0">
        <${Lazy} key=${name} load=${LEAVES.find(([each]) => each === name)?.[1]} context=${context} close=${close} />
      </section>
    </div>`;
}

/** @param {any} given */
function Small({ name, context, close }) {
  return html`
    <header class="panel-head">
      <h2 id="panel-title">${context.title ?? title(name)}</h2>
      <${IconButton} icon="close" label=${t("Close")} run=${close} />
    </header>
    <div class="panel-leaf"><${Lazy} load=${SMALL[name]} context=${context} close=${close} /></div>`;
}

/** A module's default component, once it is here. @param {any} given */
function Lazy({ load, context, close }) {
  const [module, setModule] = useState(/** @type {any} */ (null));
  const [error, setError] = useState("");
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  // What comes later than the dialog gets no focus of itself.
  useEffect(() => {
    if (module && box.current) /** @type {HTMLElement | null} */ (box.current.querySelector("[autofocus]"))?.focus();
  }, [module]);
  useEffect(() => {
    load().then(setModule, () => setError(t("This part of the page could not be loaded. Check the connection, then open it again.")));
  }, []);
  if (error) return html`<p class="error" role="alert">${error}</p>`;
  if (!module) return html`<span class="spinner" role="status" aria-label=${t("Loading")}></span>`;
  return html`<div ref=${box}><${module.default} context=${context} close=${close} /></div>`;
}
