// The list beside the chat: projects, conversations, and what belongs to the member. Refuses to know what is in a conversation.

import { html, useEffect, useState } from "./vendor/preact.mjs";
import { call, session } from "./door.js";
import { t } from "./i18n.js";
import { change, dropConversation, keepConversation, recall, remember, state, useStore } from "./store.js";
import { askText, confirm, house, icon, IconButton, Menu, toast, useFocus } from "./ui.js";
import { go, openPanel, search, showKeys, showSide } from "./app.js";

/** @typedef {import("./types.js").Conversation} Conversation @typedef {import("./types.js").Project} Project */

const DAY = 86_400_000;
const LOOK = 6000; // ms
const talk = () => import("./talk.js");

export function Side() {
  const shown = useStore((now) => now.side === "open");
  const projects = useStore((now) => now.projects);
  const assistants = useStore((now) => now.assistants);
  const escape = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && matchMedia("(max-width: 52rem)").matches && showSide("shut");
  return html`<nav class="side" aria-label=${t("Conversations")} hidden=${!shown} onKeyDown=${escape}>
    <div class="side-top">
      <span class="brand">${house(22)}Freehold</span>
      <${IconButton} icon="side" label=${t("Hide the conversations")} expanded=${true} run=${() => showSide("shut")} />
    </div>
    <div class="side-acts">
      <a class="item" href="/">${icon("pen")}<span class="grow">${t("New chat")}</span></a>
      <button type="button" class="item" onClick=${search}>${icon("search")}<span class="grow">${t("Search")}</span></button>
    </div>
    <div class="side-list">
      ${assistants.length > 0 && html`<section aria-label=${t("Assistants")}><h2>${t("Assistants")}</h2><ul>${assistants.slice(0, 6).map((one) => html`
        <li key=${one.id}><a class="item" href=${`/?assistant=${one.id}`}>${icon("spark")}<span class="truncate" dir="auto">${one.name}</span></a></li>`)}</ul></section>`}
      <section aria-label=${t("Projects")}>
        <div class="side-head"><h2>${t("Projects")}</h2>
          <${Menu} label=${t("Add a project or folder")} icon="add" items=${() => [
            { label: t("New project"), icon: "folder", run: () => newProject("project", null) },
            { label: t("New folder"), icon: "folder", run: () => newProject("folder", null) }]} /></div>
        ${projects.length > 0 ? html`<ul>${under(projects, null).map((one) => html`<${Branch} key=${one.id} project=${one} deep=${0} />`)}</ul>`
          : html`<p class="hint">${t("A project keeps conversations together, with instructions and files of their own.")}</p>`}
      </section>
      <${Recent} />
    </div>
    <${Self} />
  </nav>`;
}

/** @param {Project[]} projects @param {string | null} parent */
function under(projects, parent) {
  const known = new Set(projects.map(({ id }) => id));
  return projects.filter((one) => (one.parent && known.has(one.parent) ? one.parent : null) === parent);
}

function Recent() {
  const all = useStore((now) => now.conversations);
  const more = useStore((now) => now.more);
  const loose = all.filter((one) => !one.project || !state.projects.some(({ id }) => id === one.project));
  const groups = grouped(loose);
  useAnswered();
  const load = async () => {
    const last = all.at(-1);
    const next = await call("GET", `/api/conversations?limit=40${last ? `&before=${last.updated_at}` : ""}`).catch((error) => toast(error.message));
    if (!next) return;
    const known = new Set(state.conversations.map(({ id }) => id));
    change({ conversations: [...state.conversations, ...next.items.filter((/** @type {Conversation} */ { id }) => !known.has(id))], more: next.more });
  };
  if (!all.length) return html`<p class="hint">${t("Your conversations will stand here. They belong to you, and to this server alone.")}</p>`;
  return html`<div class="drop" ...${dropTo(null)}>
    ${groups.map(([name, list]) => html`<section key=${name} aria-label=${name}><h2>${name}</h2>
      <ul>${list.map((one) => html`<${Row} key=${one.id} one=${one} />`)}</ul></section>`)}
    ${more && html`<button type="button" class="button quiet small" onClick=${load}>${t("Older ones")}</button>`}</div>`;
}

/** Whether an answer elsewhere is done: what is open is told by its own stream, the others are asked for. */
function useAnswered() {
  const waits = useStore((now) => now.conversations.some((one) => one.running && one.id !== now.open?.id));
  useEffect(() => {
    if (!waits) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") {
        call("GET", "/api/conversations?limit=40").then(({ items }) => items.forEach(keepConversation), () => {}); // again in a moment
      }
    }, LOOK);
    return () => clearInterval(timer);
  }, [waits]);
}

/** @param {Conversation[]} list @returns {[string, Conversation[]][]} */
function grouped(list) {
  const today = new Date().setHours(0, 0, 0, 0);
  /** @type {[string, (one: Conversation) => boolean][]} */
  const kinds = [
    [t("Pinned"), (one) => one.pinned],
    [t("Today"), (one) => one.updated_at >= today],
    [t("Yesterday"), (one) => one.updated_at >= today - DAY],
    [t("Last seven days"), (one) => one.updated_at >= today - 7 * DAY],
    [t("Earlier"), () => true],
  ];
  /** @type {Map<string, Conversation[]>} */
  const found = new Map(kinds.map(([name]) => [name, []]));
  for (const one of list) found.get(kinds.find(([, fits]) => fits(one))?.[0] ?? "")?.push(one);
  return [...found].filter(([, items]) => items.length);
}

/** @param {{one: Conversation}} given */
function Row({ one }) {
  const here = useStore((now) => now.route.id === one.id);
  const [name, setName] = useState(/** @type {string | null} */ (null));
  const box = useFocus(name !== null, true);
  const title = one.title || t("New chat");
  const back = () => requestAnimationFrame(() => /** @type {HTMLElement | null} */ (document.querySelector(`.side a[href="/c/${CSS.escape(one.id)}"]`))?.focus());
  const rename = (/** @type {any} */ event) => {
    event.preventDefault();
    if (event.type === "submit") back();
    if (name !== null && name.trim() && name.trim() !== one.title) talk().then((m) => m.patch(one.id, { title: name.trim() }));
    setName(null);
  };
  if (name !== null) {
    return html`<li><form class="renaming" onSubmit=${rename}><input class="input" aria-label=${t("Title")} dir="auto" maxlength="200" value=${name}
      ref=${box}
      onInput=${(/** @type {any} */ event) => setName(event.target.value)} onBlur=${rename}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && (event.stopPropagation(), setName(null), back())} /></form></li>`;
  }
  const drag = (/** @type {DragEvent} */ event) => event.dataTransfer?.setData("application/x-freehold-conversation", one.id);
  return html`<li class=${here ? "row-item here" : "row-item"}>
    <a class="item" href=${`/c/${one.id}`} aria-current=${here ? "page" : undefined} draggable="true" onDragStart=${drag} onDblClick=${() => setName(one.title)}>
      <span class="grow truncate" dir="auto">${title}</span>
      ${one.running && html`<span class="spinner" role="img" aria-label=${t("being answered")}></span>`}
      ${one.pinned && html`<span class="pinned">${icon("pin")}</span>`}</a>
    <${Menu} label=${t("More about {title}", { title })} items=${() => conversationItems(one, () => setName(one.title))} />
  </li>`;
}

/** What one can do with a conversation. @param {Conversation} one @param {() => void} [rename] @returns {import("./ui.js").Item[]} */
export function conversationItems(one, rename) {
  const patch = (/** @type {Partial<Conversation>} */ values) => talk().then((m) => m.patch(one.id, values));
  const ask = async () => {
    const title = await askText({ title: t("Rename"), label: t("Title"), value: one.title, yes: t("Rename") });
    if (title) patch({ title });
  };
  return [
    { label: t("Rename"), icon: "edit", run: rename ?? ask },
    { label: one.pinned ? t("Unpin") : t("Pin"), icon: "pin", run: () => patch({ pinned: !one.pinned }) },
    { label: t("Move to a project"), icon: "folder", run: () => import("./moves.js").then((m) => m.openMove(one)) },
    { label: t("Share"), icon: "share", run: () => openPanel("share", { conversation: one }) },
    { label: t("Export"), icon: "download", run: () => import("./moves.js").then((m) => m.openExport(one)) },
    { label: one.archived ? t("Take out of the archive") : t("Move to the archive"), icon: "archive", run: () => archive(one) },
    "line",
    { label: t("Delete"), icon: "trash", danger: true, run: () => remove(one) },
  ];
}

/** Puts a conversation out of the list, and deletes it once it can no longer be undone: when a while has passed, or the page is left. @param {Conversation} gone */
function remove(gone) {
  const was = state.open?.id === gone.id;
  dropConversation(gone.id);
  if (was) go("/");
  const ms = 8000;
  let undone = false;
  const leave = () => void finish(true);
  const finish = async (keepalive = false) => {
    if (undone) return;
    undone = true;
    clearTimeout(timer);
    removeEventListener("pagehide", leave);
    remember(`draft.${gone.id}`, null);
    try {
      await call("DELETE", `/api/conversations/${gone.id}`, undefined, { keepalive });
    } catch (error) {
      keepConversation(gone);
      toast(error instanceof Error ? error.message : String(error));
    }
  };
  const timer = setTimeout(finish, ms);
  addEventListener("pagehide", leave);
  const undo = () => {
    if (undone) return;
    undone = true;
    clearTimeout(timer);
    removeEventListener("pagehide", leave);
    keepConversation(gone);
    if (was) go(`/c/${gone.id}`);
  };
  toast(t("“{title}” is deleted", { title: gone.title || t("New chat") }), { label: t("Undo"), run: undo, ms });
}

/** @param {Conversation} one */
async function archive(one) {
  const { patch } = await talk();
  const archived = !one.archived;
  await patch(one.id, { archived });
  if (archived && state.route.id === one.id) go("/");
  toast(archived ? t("“{title}” is in the archive", { title: one.title }) : t("“{title}” is back", { title: one.title }),
    { label: t("Undo"), run: () => patch(one.id, { archived: !archived }) });
}

/** A place for conversations to be dropped on. @param {string | null} project */
function dropTo(project) {
  const carries = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("application/x-freehold-conversation");
  const mark = (/** @type {any} */ event, /** @type {boolean} */ over) => event.currentTarget.classList.toggle("over", over);
  return {
    onDragOver: (/** @type {DragEvent} */ event) => carries(event) && (event.preventDefault(), event.stopPropagation(), mark(event, true)),
    onDragLeave: (/** @type {DragEvent} */ event) => mark(event, false),
    onDrop: (/** @type {DragEvent} */ event) => {
      mark(event, false);
      const id = event.dataTransfer?.getData("application/x-freehold-conversation");
      if (!id) return;
      event.preventDefault();
      event.stopPropagation();
      const one = state.conversations.find((known) => known.id === id);
      if (one && one.project !== project) talk().then((m) => m.patch(id, { project }));
    },
  };
}

/** A project or folder, and what is below it. @param {{project: Project, deep: number}} given */
function Branch({ project, deep }) {
  const [open, setOpen] = useState(Boolean(recall("opened")?.includes(project.id)));
  const inside = useStore((now) => now.conversations.filter((one) => one.project === project.id));
  const projects = useStore((now) => now.projects);
  const here = useStore((now) => now.route.project === project.id);
  const below = under(projects, project.id);
  useEffect(() => {
    if (!open) return;
    call("GET", `/api/conversations?project=${project.id}&limit=100`).then(({ items }) => items.forEach(keepConversation), (error) => toast(error.message));
  }, [open]);
  const toggle = () => {
    const others = (recall("opened") ?? []).filter((/** @type {string} */ id) => id !== project.id);
    remember("opened", open ? others : [...others, project.id]);
    setOpen(!open);
  };
  return html`<li class="project">
    <div class=${here ? "row-item here" : "row-item"} ...${dropTo(project.id)}>
      <button type="button" class="item" aria-expanded=${open} onClick=${toggle}><span class=${open ? "chevron open" : "chevron"}>${icon("forward")}</span>
        <span class="grow truncate" dir="auto">${project.name}</span></button>
      <${Menu} label=${t("More about {title}", { title: project.name })} items=${() => projectItems(project, deep)} /></div>
    ${open && html`<ul class="inside">
      ${below.map((one) => html`<${Branch} key=${one.id} project=${one} deep=${deep + 1} />`)}
      ${inside.map((one) => html`<${Row} key=${one.id} one=${one} />`)}
      ${(project.kind === "project" || !below.length) && html`<li><a class="item faint" href=${`/?project=${project.id}`}>${icon("add")}<span>${t("New chat here")}</span></a></li>`}</ul>`}
  </li>`;
}

/** @param {Project} project @param {number} deep @returns {import("./ui.js").Item[]} */
function projectItems(project, deep) {
  return [
    { label: t("New chat here"), icon: "pen", href: `/?project=${project.id}` },
    { label: t("Instructions and files"), icon: "edit", run: () => openPanel("project", { project }) },
    { label: t("Rename"), icon: "pen", run: () => renameProject(project) },
    deep < 4 && { label: t("New project inside"), icon: "folder", run: () => newProject("project", project.id) },
    "line",
    { label: t("Delete"), icon: "trash", danger: true, run: () => removeProject(project) },
  ];
}

/** @param {() => Promise<void>} act */
const tried = (act) => act().catch((error) => toast(error.message));

/** @param {"project" | "folder"} kind @param {string | null} parent */
async function newProject(kind, parent) {
  const name = await askText({ title: kind === "folder" ? t("New folder") : t("New project"), label: t("Name"), yes: t("Create") });
  if (!name) return;
  await tried(async () => {
    const made = await call("POST", "/api/projects", { name, kind, parent });
    change({ projects: [...state.projects, made] });
  });
}

/** @param {Project} project */
async function renameProject(project) {
  const name = await askText({ title: t("Rename"), label: t("Name"), value: project.name, yes: t("Rename") });
  if (!name) return;
  await tried(async () => {
    const made = await call("PATCH", `/api/projects/${project.id}`, { name });
    change({ projects: state.projects.map((one) => (one.id === project.id ? made : one)) });
  });
}

/** @param {Project} project */
async function removeProject(project) {
  const text = t("Its instructions and files go with it. Its conversations stay, outside of any project.");
  if (!(await confirm({ title: t("Delete “{name}”?", { name: project.name }), text, yes: t("Delete"), danger: true }))) return;
  await tried(async () => {
    await call("DELETE", `/api/projects/${project.id}`);
    change({
      projects: state.projects.filter(({ id }) => id !== project.id),
      conversations: state.conversations.map((one) => (one.project === project.id ? { ...one, project: null } : one)),
    });
    if (state.route.project === project.id) go("/");
  });
}

function Self() {
  const member = session.member;
  if (!member) return null;
  const leave = async () => {
    await call("DELETE", "/api/session").catch(() => {});
    for (const key of Object.keys(localStorage)) if (key.startsWith("freehold.draft.")) localStorage.removeItem(key);
    location.assign("/");
  };
  const panel = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ picture) => ({ label, icon: picture, run: () => openPanel(name) });
  const reads = member.role !== "member";
  return html`<div class="side-self">
    <${Menu} class="item" label=${t("You and your things")} items=${() => [
      panel("settings", t("Settings"), "settings"),
      panel("assistants", t("Assistants"), "spark"),
      panel("prompts", t("Saved prompts"), "bolt"),
      panel("memories", t("Memory"), "mark"),
      panel("tools", t("Tools"), "tool"),
      panel("imports", t("Import"), "transfer"),
      panel("exports", t("Export"), "download"),
      panel("shares", t("Shared links"), "link"),
      panel("sessions", t("Sign-ins and tokens"), "user"),
      "line",
      reads && { label: t("Console"), icon: "chart", href: "/console" },
      { label: t("Keyboard"), icon: "keys", note: "?", run: showKeys },
      { label: t("Sign out"), icon: "out", run: leave }]}>
      <span class="initial" aria-hidden="true">${(member.display || member.name).slice(0, 1).toUpperCase()}</span>
      <span class="grow truncate" dir="auto">${member.display || member.name}</span>${icon("menu")}<//>
  </div>`;
}
