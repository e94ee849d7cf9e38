// Where one writes: text, files, the model, tools, saved prompts. Knows drafts; refuses to know what becomes of what is sent.

import { html, useEffect, useReducer, useRef } from "./vendor/preact.mjs";
import { session } from "./door.js";
import { number, plural, size, t } from "./i18n.js";
import { allowed, assistant, change, modelOf, models, recall, remember, running, state, useStore } from "./store.js";
import { icon, IconButton, Menu, toast } from "./ui.js";

/** @typedef {{key: string, name: string, media: string, bytes: number, done: number, file: import("./types.js").File | null, problem: string, picture: string, stop?: () => void}} Attached */
/** @typedef {{text: string, files: Attached[], problem: string, prompts: import("./types.js").Prompt[], at: number, none: "" | "asked" | "called" | "saved", busy: boolean}} Draft none: why nothing is offered */

/** What the others of the page may do here. @type {{add: (files: Iterable<globalThis.File>) => void, put: (text: string) => void, focus: () => void}} */
export const composer = { add: () => {}, put: () => {}, focus: () => document.getElementById("message")?.focus() };

const place = () => `draft.${state.open?.id || state.route.id || `new${state.route.project}`}`;

/** @param {string} name @returns {Draft} */
function restore(name) {
  const kept = recall(name);
  const files = (kept?.files ?? []).map((/** @type {any} */ file) => ({
    key: file.id, name: file.name, media: file.media, bytes: file.bytes, done: 1, file, problem: "", picture: "",
  }));
  return { text: String(kept?.text ?? ""), files, problem: "", prompts: [], at: 0, none: "", busy: false };
}

export function Composer() {
  const name = useStore(place);
  const going = useStore(running);
  const chosen = useStore(models);
  const temporary = useStore((now) => now.route.temporary);
  const online = useStore((now) => now.online);
  const fresh = useStore((now) => !now.route.id && !now.open && now.models.length > 0);
  useStore((now) => now.armed);
  useStore((now) => now.open?.conversation);
  const [, again] = useReducer((/** @type {number} */ n) => n + 1, 0);
  const box = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const draft = useRef(restore(name));
  const named = useRef(name);
  if (named.current !== name) {
    named.current = name;
    draft.current = restore(name);
  }
  const own = draft.current;
  const show = () => again(0);
  const keep = () => {
    const { text, files } = draft.current;
    const here = files.map(({ file }) => file).filter(Boolean);
    if (!state.route.temporary) remember(named.current, text || here.length ? { text, files: here } : null);
  };

  useEffect(() => {
    if (!box.current) return;
    box.current.value = own.text;
    grow(box.current);
    if (matchMedia("(pointer: fine)").matches) box.current.focus();
  }, [name]);

  const write = (/** @type {string} */ text) => {
    draft.current.text = text;
    if (box.current && box.current.value !== text) box.current.value = text;
    if (box.current) grow(box.current);
    keep();
    show();
  };
  const add = async (/** @type {Iterable<globalThis.File>} */ files) => {
    const { attach } = await import("./attach.js");
    for (const file of files) attach(own.files, file, () => (keep(), show()));
    show();
    box.current?.focus();
  };
  const put = (/** @type {string} */ text) => {
    write(text);
    box.current?.focus();
    box.current?.setSelectionRange(text.length, text.length);
  };
  Object.assign(composer, { add, put });

  const send = async () => {
    const text = own.text.trim();
    if (own.busy || (!text && !own.files.length)) return;
    if (!chosen.length) return;
    if (own.files.some(({ file, problem }) => !file && !problem)) return toast(t("A file is still on its way. It can be sent when it is here."));
    const before = { ...own, files: own.files };
    const files = /** @type {import("./types.js").File[]} */ (own.files.map(({ file }) => file).filter(Boolean));
    Object.assign(own, { busy: true, files: [], problem: "" });
    write("");
    try {
      const talk = await import("./talk.js");
      await talk.send(text, files);
    } catch (error) {
      const back = draft.current; // the page may have gone on to the new conversation
      Object.assign(back, { files: before.files, problem: error instanceof Error ? error.message : String(error) });
      write(before.text + (back.text ? `\n${back.text}` : ""));
    } finally {
      own.busy = false;
      show();
    }
  };

  const suggest = async (/** @type {string} */ text) => {
    const asked = /^\/([^\s/]*)$/.exec(text);
    if (!asked && !own.prompts.length && !own.none) return;
    own.none = asked ? "asked" : "";
    const offered = asked && await import("./prompts.js").then((m) => m.offered(asked[1] ?? "")).catch(() => null);
    if (own.text !== text) return; // what was typed since is answered by itself
    const prompts = offered?.prompts ?? [];
    Object.assign(own, { prompts, at: 0, none: !offered || prompts.length ? "" : offered.any ? "called" : "saved" });
    show();
  };
  const manage = async () => {
    await (await import("./prompts.js")).manage();
    box.current?.focus();
    suggest(own.text);
  };
  const use = async (/** @type {import("./types.js").Prompt} */ prompt) => {
    own.prompts = [];
    show();
    (await import("./prompts.js")).use(prompt, put);
  };
  const input = (/** @type {any} */ event) => {
    const text = event.target.value;
    if (!own.text && text) import("./talk.js"); // it will be needed soon
    write(text);
    suggest(text);
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (own.prompts.length && choose(event, own, use, show)) return;
    if (own.none && event.key === "Escape") return event.preventDefault(), event.stopPropagation(), (own.none = ""), show();
    if (event.key !== "Enter" || event.shiftKey || event.altKey) return;
    const wide = event.ctrlKey || event.metaKey;
    if (own.none && !wide && /^\/\p{L}*$/u.test(own.text)) return event.preventDefault(); // meant for a prompt, not for a model
    const plain = session.member?.settings.send !== "ctrl-enter" && !matchMedia("(pointer: coarse)").matches;
    if (!wide && !plain) return;
    event.preventDefault();
    send();
  };
  const paste = (/** @type {ClipboardEvent} */ event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    add(files);
  };

  const empty = !own.text.trim() && !own.files.length;
  const sightless = (/** @type {string} */ name) => modelOf(name)?.capabilities?.includes("vision") === false;
  const blind = own.files.some((one) => one.media.startsWith("image/")) ? chosen.filter(sightless) : [];
  const stop = () => import("./talk.js").then((talk) => talk.stopAll());
  return html`<form class="composer" onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), send())}>
    ${own.problem && html`<p class="error" role="alert">${own.problem}</p>`}
    ${!online && html`<p class="notice" role="status">${t("Offline. What you write is kept here.")}</p>`}
    ${blind.length > 0 && html`<p class="notice" role="status">${t("{names} cannot see images. Choose another model, or take the images out.", { names: blind.join(", ") })}</p>`}
    ${own.prompts.length > 0 && html`<${Suggestions} own=${own} use=${use} />`}
    ${(own.none === "called" || own.none === "saved") && html`<div class="menu suggestions row"><span class="grow faint" role="status">
      ${own.none === "saved" ? t("No saved prompts yet.") : t("No saved prompt is called that.")}</span>
      <button type="button" class="button" onClick=${manage}>${own.none === "saved" ? t("Save one") : t("Saved prompts")}</button></div>`}
    <div class=${temporary ? "writing temporary" : "writing"}>
      ${own.files.length > 0 && html`<ul class="files" aria-label=${t("Attached files")}>${own.files.map((one) => html`<${Attachment} key=${one.key} one=${one}
        remove=${() => (one.stop?.(), own.files.splice(own.files.indexOf(one), 1), keep(), show(), box.current?.focus())} />`)}</ul>`}
      <textarea id="message" ref=${box} rows="1" dir="auto" aria-label=${t("Message")} placeholder=${placeholder(temporary, going)}
        aria-autocomplete="list" aria-controls=${own.prompts.length ? "prompts" : undefined}
        aria-activedescendant=${own.prompts.length ? `prompt-${own.at}` : undefined} enterkeyhint="enter"
        onInput=${input} onKeyDown=${key} onPaste=${paste}></textarea>
      <div class="tools">
        <${Menu} label=${t("Add files, prompts and tools")} icon="add" items=${() => additions(add, put)} />
        <${Armed} />
        <span class="grow"></span>
        <${ModelButton} chosen=${chosen} />
        ${going && html`<${IconButton} class="round" icon="stop" label=${t("Stop")} run=${stop} />`}
        ${(!going || !empty) && html`<button class="icon-button round send" disabled=${empty || own.busy || !chosen.length}
          aria-label=${going ? t("Send after this answer") : t("Send")} title=${going ? t("Send after this answer") : t("Send")}>${icon("go")}</button>`}
      </div>
    </div>
    ${fresh && empty && html`<p class="teaching"><span class="wide-only">${t("Drop files anywhere.")} </span>
      ${t("Type / for a saved prompt. Choose several models to see their answers side by side.")}</p>`}
  </form>`;
}

/** @param {boolean} temporary @param {boolean} going */
function placeholder(temporary, going) {
  if (going) return t("Write what comes next");
  const who = assistant();
  if (who) return t("Message {name}", { name: who.name });
  return temporary ? t("Ask something that nobody keeps") : t("Ask anything");
}

/** Where CSS cannot do it. @param {HTMLTextAreaElement} box */
function grow(box) {
  if (CSS.supports("field-sizing", "content")) return;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

/** Keys while prompts are offered; says whether it took this one.
 * @param {KeyboardEvent} event @param {Draft} own @param {(prompt: import("./types.js").Prompt) => void} use @param {() => void} show */
function choose(event, own, use, show) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const prompt = own.prompts[own.at];
  if (step) own.at = (own.at + step + own.prompts.length) % own.prompts.length;
  else if (event.key === "Escape") own.prompts = [];
  else if ((event.key === "Enter" || event.key === "Tab") && prompt) use(prompt);
  else return false;
  event.preventDefault();
  event.stopPropagation();
  show();
  return true;
}

/** @param {{own: Draft, use: (prompt: import("./types.js").Prompt) => void}} given */
function Suggestions({ own, use }) {
  return html`<ul class="menu suggestions" id="prompts" role="listbox" aria-label=${t("Saved prompts")}>${own.prompts.map((prompt, index) => html`
    <li key=${prompt.id} id=${`prompt-${index}`} role="option" aria-selected=${index === own.at} onMouseDown=${(/** @type {Event} */ event) => event.preventDefault()}
      onClick=${() => use(prompt)}><span dir="auto">${prompt.name}</span><span class="faint small truncate" dir="auto">${prompt.text}</span></li>`)}</ul>`;
}

/** @param {{one: Attached, remove: () => void}} given */
function Attachment({ one, remove }) {
  const about = one.problem || (one.file ? one.file.note || describe(one.file) : t("{share} of {size}", { share: number(one.done, { style: "percent" }), size: size(one.bytes) }));
  return html`<li class=${one.problem ? "file-chip bad" : "file-chip"}>
    ${one.picture ? html`<img src=${one.picture} alt="" />` : icon(one.media.startsWith("image/") ? "image" : "file")}
    <span class="grow"><span class="truncate" dir="auto">${one.name}</span><span class="small faint">${about}</span></span>
    ${!one.file && !one.problem && html`<progress max="1" value=${one.done} aria-label=${t("Sending {name}", { name: one.name })}></progress>`}
    <${IconButton} icon="close" label=${t("Remove {name}", { name: one.name })} run=${remove} /></li>`;
}

/** @param {import("./types.js").File} file */
function describe(file) {
  if (file.media.startsWith("image/")) return size(file.bytes);
  return plural(file.tokens, "{n} token", "{n} tokens");
}

/** What the plus offers. @param {(files: Iterable<globalThis.File>) => void} add @param {(text: string) => void} put @returns {import("./ui.js").Item[]} */
function additions(add, put) {
  const pick = () => {
    const input = Object.assign(document.createElement("input"), { type: "file", multiple: true });
    input.addEventListener("change", () => add(input.files ?? []));
    input.click();
  };
  const armed = armedNow();
  const arm = async (/** @type {string} */ name) => {
    const tools = armed.includes(name) ? armed.filter((one) => one !== name) : [...armed, name];
    change({ armed: tools });
    if (state.open?.conversation) (await import("./talk.js")).patch(state.open.id, { tools });
  };
  return [
    { label: t("Files and images"), icon: "attach", run: pick },
    { label: t("Saved prompts"), icon: "bolt", note: "/", run: () => (put("/"), document.getElementById("message")?.dispatchEvent(new Event("input"))) },
    state.tools.length > 0 && "line",
    state.tools.length > 0 && { heading: t("Tools, asked before each use") },
    ...state.tools.map((server) => ({
      label: server.kind === "built-in" && server.name === "memory" ? t("Memory") : server.title || server.name, icon: "tool", checked: armed.includes(server.name), run: () => arm(server.name),
      note: server.state === "failed" ? t("not reachable") : "",
    })),
  ];
}

const armedNow = () => state.open?.conversation?.tools ?? state.armed;

function Armed() {
  const armed = useStore(armedNow);
  if (!armed.length) return null;
  return html`<span class="badge" title=${armed.join(", ")}>${icon("tool")}${plural(armed.length, "{n} tool", "{n} tools")}</span>`;
}

/** @param {{chosen: string[]}} given */
function ModelButton({ chosen }) {
  useStore((now) => now.models);
  const open = async () => (await import("./picker.js")).pickModels();
  const one = modelOf(chosen[0] ?? "");
  const label = chosen.length > 1 ? plural(chosen.length, "{n} model", "{n} models") : one?.id ?? t("No model");
  return html`<button type="button" class="button quiet model" aria-haspopup="dialog" disabled=${!allowed().length} onClick=${open}
    title=${chosen.join(" · ")} aria-label=${chosen.length > 1 ? `${label}: ${chosen.join(", ")}` : t("Model: {name}", { name: label })}>
    ${chosen.length > 1 && icon("columns")}<span class="truncate">${label}</span>${icon("down")}</button>`;
}

/** Files dropped anywhere on the page. */
export function watchDrops() {
  let depth = 0;
  const carries = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") && Boolean(document.getElementById("message"));
  const mark = () => document.documentElement.classList.toggle("dropping", depth > 0);
  addEventListener("dragenter", (event) => carries(event) && (depth++, mark()));
  addEventListener("dragleave", (event) => carries(event) && (depth = Math.max(0, depth - 1), mark()));
  addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    mark();
    composer.add(event.dataTransfer?.files ?? []);
  });
}
