// The page itself: who is here, which address, the layout, the keys. Knows the rooms of the page; each room knows its own things.

import { html, render, useEffect, useState } from "./vendor/preact.mjs";
import { call, expired, refresh, session } from "./door.js";
import { setLocale, t } from "./i18n.js";
import { assistant, change, recall, remember, running, state, useStore } from "./store.js";
import { icon, IconButton, Menu, openDialog, style, toast } from "./ui.js";
import { Composer, composer, watchDrops } from "./composer.js";
import { conversationItems, Side } from "./side.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
const narrow = matchMedia("(max-width: 52rem)");

// ---- addresses

/** @returns {import("./types.js").Route} */
function route() {
  const [, first = "", second = ""] = location.pathname.split("/");
  const query = new URLSearchParams(location.search);
  return {
    name: first === "share" ? "share" : "chat",
    id: first === "c" || first === "share" ? decodeURIComponent(second) : "",
    project: query.get("project") ?? "",
    assistant: query.get("assistant") ?? "",
    temporary: query.has("temporary"),
    message: location.hash.slice(1),
  };
}

/** Goes to an address of the page. @param {string} path */
export function go(path) {
  if (path !== location.pathname + location.search + location.hash) history.pushState(null, "", path);
  arrive();
}

function arrive() {
  const next = route();
  change({ route: next });
  if (narrow.matches) change({ side: "shut" });
  const now = state.open;
  if (next.id && next.id === now?.id) return;
  if (!next.id && !now && !next.temporary) return;
  if (next.temporary && now?.temporary) return;
  import("./talk.js").then((talk) => state.route === next && talk.open(next.id, next.temporary)); // else one has gone on meanwhile
}

/** Links of our own change the address, not the page. @param {MouseEvent} event */
function follow(event) {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.pathname !== "/" && !link.pathname.startsWith("/c/")) return;
  if (link.hash && link.pathname === location.pathname) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
  if (link.pathname === "/" && matchMedia("(pointer: fine)").matches) composer.focus();
}

// ---- the reader's settings

/** @param {Record<string, any>} values null forgets one */
export async function saveSettings(values) {
  if (session.member) Object.assign(session.member.settings, values);
  applyTheme();
  change({});
  try {
    await call("PATCH", "/api/me", { settings: values });
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error));
  }
}

/** The reader's theme, else the system's. */
export function applyTheme() {
  const theme = session.member ? session.member.settings.theme ?? null : recall("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  if (session.member) remember("theme", theme);
}

const language = () => String(session.member?.settings.locale ?? navigator.language);
let spoken = "";

/** What a panel changed is read anew. @param {string} what */
async function changed(what) {
  if (what === "prompts") return (await import("./prompts.js")).forget();
  await refresh();
  const home = session.home;
  if (home) change({ models: home.models, projects: home.projects, assistants: home.assistants, tools: home.tools });
  if (home && what === "conversations") change({ conversations: home.conversations });
  applyTheme();
  if (language() !== spoken) location.reload();
}

/** @param {string} name @param {Record<string, any>} [context] */
export async function openPanel(name, context) {
  try {
    const panels = await import("./panels/panels.js");
    await panels.openPanel(name, { session, changed: (what) => changed(what).catch(() => {}), go, ...context });
  } catch (error) {
    toast(t("This part of the page could not be loaded. Load the page again."));
    console.error(error);
  }
}

// ---- the layout

function Shell() {
  const side = useStore((now) => now.side);
  const beside = useStore((now) => Boolean(now.beside));
  return html`<a class="skip button" href="#message" onClick=${(/** @type {Event} */ event) => (event.preventDefault(), composer.focus())}>${t("To the message box")}</a>
    <div class="shell" data-side=${side}>
      <${Side} />
      <div class="veil" onClick=${() => showSide("shut")}></div>
      <${Main} />
      ${beside && html`<${Lazy} from=${panel} name="Beside" />`}
    </div>`;
}

function Main() {
  const open = useStore((now) => Boolean(now.route.id || now.open?.messages.size || now.open?.sending.length));
  const temporary = useStore((now) => now.route.temporary);
  return html`<main class=${open ? "main" : "main new"} id="main" inert=${useInert()}>
    <${Top} />
    ${temporary && html`<p class="temporary-note" role="note">${icon("ghost")}<span>${t("Temporary: nothing of this chat is stored, here or on the server. It ends when you leave it.")}</span></p>`}
    ${open ? html`<${Lazy} from=${thread} name="Thread" />` : html`<${Greeting} />`}
    <${Composer} />
  </main>`;
}

/** Under an open drawer nothing can be reached. */
function useInert() {
  const covered = useStore((now) => now.side === "open" || Boolean(now.beside));
  const [small, setSmall] = useState(narrow.matches);
  useEffect(() => {
    const changed = () => setSmall(narrow.matches);
    narrow.addEventListener("change", changed);
    return () => narrow.removeEventListener("change", changed);
  }, []);
  return small && covered;
}

const panel = () => Promise.all([import("./beside.js"), style("/artifacts.css")]).then(([module]) => module);
const thread = () => Promise.all([import("./thread.js"), import("./talk.js"), style("/thread.css")]).then(([module]) => module);

/** A part that is loaded when it is first needed. @param {{from: () => Promise<any>, name: string}} given */
function Lazy({ from, name, ...rest }) {
  const [part, setPart] = useState(/** @type {{Part: any} | null} */ (null));
  const [problem, setProblem] = useState(false);
  useEffect(() => {
    from().then((module) => setPart({ Part: module[name] }), () => setProblem(true));
  }, []);
  if (problem) return html`<div class="grow"><p class="empty error" role="alert">${t("This part of the page could not be loaded. Load the page again.")}</p></div>`;
  return part ? html`<${part.Part} ...${rest} />` : html`<div class="grow"></div>`;
}

function Top() {
  const side = useStore((now) => now.side);
  const conversation = useStore((now) => now.open?.conversation ?? null);
  const temporary = useStore((now) => now.route.temporary);
  const fresh = useStore((now) => !now.route.id);
  const open = useStore((now) => Boolean(now.open?.messages.size));
  const lost = useStore((now) => now.online && now.open?.link === "lost");
  const title = conversation ? conversation.title || t("New chat") : open && temporary ? t("Temporary chat") : "";
  useEffect(() => {
    document.title = title ? `${title} · Freehold` : "Freehold";
  }, [title]);
  return html`<header class="top">
    ${side === "shut" && html`<${IconButton} icon="side" label=${t("Show the conversations")} run=${() => showSide("open")} expanded=${false} />`}
    ${side === "shut" && html`<a class="icon-button" href="/" aria-label=${t("New chat")} title=${t("New chat")}>${icon("pen")}</a>`}
    ${title ? html`<h1 class="truncate grow" dir="auto">${title}</h1>` : html`<span class="grow"></span>`}
    ${lost && html`<span class="badge warn" role="status">${t("Connecting again…")}</span>`}
    ${fresh && html`<${IconButton} icon="ghost" label=${temporary ? t("End the temporary chat") : t("Temporary chat")} pressed=${temporary}
      run=${() => go(temporary ? "/" : "/?temporary")} />`}
    ${conversation && html`<${Menu} label=${t("This conversation")} items=${() => conversationItems(conversation)} />`}
  </header>`;
}

function Greeting() {
  const project = useStore((now) => now.projects.find(({ id }) => id === now.route.project));
  const temporary = useStore((now) => now.route.temporary);
  const who = useStore(assistant);
  const none = useStore((now) => !now.models.length);
  const name = session.member?.display || session.member?.name || "";
  if (none) return html`<${NoModel} />`;
  const title = who ? who.name : project ? project.name : temporary ? t("A chat that leaves no trace") : greeting(name);
  const about = who?.description || project?.instructions;
  return html`<div class="greeting"><h1 dir="auto">${title}</h1>
    ${about && html`<p class="faint clamp" dir="auto">${about}</p>`}
    ${who && who.starters.length > 0 && html`<div class="starters">${who.starters.map((text) => html`
      <button type="button" class="button" dir="auto" onClick=${() => composer.put(text)}>${text}</button>`)}</div>`}</div>`;
}

/** @param {string} name */
function greeting(name) {
  const hour = new Date().getHours();
  if (hour < 5) return t("Still up, {name}?", { name });
  if (hour < 12) return t("Good morning, {name}", { name });
  return hour < 18 ? t("Good afternoon, {name}", { name }) : t("Good evening, {name}", { name });
}

function NoModel() {
  const admin = session.member?.role === "owner" || session.member?.role === "admin";
  return html`<div class="greeting"><h1>${t("No model to ask yet")}</h1>
    <p class="faint">${admin
      ? t("Add a model of your own or a vendor's in the console; it appears here as soon as it is ready.")
      : t("Your account reaches no chat model. Whoever runs this server can give it one.")}</p>
    ${admin && html`<p><a class="button primary" href="/console/models">${t("Open the console")}</a></p>`}</div>`;
}

/** @param {"open" | "shut"} side */
export function showSide(side) {
  change({ side });
  if (!narrow.matches) remember("side", side);
  // Once it is drawn, which is done next, and not a frame later: by then the next key may have brought the focus elsewhere.
  Promise.resolve().then(() => /** @type {HTMLElement | null} */ (document.querySelector(side === "open" ? ".side button" : ".top button"))?.focus());
}

// ---- keys

/** @type {[string, string, (event: KeyboardEvent) => unknown][]} the names are matched against `name()` */
const KEYS = [
  ["ctrl+shift+o", "", () => (go("/"), composer.focus())],
  ["ctrl+k", "", () => search()],
  ["ctrl+b", "", () => showSide(state.side === "open" ? "shut" : "open")],
  ["ctrl+/", "", () => showKeys()],
  ["ctrl+shift+;", "", () => import("./thread.js").then((thread) => thread.copyLast())],
  ["alt+arrowup", "", () => step(-1)],
  ["alt+arrowdown", "", () => step(1)],
  ["shift+escape", "", () => composer.focus()],
  ["escape", "quiet", () => running() && import("./talk.js").then((talk) => talk.stopAll())],
  ["?", "single", () => showKeys()],
  ["/", "single", () => composer.focus()],
];

/** What is typed before the search is here is meant for it, not for the message box. @type {(() => void) | null} */
let waiting = null;

export async function search() {
  if (waiting) return;
  let typed = "";
  const take = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.key === "Tab") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") waiting?.();
    else typed = event.key === "Backspace" ? typed.slice(0, -1) : event.key.length === 1 ? typed + event.key : typed;
  };
  const stop = () => (removeEventListener("keydown", take, true), (waiting = null));
  waiting = stop;
  addEventListener("keydown", take, true);
  const loaded = await import("./search.js").catch(() => null);
  if (waiting !== stop) return; // Escape
  stop();
  if (loaded) loaded.openSearch(typed);
  else toast(t("This part of the page could not be loaded. Load the page again."));
}

export const showKeys = () => import("./keys.js").then((m) => m.openKeys());

/** @param {KeyboardEvent} event */
function press(event) {
  if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open], [popover]:popover-open:not(.toast)")) return;
  const mod = (event.ctrlKey || event.metaKey ? "ctrl+" : "") + (event.altKey ? "alt+" : "");
  const key = event.key.toLowerCase();
  const code = event.code === "Semicolon" && event.shiftKey ? ";" : key;
  const names = [mod + key, `${mod}${event.shiftKey ? "shift+" : ""}${code}`];
  const found = KEYS.find(([name]) => names.includes(name));
  if (!found) return;
  const writing = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]");
  if (found[1] === "single" && (writing || session.member?.settings.single_keys === false)) return;
  if (found[0] === "escape" && (event.shiftKey || !running())) return;
  event.preventDefault();
  found[2](event);
}

/** The conversation before or after this one. @param {number} by */
function step(by) {
  const list = state.conversations;
  const at = list.findIndex(({ id }) => id === state.route.id);
  const next = list[at < 0 ? 0 : at + by];
  if (next) go(`/c/${next.id}`);
}

// ---- the start

/** Signs in over the page; what was written stays. @type {Promise<void> | null} */
let signing = null;

function renew() {
  const before = session.member;
  signing ??= import("./signin.js").then(async ({ SignIn }) => {
    await style("/signin.css");
    await refresh().catch(() => {});
    if (!session.member) {
      await openDialog((close) => html`<div class="body"><${SignIn} again=${true} name=${before?.name ?? ""} done=${close} /></div>`, { label: t("Sign in again"), fixed: true });
    }
    if (session.member?.id !== before?.id) location.reload(); // somebody else: nothing of the page is theirs
  }).finally(() => (signing = null));
  return signing;
}

async function enter() {
  spoken = language();
  await setLocale(spoken);
  applyTheme();
  if (route().name === "share") {
    await style("/thread.css");
    const { Share } = await import("./share.js");
    return render(html`<${Share} token=${route().id} />`, root);
  }
  if (!session.member) {
    const [{ SignIn }] = await Promise.all([import("./signin.js"), style("/signin.css")]);
    return render(html`<main class="sign-in"><${SignIn} again=${false} done=${start} /></main>`, root);
  }
  const home = session.home ?? { models: [], conversations: [], projects: [], assistants: [], tools: [] };
  const chosen = recall("models") ?? session.member.settings.models ?? [];
  change({
    models: home.models, conversations: home.conversations, projects: home.projects, assistants: home.assistants, tools: home.tools,
    more: home.conversations.length >= 40, chosen, side: narrow.matches || recall("side") === "shut" ? "shut" : "open",
  });
  expired.renew = renew;
  change({ route: route() });
  render(html`<${Shell} />`, root);
  arrive();
}

export async function start() {
  render(null, root);
  try {
    if (!session.member) await refresh();
    await enter();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    render(html`<main class="sign-in"><div class="empty"><h1>Freehold</h1><p>${text}</p>
      <button class="button primary" onClick=${() => location.reload()}>${t("Try again")}</button></div></main>`, root);
  }
}

applyTheme();
addEventListener("popstate", arrive);
addEventListener("keydown", press);
document.addEventListener("click", follow);
document.addEventListener("artifact", (event) => change({ beside: /** @type {CustomEvent} */ (event).detail }));
addEventListener("online", () => change({ online: true }));
addEventListener("offline", () => change({ online: false }));
watchDrops();
start();

// What makes the page an application comes when all else has long been there.
setTimeout(async () => {
  const { install } = await import("./install.js");
  await install((take) => toast(t("There is a newer version of this page."), { label: t("Use it"), run: take, ms: 60_000 }));
}, 8_000);
