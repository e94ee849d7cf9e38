// Finding a conversation by its words, in all of one's history and in the archive. Refuses to know how the server searches.

import { html, useEffect, useRef, useState } from "./vendor/preact.mjs";
import { call } from "./door.js";
import { ago, plural, t } from "./i18n.js";
import { state } from "./store.js";
import { icon, IconButton, openDialog, walk } from "./ui.js";
import { go } from "./app.js";

/** @typedef {{conversation: string, title: string, message: string, role: string, at: number, parts: [string, boolean][]}} Hit */

const PATIENCE = 150; // ms of not typing

export async function openSearch() {
  /** @type {string | null} */
  const to = await openDialog((close) => html`<${Search} close=${close} />`, { label: t("Search your conversations"), class: "picker" });
  if (to) go(to);
}

/** @param {{close: (path?: string) => void}} given */
function Search({ close }) {
  const [words, setWords] = useState("");
  const [archive, setArchive] = useState(false);
  const [found, setFound] = useState(/** @type {Hit[] | null} */ (null));
  const [problem, setProblem] = useState("");
  const asked = useRef(0);

  useEffect(() => {
    const number = ++asked.current;
    const query = words.trim();
    setProblem("");
    if (!query && !archive) return setFound(null);
    const timer = setTimeout(async () => {
      try {
        const answer = query
          ? await call("GET", `/api/search?limit=40&q=${encodeURIComponent(query)}`)
          : await call("GET", "/api/conversations?archived=true&limit=100");
        if (number === asked.current) setFound(query ? answer.items : answer.items.map(plain));
      } catch (error) {
        if (number === asked.current) setProblem(error instanceof Error ? error.message : String(error));
      }
    }, query ? PATIENCE : 0);
    return () => clearTimeout(timer);
  }, [words, archive]);

  const shown = found ?? state.conversations.slice(0, 12).map(plain);
  const down = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "ArrowDown") /** @type {HTMLElement | null} */ (document.querySelector(".picker .options a"))?.focus();
    if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return;
    event.preventDefault(); // else it presses the button that the focus goes back to
    if (shown[0]) close(address(shown[0]));
  };
  const pick = (/** @type {any} */ event, /** @type {Hit} */ hit) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    close(address(hit));
  };
  return html`<div class="seek">${icon("search")}<input class="input bare" type="search" autofocus autocomplete="off" dir="auto" aria-label=${t("Search your conversations")}
      placeholder=${t("Words that were said, or a title")} value=${words} onInput=${(/** @type {any} */ event) => setWords(event.target.value)} onKeyDown=${down} />
      <button type="button" class="button quiet small" aria-pressed=${archive} onClick=${() => setArchive(!archive)}>${t("Archive")}</button>
      <${IconButton} icon="close" label=${t("Close")} run=${() => close()} /></div>
    <div class="body options" onKeyDown=${walk}>
      ${problem && html`<p class="error" role="alert">${problem}</p>`}
      ${!found && shown.length > 0 && html`<h3 class="heading">${t("Lately")}</h3>`}
      ${shown.map((hit) => html`<a class="option" key=${hit.message || hit.conversation} href=${address(hit)} onClick=${(/** @type {any} */ event) => pick(event, hit)}>
        <span class="grow"><span class="truncate" dir="auto">${hit.title || t("New chat")}</span>
        ${hit.parts.length > 0 && html`<span class="small faint lines" dir="auto">${hit.parts.map(([text, is]) => (is ? html`<mark>${text}</mark>` : text))}</span>`}</span>
        <span class="small faint">${ago(hit.at)}</span></a>`)}
      ${found && !found.length && !problem && html`<p class="empty">${archive && !words
        ? t("Nothing is in the archive. What you archive leaves the list, and stays findable here.")
        : t("Nothing of yours has these words. Parts of words are found when they begin with what you typed.")}</p>`}
    </div><p class="visually-hidden" role="status">${found ? plural(found.length, "{n} found", "{n} found") : ""}</p>`;
}

/** @param {import("./types.js").Conversation} one @returns {Hit} */
function plain(one) {
  return { conversation: one.id, title: one.title, message: "", role: "", at: one.updated_at, parts: [] };
}

/** @param {Hit} hit */
function address(hit) {
  return `/c/${encodeURIComponent(hit.conversation)}${hit.message ? `#${hit.message}` : ""}`;
}
