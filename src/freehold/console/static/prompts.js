// Saved prompts in the composer: finding them by name, handing their text over. Refuses to know how they are edited.

import { call } from "./door.js";
import { openPanel } from "./app.js";

/** @typedef {import("./types.js").Prompt} Prompt */

/** @type {Promise<Prompt[]> | null} */
let kept = null;

/** Forget them: they were changed. */
export function forget() {
  kept = null;
}

/** The prompts whose name has the words, best first, and whether there are any at all. @param {string} words @returns {Promise<{prompts: Prompt[], any: boolean}>} */
export async function offered(words) {
  kept ??= call("GET", "/api/prompts");
  kept.catch(forget);
  const wanted = words.toLowerCase();
  const rank = (/** @type {Prompt} */ { name }) => (name.toLowerCase().startsWith(wanted) ? 0 : 1);
  const all = await kept;
  const found = all.filter(({ name }) => name.toLowerCase().includes(wanted));
  return { prompts: found.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name)).slice(0, 8), any: all.length > 0 };
}

/** Where they are made and changed; resolves when one comes back. */
export const manage = () => openPanel("prompts");

/** Hands on the text of a prompt, its variables filled in. @param {Prompt} prompt @param {(text: string) => void} put */
export function use(prompt, put) {
  if (!prompt.variables.length) return put(prompt.text);
  openPanel("fill", { prompt, title: prompt.name, onText: (/** @type {string} */ text) => requestAnimationFrame(() => put(text)) });
}
