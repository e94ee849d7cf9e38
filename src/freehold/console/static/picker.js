// Choosing models: one, or up to four side by side. Knows their makers, sellers and hosts; refuses to know what is asked.

import { html, useEffect, useState } from "./vendor/preact.mjs";
import { call, session } from "./door.js";
import { number, plural, t } from "./i18n.js";
import { allowed, assistant, change, models, remember, state, useStore } from "./store.js";
import { Head, icon, openDialog, walk } from "./ui.js";

/** @typedef {import("./types.js").Model} Model */

const MOST = 4;

/** Lets the reader choose what the next question goes to. */
export async function pickModels() {
  const temporary = state.route.temporary;
  /** @type {string[] | null} what is ticked holds, however the dialog is left */
  let ticked = null;
  const keep = (/** @type {string[]} */ ids) => (ticked = ids);
  /** @type {string[] | null} */
  const picked = await openDialog((close) => html`<${Picker} several=${!temporary} now=${models()} keep=${keep} close=${close} />`, { label: t("Models"), class: "picker" })
    ?? ticked;
  if (!picked?.length) return;
  change({ chosen: picked });
  if (!temporary) remember("models", picked); // one that was taken for a chat that leaves no trace
  if (state.open?.conversation) (await import("./talk.js")).patch(state.open.id, { models: picked });
}

/** Lets the reader choose one model. @param {string} title @returns {Promise<string | null>} */
export async function pickOne(title) {
  /** @type {string[] | null} */
  const picked = await openDialog((close) => html`<${Picker} several=${false} now=${[]} title=${title} close=${close} />`, { label: title, class: "picker" });
  return picked?.[0] ?? null;
}

/** One's own first, then by maker. @param {Model[]} list @returns {[string, Model[]][]} */
function grouped(list) {
  /** @type {Map<string, Model[]>} */
  const groups = new Map();
  const own = t("On your own machines");
  for (const model of [...list].sort((a, b) => Number(b.own) - Number(a.own) || (a.maker ?? "").localeCompare(b.maker ?? ""))) {
    const name = model.own ? own : model.maker || t("Others");
    groups.set(name, [...(groups.get(name) ?? []), model]);
  }
  return [...groups];
}

/** maker · seller · host, each said once. @param {Model} model */
function parties(model) {
  const host = model.own ? t("this house") : model.host;
  return [...new Set([model.maker, model.own ? "" : model.seller, host].filter(Boolean))].join(" · ");
}

/** What may be asked can have changed since the page was loaded. */
async function renew() {
  const fresh = await call("GET", "/api/models");
  if (session.home) session.home.models = fresh;
  change({ models: fresh });
}

/** @param {{several: boolean, now: string[], title?: string, keep?: (picked: string[]) => void, close: (picked?: string[]) => void}} given */
function Picker({ several, now, title, keep, close }) {
  useStore((all) => all.models);
  useEffect(() => void renew().catch(() => {}), []); // unreachable: those that were known stay
  const [words, setWords] = useState("");
  const [side, setSide] = useState(now.length > 1);
  const [picked, setPicked] = useState(now);
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const found = allowed().filter((model) => wanted.every((word) => `${model.id} ${parties(model)} ${model.region ?? ""}`.toLowerCase().includes(word)));
  const put = (/** @type {string[]} */ ids) => (setPicked(ids), keep?.(ids));
  const toggle = (/** @type {string} */ id) => {
    if (!several || !side) return close([id]);
    put(picked.includes(id) ? picked.filter((one) => one !== id) : [...picked, id].slice(-MOST));
  };
  const enter = (/** @type {any} */ event) => {
    event.preventDefault();
    if (side && !words) close(picked);
    else if (found[0]) toggle(found[0].id);
  };
  const down = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "ArrowDown") /** @type {HTMLElement | null} */ (document.querySelector(".picker .options button"))?.focus();
  };
  const bound = assistant();
  return html`<form onSubmit=${enter}><${Head} title=${title ?? t("Models")} close=${close} />
    <div class="seek"><input class="input" type="search" autofocus autocomplete="off" aria-label=${t("Search models")} placeholder=${t("Name, maker, seller or host")}
      value=${words} onInput=${(/** @type {any} */ event) => setWords(event.target.value)} onKeyDown=${down} />
      ${several && html`<label class="choice small"><input type="checkbox" role="switch" class="switch" checked=${side}
        onChange=${(/** @type {any} */ event) => (setSide(event.target.checked), put(picked.slice(0, event.target.checked ? MOST : 1)))} />${t("Side by side")}</label>`}</div>
    <div class="body options" onKeyDown=${(/** @type {any} */ event) => walk(event)}>
      ${bound && bound.models.length > 0 && html`<p class="faint small">${t("{name} works with these models only.", { name: bound.name })}</p>`}
      ${grouped(found).map(([name, list]) => html`<section key=${name} aria-label=${name}><h3 class="heading" dir="auto">${name}</h3>
        ${list.map((model) => html`<${Option} key=${model.id} model=${model} on=${picked.includes(model.id)} toggle=${toggle} />`)}</section>`)}
      ${!found.length && html`<p class="empty">${t("No model here is called that. A maker, a seller or a host will do as well.")}</p>`}</div>
    ${several && side && html`<footer><span class="grow faint small">${t("Up to four models answer the same question, and you choose which one goes on.")}</span>
      <button type="button" class="button primary" disabled=${!picked.length} onClick=${() => close(picked)}>${plural(picked.length, "Ask {n} model", "Ask {n} models")}</button></footer>`}</form>`;
}

/** @param {{model: Model, on: boolean, toggle: (id: string) => void}} given */
function Option({ model, on, toggle }) {
  const can = model.capabilities ?? [];
  return html`<button type="button" class="option" aria-pressed=${on} onClick=${() => toggle(model.id)}>
    <span class="grow"><span class="truncate" dir="auto">${model.id}</span><span class="small faint truncate" dir="auto">${parties(model)}${model.region ? ` · ${model.region}` : ""}</span></span>
    ${can.includes("vision") && html`<span class="badge">${t("sees images")}</span>`}
    ${can.includes("tools") && html`<span class="badge wide-only">${t("uses tools")}</span>`}
    ${model.context ? html`<span class="small faint wide-only" title=${t("{n} tokens of context", { n: number(model.context) })}>${number(model.context, { notation: "compact" })}</span>` : null}
    <span class="tick">${on && icon("check")}</span></button>`;
}
