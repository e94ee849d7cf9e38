// Pieces that every screen uses: icons, menus, dialogs, notes at the edge. Knows the page's manners; refuses to know what they are for.

import { html, render, useEffect, useRef, useState } from "./vendor/preact.mjs";
import { t } from "./i18n.js";

/** Paths on a grid of 20, drawn with a line of 1.5. @type {Record<string, string>} */
const PATHS = {
  add: "M10 4v12M4 10h12",
  archive: "M3.5 4.5h13v3h-13zM4.5 7.5v8h11v-8M8 10.5h4",
  attach: "M15.5 9.5l-5.6 5.6a3.6 3.6 0 0 1-5.1-5.1l6.2-6.2a2.4 2.4 0 0 1 3.4 3.4l-6 6a1.2 1.2 0 0 1-1.7-1.7l5.3-5.3",
  back: "M12 4.5L6.5 10l5.5 5.5",
  bolt: "M11 3L4.5 11.5H9L8.5 17 15.5 8.5H11z",
  chart: "M4 16V9M10 16V4M16 16v-5",
  check: "M4.5 10.5l3.5 3.5 7.5-8",
  close: "M5 5l10 10M15 5L5 15",
  columns: "M3.5 4.5h13v11h-13zM10 4.5v11",
  copy: "M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3",
  down: "M5 8l5 5 5-5",
  download: "M10 3.5v9M6.5 9.5L10 13l3.5-3.5M4 16.5h12",
  edit: "M12.5 5l2.5 2.5L7.5 15l-3.5 1 1-3.5zM11 6.5L13.5 9",
  end: "M10 4v11M5 10.5l5 5 5-5",
  file: "M5.5 3.5h6l3.5 3.5v9.5h-9.5zM11.5 3.5v3.5h3.5",
  folder: "M3.5 5.5h4.5l1.5 2h7v8h-13z",
  forward: "M8 4.5l5.5 5.5L8 15.5",
  ghost: "M4.5 16V9.5a5.5 5.5 0 0 1 11 0V16l-2-1.5-1.75 1.5-1.75-1.5L8.25 16 6.5 14.5zM8 9.5v.1M12 9.5v.1",
  go: "M10 16V4.5M5 9.5l5-5 5 5",
  image: "M3.5 4.5h13v11h-13zM3.5 13.5l4-4 3.5 3.5 2-2 3.5 3.5M12.5 8v.1",
  keys: "M3 5.5h14v9H3zM6 8.5h.1M9 8.5h.1M12 8.5h.1M14.5 8.5h.1M6.5 11.75h7",
  link: "M8.5 11.5l3-3M9 6.5l2-2a3.2 3.2 0 0 1 4.5 4.5l-2 2M11 13.5l-2 2A3.2 3.2 0 0 1 4.5 11l2-2",
  mark: "M6 3.5h8v13l-4-3-4 3z",
  menu: "M5 10h.1M10 10h.1M15 10h.1",
  out: "M8 4.5H4.5v11H8M8.5 10h8M13.5 7l3 3-3 3",
  pen: "M10.5 4.5h-6v11h11v-6M15.8 4.200L9.5 10.5 9 12l1.5-.5 6.3-6.300z",
  pin: "M7.5 3.5h5l-.5 5 2.5 2.5h-9L8 8.5zM10 11v5.5",
  redo: "M15.5 8.5A6 6 0 1 0 16 11M15.8 4.5v4h-4",
  search: "M9 4a5 5 0 1 1 0 10A5 5 0 0 1 9 4zM12.7 12.700l3.8 3.8",
  settings: "M4 6h6M14 6h2M4 14h2M10 14h6M12 4.200a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.600zM8 12.200a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.600z",
  share: "M10 12.5V3.5M6.5 6.5L10 3.5l3.5 3M5 10v6.5h10V10",
  side: "M3.5 4.5h13v11h-13zM8 4.5v11",
  spark: "M10 3.5l1.6 4.9 4.9 1.6-4.9 1.600L10 16.5l-1.6-4.900L3.5 10l4.9-1.600z",
  stop: "M6 6h8v8H6z",
  tool: "M12.5 3.800a4 4 0 0 0-4.3 5.5l-4.7 4.7 2.5 2.5 4.7-4.700a4 4 0 0 0 5.5-4.300l-2.4 2.4-2.3-.6-.6-2.300z",
  transfer: "M6.5 16V4M3.5 7l3-3 3 3M13.5 4v12M10.5 13l3 3 3-3",
  trash: "M4 6h12M8 6V4h4v2M5.5 6l.7 10.5h7.600L14.5 6M8.5 9v5M11.5 9v5",
  user: "M10 4a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM4.5 16.5c.5-3 2.5-4.5 5.5-4.5s5 1.5 5.5 4.5",
};
const FILLED = ["stop"];
const TURNS = ["back", "forward", "out"]; // these point along the line of reading

/** A picture beside a word: it has no name of its own. @param {string} name */
export function icon(name) {
  return html`<svg class=${TURNS.includes(name) ? "icon turns" : "icon"} viewBox="0 0 20 20" width="20" height="20" aria-hidden="true"
    fill=${FILLED.includes(name) ? "currentColor" : "none"} stroke="currentColor"
    stroke-width=${name === "menu" ? 2.5 : 1.5} stroke-linecap="round" stroke-linejoin="round"><path d=${PATHS[name] ?? PATHS.menu} /></svg>`;
}

/** The mark of Freehold. @param {number} px */
export function house(px) {
  return html`<svg viewBox="0 0 32 32" width=${px} height=${px} aria-hidden="true"><rect width="32" height="32" rx="7" fill="#1f6f54" /><path d="M8 25V14l8-7 8 7v11h-5v-7h-6v7z" fill="#fff" /></svg>`;
}

/** A button that is a picture; its name is said, and shown on hovering.
 * @param {{icon: string, label: string, run?: (event: any) => void, pressed?: boolean, disabled?: boolean, class?: string, expanded?: boolean}} given */
export function IconButton(given) {
  return html`<button type="button" class=${`icon-button ${given.class ?? ""}`} aria-label=${given.label} title=${given.label} onClick=${given.run}
    aria-pressed=${given.pressed} aria-expanded=${given.expanded} disabled=${given.disabled}>${icon(given.icon)}</button>`;
}

/** A box to write in that has the focus as soon as `on` brings it. @param {boolean} on @param {boolean} [all] select what is in it
 * @returns {{current: any}} its ref */
export function useFocus(on, all = false) {
  const box = useRef(/** @type {any} */ (null));
  useEffect(() => {
    if (!on) return;
    box.current?.focus();
    if (all) box.current?.select();
  }, [on]);
  return box;
}

/** Says something to those who hear the page; never more often than something ends. @param {string} text */
export function announce(text) {
  const region = document.getElementById("status");
  if (region) region.textContent = text;
}

/** @param {string} href @returns {Promise<void>} resolves when the sheet is in force, or is not to be had */
export function style(href) {
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  return new Promise((resolve) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href, onload: () => resolve(), onerror: () => resolve() });
    document.head.append(link);
  });
}

/** @param {string} text @returns {Promise<void>} */
export async function copy(text) {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copyPlainly(text);
    toast(t("Copied"));
  } catch {
    toast(t("The browser does not allow copying here. Select the text and copy it by hand."));
  }
}

/** The old way: without https a browser has no other. @param {string} text */
function copyPlainly(text) {
  const box = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
  const before = document.activeElement;
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  if (before instanceof HTMLElement) before.focus();
  if (!done) throw new Error("not copied");
}

// ---- menus

/** @typedef {{label: string, icon?: string, run?: () => void, href?: string, danger?: boolean, checked?: boolean, note?: string} | {heading: string} | "line" | false | null | undefined | ""} Item */

let menus = 0;

/** A button and its menu. @param {{label: string, items: () => Item[], icon?: string, class?: string, children?: any, disabled?: boolean}} given */
export function Menu(given) {
  const [items, setItems] = useState(/** @type {Item[]} */ ([]));
  const id = useRef("");
  id.current ||= `menu-${++menus}`;
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const button = useRef(/** @type {HTMLElement | null} */ (null));
  const held = useRef(false); // the press that closes the menu is no wish to open it again
  const press = () => void (held.current = Boolean(box.current?.matches(":popover-open")));
  const open = () => {
    const was = held.current || box.current?.matches(":popover-open");
    held.current = false;
    if (was) return box.current?.hidePopover();
    setItems(given.items().filter(Boolean));
  };
  useEffect(() => {
    if (!items.length || !box.current || !button.current) return;
    box.current.showPopover();
    place(box.current, button.current);
    /** @type {HTMLElement | null} */ (box.current.querySelector("button, a"))?.focus();
  }, [items]);
  const toggled = (/** @type {any} */ event) => event.newState === "closed" && setItems([]);
  const pick = (/** @type {any} */ item) => {
    box.current?.hidePopover();
    button.current?.focus();
    item.run?.();
  };
  return html`<button type="button" ref=${button} class=${given.class ?? "icon-button"} aria-label=${given.children ? undefined : given.label}
      title=${given.label} aria-haspopup="menu" aria-expanded=${items.length > 0} aria-controls=${items.length ? id.current : undefined} disabled=${given.disabled}
      onPointerDown=${press} onClick=${open}>
      ${given.children ?? icon(given.icon ?? "menu")}</button>
    ${items.length > 0 && html`<div id=${id.current} class="menu" role="menu" aria-label=${given.label} popover="auto" ref=${box} onToggle=${toggled} onKeyDown=${walk}>
      ${items.map((item) => entry(item, pick))}</div>`}`;
}

/** @param {any} item @param {(item: any) => void} pick */
function entry(item, pick) {
  if (item === "line") return html`<hr role="separator" />`;
  if (item.heading) return html`<div class="heading" role="presentation">${item.heading}</div>`;
  const inside = html`${item.icon && icon(item.icon)}<span class="grow truncate" dir="auto">${item.label}</span>
    ${item.note && html`<span class="faint small">${item.note}</span>`}${item.checked && icon("check")}`;
  if (item.href) return html`<a role="menuitem" tabindex="-1" href=${item.href} onClick=${() => pick(item)}>${inside}</a>`;
  return html`<button type="button" tabindex="-1" class=${item.danger ? "danger" : ""} role=${item.checked === undefined ? "menuitem" : "menuitemcheckbox"}
    aria-checked=${item.checked} onClick=${() => pick(item)}>${inside}</button>`;
}

/** Arrow keys, Home, End and first letters within a menu or list. @param {KeyboardEvent} event */
export function walk(event) {
  const list = /** @type {HTMLElement} */ (event.currentTarget);
  const items = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("button:not(:disabled), a")]);
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const step = /** @type {Record<string, number>} */ ({ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 })[event.key];
  if (step !== undefined) items.at(step % items.length)?.focus();
  else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
    const said = (/** @type {HTMLElement} */ item) => item.textContent?.trim().toLowerCase().startsWith(event.key.toLowerCase());
    const found = items.slice(at + 1).find(said) ?? items.find(said);
    if (!found) return;
    found.focus();
  } else return;
  event.preventDefault();
}

/** Puts a popover beside its button, where there is room. @param {HTMLElement} box @param {HTMLElement} button */
export function place(box, button) {
  const from = button.getBoundingClientRect();
  const { width, height } = box.getBoundingClientRect();
  const below = innerHeight - from.bottom - 8;
  const top = below >= height || below >= from.top ? from.bottom + 4 : from.top - height - 4;
  const startless = document.documentElement.dir === "rtl" ? from.right - width : from.left;
  const left = startless + width > innerWidth - 8 ? from.right - width : startless;
  Object.assign(box.style, {
    position: "fixed",
    inset: "auto",
    top: `${Math.max(8, Math.min(top, innerHeight - height - 8))}px`,
    left: `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`,
  });
}

// ---- dialogs

/** Gives the focus back to what had it before a dialog, unless it has gone elsewhere by now: that a dialog was closed is told a
 * moment later, and whoever types has gone on. @param {Element | null} before */
export function giveBack(before) {
  const now = document.activeElement;
  if ((!now || now === document.body) && before instanceof HTMLElement && before.isConnected) before.focus();
}

/** Opens a modal dialog; resolves with what it was closed with, null when it was dismissed. Focus goes back where it was.
 * @param {(close: (value?: any) => void) => any} body @param {{label: string, class?: string, fixed?: boolean}} options fixed: cannot be dismissed
 * @returns {Promise<any>} */
export function openDialog(body, options) {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    const before = document.activeElement;
    dialog.className = `dialog ${options.class ?? ""}`;
    dialog.setAttribute("aria-label", options.label);
    /** @type {any} */
    let result = null;
    const close = (/** @type {any} */ value = null) => {
      result = value;
      dialog.close();
    };
    dialog.addEventListener("cancel", (event) => options.fixed && event.preventDefault());
    dialog.addEventListener("click", (event) => event.target === dialog && !options.fixed && close());
    dialog.addEventListener("close", () => {
      render(null, dialog);
      dialog.remove();
      giveBack(before);
      resolve(result);
    });
    document.body.append(dialog);
    render(body(close), dialog);
    dialog.showModal();
  });
}

/** The head of a dialog: its title and the way out. @param {{title: string, close: () => void}} given */
export function Head({ title, close }) {
  return html`<header><h2><bdi>${title}</bdi></h2><${IconButton} icon="close" label=${t("Close")} run=${() => close()} /></header>`;
}

/** Asks whether to do it. @param {{title: string, text: string, yes: string, danger?: boolean}} given @returns {Promise<boolean>} */
export async function confirm(given) {
  return Boolean(await openDialog((close) => html`<${Head} title=${given.title} close=${close} /><div class="body"><p>${given.text}</p></div>
    <footer><button class="button" autofocus onClick=${() => close()}>${t("Cancel")}</button>
    <button class=${`button primary ${given.danger ? "danger" : ""}`} onClick=${() => close(true)}>${given.yes}</button></footer>`, { label: given.title }));
}

/** Asks for one line of text. @param {{title: string, label: string, value?: string, yes: string}} given @returns {Promise<string | null>} */
export function askText(given) {
  const send = (/** @type {any} */ event, /** @type {any} */ close) => {
    event.preventDefault();
    const text = String(new FormData(event.target).get("text")).trim();
    if (text) close(text);
  };
  return openDialog((close) => html`<form onSubmit=${(/** @type {any} */ event) => send(event, close)}><${Head} title=${given.title} close=${close} />
    <div class="body"><div class="field"><label for="asked">${given.label}</label>
    <input class="input" id="asked" name="text" dir="auto" autofocus required maxlength="200" value=${given.value ?? ""} /></div></div>
    <footer><button type="button" class="button" onClick=${() => close()}>${t("Cancel")}</button>
    <button class="button primary">${given.yes}</button></footer></form>`, { label: given.title });
}

/** @type {HTMLElement | null} */
let shown = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let leaving;

/** A note at the lower edge, for a while. @param {string} text @param {{label?: string, run?: () => void, ms?: number}} [action] */
export function toast(text, action = {}) {
  shown?.remove();
  clearTimeout(leaving);
  const box = document.createElement("div");
  box.className = "toast";
  box.setAttribute("role", "status");
  box.popover = "manual";
  const hide = () => box.remove();
  const act = () => {
    hide();
    action.run?.();
  };
  document.body.append(box);
  render(html`<span class="grow" dir="auto">${text}</span>${action.label
    ? html`<button type="button" class="button" onClick=${act}>${action.label}</button>`
    : html`<button type="button" class="button" onClick=${hide}>${t("OK")}</button>`}`, box);
  box.showPopover(); // over dialogs as well
  const [own, below] = [box, document.querySelector(".composer")].map((node) => node?.getBoundingClientRect());
  if (own && below && own.bottom > below.top && own.top < below.bottom) box.style.insetBlockEnd = `${innerHeight - below.top + 8}px`; // above what is written
  shown = box;
  leaving = setTimeout(hide, action.ms ?? (action.label ? 6000 : 2000 + text.length * 60)); // as long as it takes to read
}
