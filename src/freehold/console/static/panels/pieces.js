// What several panels share: a list behind an address, a form row, files that belong to something, a second thought.

import { html, useEffect, useLayoutEffect, useState } from "/vendor/preact.mjs";
import { call } from "/door.js";
import { t } from "/i18n.js";

/**
 * The items at `path`, with what changes them. Every change tells its error in words and returns whether it held.
 * @param {string} path
 * @param {(answer: any) => any[]} [pick]
 */
export function useItems(path, pick = (answer) => answer.items ?? answer) {
  const [items, setItems] = useState(/** @type {any[] | null} */ (null));
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const load = async () => {
    try {
      setItems(pick(await call("GET", path)));
      setError("");
    } catch (problem) {
      setError(/** @type {Error} */ (problem).message);
    }
  };
  /** @param {() => Promise<any>} work */
  const change = async (work) => {
    setBusy(true);
    try {
      const answer = await work();
      setError("");
      await load();
      return answer ?? true;
    } catch (problem) {
      setError(/** @type {Error} */ (problem).message);
      return false;
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => {
    load();
  }, [path]);
  return {
    items,
    error,
    busy,
    load,
    change,
    add: (/** @type {any} */ body) => change(() => call("POST", path, body)),
    edit: (/** @type {string} */ id, /** @type {any} */ body) => change(() => call("PATCH", `${path}/${id}`, body)),
    remove: (/** @type {string} */ id) => change(() => call("DELETE", `${path}/${id}`)),
  };
}

/**
 * While an editor is shown: tells the dialog, at once, whether it holds what is not saved.
 * @param {import("./panels.js").Context} context
 * @param {any} before
 * @param {any} now
 */
export function useUnsaved(context, before, now) {
  const differs = JSON.stringify(before) !== JSON.stringify(now);
  useLayoutEffect(() => {
    context.unsaved?.(differs);
    return () => context.unsaved?.(false);
  }, [differs]);
}

/** @param {any} given */
export function Problem({ error }) {
  return error ? html`<p class="error" role="alert">${error}</p>` : null;
}

export function Waiting() {
  return html`<span class="spinner" role="status" aria-label=${t("Loading")}></span>`;
}

/** A label above what is to be filled in, a hint below it. @param {any} given */
export function Field({ label, hint, children, id }) {
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children}
    ${hint && html`<small id=${`${id}-hint`}>${hint}</small>`}
  </div>`;
}

/** A button that asks once more, in place, before it does what cannot be undone. @param {any} given */
export function Sure({ label, question, act, disabled = false }) {
  const [asked, setAsked] = useState(false);
  if (!asked) {
    return html`<button type="button" class="button quiet" disabled=${disabled} onClick=${() => setAsked(true)}>${label}</button>`;
  }
  const yes = () => {
    setAsked(false);
    act();
  };
  return html`<span class="sure" role="group" aria-label=${question}>
    <span>${question}</span>
    <button type="button" class="button danger" ref=${(/** @type {HTMLElement | null} */ el) => el?.focus()} onClick=${yes}>${label}</button>
    <button type="button" class="button quiet" onClick=${() => setAsked(false)}>${t("Cancel")}</button>
  </span>`;
}

/**
 * Files that belong to a project or an assistant: shown, taken out, added by choosing or dropping. What else is in the
 * form may change while one is on its way: a change is a function of the files as they then are.
 * @param {{files: any[], onChange: (change: (files: any[]) => any[]) => void, onBusy: (busy: boolean) => void, id: string}} props
 */
export function Files({ files, onChange, onBusy, id }) {
  const [busy, setBusy] = useState("");
  const [error, setError] = useState("");
  const take = async (/** @type {FileList | null | undefined} */ list) => {
    setError("");
    onBusy(true);
    for (const file of list ?? []) {
      setBusy(file.name);
      try {
        const sent = await send(file);
        onChange((now) => [...now, sent]);
      } catch (problem) {
        setError(`${file.name}: ${/** @type {Error} */ (problem).message}`);
      }
    }
    setBusy("");
    onBusy(false);
  };
  const onDrop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    take(event.dataTransfer?.files);
  };
  return html`<div class="drop" onDragOver=${(/** @type {Event} */ e) => e.preventDefault()} onDrop=${onDrop}>
    <ul class="chips">
      ${files.map((file) => html`<li key=${file.id} class="badge"><bdi>${file.name}</bdi>
        <button type="button" class="icon-button" aria-label=${t("Take {name} out", { name: file.name })}
          onClick=${() => onChange((now) => now.filter((each) => each.id !== file.id))}>✕</button></li>`)}
    </ul>
    <label class="button quiet" for=${id}>${busy ? t("Sending {name} …", { name: busy }) : t("Add files")}</label>
    <input class="visually-hidden" id=${id} type="file" multiple disabled=${Boolean(busy)}
      onChange=${(/** @type {any} */ e) => take(e.target.files)} />
    <${Problem} error=${error} />
  </div>`;
}

/**
 * Send one file to the server.
 * @param {File} file
 */
export async function send(file) {
  return await call("POST", `/api/files?name=${encodeURIComponent(file.name)}`, file);
}
