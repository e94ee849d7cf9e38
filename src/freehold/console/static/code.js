// A block of code: what language it says, copied, wrapped, opened; coloured by a worker once it is whole and near the
// eye. Knows the block; refuses to know who wrote it or what an artifact does.
import { t } from "/i18n.js";
import { drawDiagram } from "/diagram.js";
import { trusted } from "/trusted.js";

const KINDS = new Map([
  ["html", "html"], ["htm", "html"], ["xhtml", "html"], ["svg", "svg"],
  ["markdown", "markdown"], ["md", "markdown"], ["mermaid", "mermaid"],
]);
const COLOURED = 200_000; // characters; a longer block stays plain
const SLICE = 1_500; // tokens put into the document in one go

/** What an artifact of a language is. @param {string} language @param {string} text
 * @returns {"html" | "svg" | "markdown" | "mermaid" | "code"} */
export function kindOf(language, text) {
  const named = /** @type {any} */ (KINDS.get(language.toLowerCase()));
  if (named) return named;
  return /^(?:xml)?$/i.test(language) && /^\s*<svg[\s>]/i.test(text) ? "svg" : "code";
}

/** The language and the title that the words after a fence give. @param {string} info */
export function fenceInfo(info) {
  const [language = ""] = info.trim().split(/[\s{:,]/, 1);
  const title = /\b(?:title|file|filename)\s*=\s*(?:"([^"]+)"|'([^']+)'|(\S+))/i.exec(info);
  const named = title?.[1] ?? title?.[2] ?? title?.[3] ?? /^[^\s:]+[:\s]+([\w./-]+\.\w{1,8})\s*$/.exec(info.trim())?.[1];
  return { language: language.replace(/[^\w+#.-]/g, "").slice(0, 40), title: named ?? "" };
}

/** @param {string} label @param {string} name @param {() => void} act */
function button(label, name, act) {
  const node = document.createElement("button");
  node.type = "button";
  node.className = `code-${name}`;
  node.textContent = label;
  node.addEventListener("click", act);
  return node;
}

/** @param {HTMLElement} node @param {() => string} read */
async function copy(node, read) {
  try {
    await navigator.clipboard.writeText(read());
    node.textContent = t("Copied");
  } catch {
    node.textContent = t("Not copied");
  }
  setTimeout(() => (node.textContent = t("Copy")), 1_600);
}

/** A block of code. `add` grows it while it is written; `end` says that it is whole: it is coloured, a diagram drawn.
 * @param {string} text @param {string} info the words after the fence @param {boolean} whole */
export function codeBlock(text, info, whole) {
  const { language, title } = fenceInfo(info);
  const node = document.createElement("figure");
  node.className = "code";
  const bar = document.createElement("figcaption");
  const label = document.createElement("span");
  label.className = "code-language";
  label.textContent = title || language || t("text");
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  pre.dir = "ltr";
  pre.setAttribute("role", "group");
  pre.setAttribute("aria-label", t("Code: {language}", { language: title || language || t("text") }));
  const code = document.createElement("code");
  const words = document.createTextNode(text);
  let all = text;
  code.append(words);
  pre.append(code);
  const read = () => all;
  const copies = button(t("Copy"), "copy", () => void copy(copies, read));
  const wraps = button(t("Wrap"), "wrap", () => {
    wraps.setAttribute("aria-pressed", String(node.classList.toggle("wrapped")));
  });
  wraps.setAttribute("aria-pressed", "false");
  const opens = button(t("Open"), "open", () => {
    const detail = { kind: kindOf(language, all), language, title, text: all };
    node.dispatchEvent(new CustomEvent("artifact", { bubbles: true, detail }));
  });
  const tools = document.createElement("span");
  tools.className = "code-tools";
  tools.append(wraps, copies, opens);
  bar.append(label, tools);
  node.append(bar, pre);

  const end = () => {
    node.dataset.whole = "";
    if (language.toLowerCase() === "mermaid") {
      drawDiagram(node, all);
    } else if (language && all.length <= COLOURED) {
      whenNear(node, () => colour(code, all, language));
    }
  };
  if (whole) end();
  return {
    node,
    /** @param {string} more */
    add(more) {
      all += more;
      words.appendData(more);
    },
    end,
  };
}

/** @type {WeakMap<Element, () => void>} */
const near = new WeakMap();
/** @type {IntersectionObserver | undefined} */
let watcher;

/** Calls `act` once `node` is, or soon will be, in sight. @param {Element} node @param {() => void} act */
export function whenNear(node, act) {
  watcher ??= new IntersectionObserver(
    (seen) => {
      for (const { isIntersecting, target } of seen) {
        const found = isIntersecting ? near.get(target) : undefined;
        if (!found) continue;
        watcher?.unobserve(target);
        near.delete(target);
        found();
      }
    },
    { rootMargin: "800px 0px" },
  );
  near.set(node, act);
  watcher.observe(node);
}

/** @type {Worker | undefined} */
let worker;
/** @type {Map<number, (tokens: [string, string][] | null) => void>} */
const asked = new Map();
let count = 0;

/** The tokens of a text, from the worker; null where it does not know the language.
 * @param {string} text @param {string} language @returns {Promise<[string, string][] | null>} */
function tokens(text, language) {
  if (!worker) {
    worker = new Worker(/** @type {any} */ (trusted("/colour.js")), { type: "module" });
    worker.addEventListener("message", ({ data }) => {
      asked.get(data.id)?.(data.tokens);
      asked.delete(data.id);
    });
  }
  const id = ++count;
  worker.postMessage({ id, text, language });
  return new Promise((resolve) => asked.set(id, resolve));
}

/** @param {HTMLElement} code @param {string} text @param {string} language */
async function colour(code, text, language) {
  const found = await tokens(text, language);
  if (!found) return;
  const made = document.createDocumentFragment();
  for (let at = 0; at < found.length; at += SLICE) {
    for (const [kind, words] of found.slice(at, at + SLICE)) {
      if (kind) {
        const node = document.createElement("span");
        node.className = kind;
        node.textContent = words;
        made.append(node);
      } else {
        made.append(words);
      }
    }
    if (at + SLICE < found.length) await new Promise((resolve) => setTimeout(resolve));
  }
  if (code.isConnected) code.replaceChildren(made);
}
