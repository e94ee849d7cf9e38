// Finding a conversation by its words, in all of one's history and in the archive. Refuses to know how the server searches.

import { html, useEffect, useRef, useState } from "./vendor/preact.mjs";
import { call } from "./door.js";
import { ago, plural, t } from "./i18n.js";
import { state } from "./store.js";
import { icon, IconButton, openDialog, walk } from "./ui.js";
import { go } from "./app.js";

/** @typedef {{conversation: string, title: string, message: string, role: string, at: number, parts: [string, boolean][]}} Hit */

const PATIENCE = 150; // ms of not typing
const BEST = 3; // hits of one conversation

/** @param {string} [words] what was typed already */
export async function openSearch(words = "") {
  /** @type {string | null} */
  const to = await openDialog((close) => html`<${Search} first=${words} close=${close} />`, { label: t("Search your conversations"), class: "picker" });
  if (to) go(to);
}

/** @param {{first: string, close: (path?: string) => void}} given */
function Search({ first, close }) {
  const [words, setWords] = useState(first);
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

  const groups = grouped(found ?? state.conversations.slice(0, 12).map(plain));
  const down = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "ArrowDown") /** @type {HTMLElement | null} */ (document.querySelector(".picker .options a"))?.focus();
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") return event.preventDefault(), close(); // else it empties the box first
    if (event.key !== "Enter") return;
    event.preventDefault(); // else it presses the button that the focus goes back to
    if (groups[0]?.[0]) close(address(groups[0][0]));
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
      ${!found && groups.length > 0 && html`<h3 class="heading">${t("Lately")}</h3>`}
      ${groups.map((hits) => hits.map((hit, at) => html`<a class=${at ? "option more" : "option"} key=${hit.message || hit.conversation} href=${address(hit)} onClick=${(/** @type {any} */ event) => pick(event, hit)}>
        <span class="grow">${!at && html`<span class="truncate" dir="auto">${hit.title || t("New chat")}</span>`}
        ${hit.parts.length > 0 && html`<span class="small faint lines" dir="auto">${hit.parts.map(([text, is]) => (is ? html`<mark>${text}</mark>` : text))}</span>`}</span>
        <span class="small faint">${ago(hit.at)}</span></a>`))}
      ${found && !found.length && !problem && html`<p class="empty">${archive && !words
        ? t("Nothing is in the archive. What you archive leaves the list, and stays findable here.")
        : t("Nothing of yours has these words. Parts of words are found when they begin with what you typed.")}</p>`}
    </div><p class="visually-hidden" role="status">${found ? plural(groups.length, "{n} found", "{n} found") : ""}</p>`;
}

/** Each conversation once, where its best hit stands, with the best few of its hits. @param {Hit[]} hits @returns {Hit[][]} */
function grouped(hits) {
  /** @type {Map<string, Hit[]>} */
  const groups = new Map();
  for (const hit of hits) {
    const group = groups.get(hit.conversation) ?? [];
    if (!group.length || (group.length < BEST && hit.parts.length)) groups.set(hit.conversation, [...group, hit]);
  }
  return [...groups.values()];
}

/** @param {import("./types.js").Conversation} one @returns {Hit} */
function plain(one) {
  return { conversation: one.id, title: one.title, message: "", role: "", at: one.updated_at, parts: [] };
}

/** @param {Hit} hit */
function address(hit) {
  return `/c/${encodeURIComponent(hit.conversation)}${hit.message ? `#${hit.message}` : ""}`;
}
