// Formulas. Knows how TeX is written among words and how KaTeX draws it; a formula is its source until it is drawn.
// KaTeX makes nodes, never markup: a strict policy would drop the styles of a text that is parsed.
import { whenNear } from "/code.js";

const KEPT = 400;
/** @type {Map<string, Node>} */
const drawn = new Map();
/** @type {{ node: HTMLElement, tex: string, display: boolean }[]} */
const waiting = [];
/** @type {Promise<typeof import("/vendor/katex/katex.mjs")> | undefined} */
let loading;
let busy = false;

const OPTIONS = { throwOnError: true, trust: false, strict: "ignore", maxSize: 30, maxExpand: 300 };
const LONGEST = 8_000; // characters of one formula

/** @param {() => void} act */
const idle = (act) => ("requestIdleCallback" in window ? requestIdleCallback(act, { timeout: 500 }) : setTimeout(act, 16));

function load() {
  if (!loading) {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = "/vendor/katex/katex.css";
    document.head.append(style);
    loading = import("/vendor/katex/katex.mjs");
    loading.catch(() => (loading = undefined));
  }
  return loading;
}

/** A formula as a node: drawn at once when it was drawn before, else soon.
 * @param {string} tex @param {boolean} display on a line of its own @returns {HTMLElement} */
export function mathNode(tex, display) {
  const node = document.createElement("span");
  node.className = display ? "math display" : "math";
  node.dir = "ltr";
  const known = drawn.get((display ? "$$" : "$") + tex);
  if (known) {
    node.append(known.cloneNode(true));
  } else {
    node.textContent = tex;
    if (tex.length <= LONGEST) {
      whenNear(node, () => {
        waiting.push({ node, tex, display });
        if (!busy) {
          busy = true;
          idle(() => void draw());
        }
      });
    }
  }
  if (display) node.tabIndex = 0;
  return node;
}

async function draw() {
  try {
    const katex = (await load()).default;
    const end = performance.now() + 6;
    while (waiting.length && performance.now() < end) {
      const { node, tex, display } = /** @type {typeof waiting[0]} */ (waiting.shift());
      if (!node.isConnected) continue;
      const made = document.createElement("span");
      try {
        katex.render(tex, made, { ...OPTIONS, displayMode: display });
      } catch (e) {
        node.classList.add("faulty");
        node.title = e instanceof Error ? e.message : String(e);
        continue;
      }
      if (drawn.size >= KEPT) drawn.delete(drawn.keys().next().value ?? "");
      drawn.set((display ? "$$" : "$") + tex, made.cloneNode(true));
      node.replaceChildren(made);
    }
  } catch {
    waiting.length = 0; // it did not load: formulas stay their source
  }
  busy = waiting.length > 0;
  if (busy) idle(() => void draw());
}

const DISPLAY = /^ {0,3}(?:\$\$((?:(?!\n[ \t]*\n)[^$\\]|\\(?:(?!\n[ \t]*\n)[\s\S])|\$(?!\$))+?)\$\$|\\\[((?:(?!\n[ \t]*\n)[^\\]|\\(?!\])(?:(?!\n[ \t]*\n)[\s\S]))+?)\\\])[ \t]*(?:\n|$)/;
const OPENS = /(?:^|\n) {0,3}(?:\$\$|\\\[)/;
const INLINE = [
  { rule: /^\$\$((?:[^$\\\n]|\\[^\n]|\n(?!\s*\n))+?)\$\$/, display: true },
  { rule: /^\\\[((?:[^\\\n]|\\[^\]\n]|\n(?!\s*\n))+?)\\\]/, display: true },
  { rule: /^\\\(((?:[^\\\n]|\\[^)\n]|\n(?!\s*\n))+?)\\\)/, display: false },
  // A dollar that opens has no space after it, one that closes none before it and no digit after it (as in Pandoc).
  { rule: /^\$((?:[^$\\\s]|\\.)(?:(?:[^$\\\n]|\\.){0,998}?(?:[^$\\\s]|\\.))?)\$(?![\d$])/, display: false },
];
/** "$5 a month or 7$" is two prices: a number and then words is no formula. */
const PRICE = /^\d[\d.,]*(?:\s*(?:[kKmMbB]|[-–—/]\s*)?\b\s*[A-Za-z]{2,}|\s*[-–—]\s*$|\s*\/)/;

/** Whether a text opens a display formula that may still be closed. @param {string} text */
export function opensMath(text) {
  const found = OPENS.exec(text);
  return found !== null && !/\n[ \t]*\n/.test(text.slice(found.index + 1));
}

/** How formulas are told from words, for marked. @type {import("/vendor/marked.mjs").TokenizerExtension[]} */
export const syntax = [
  {
    name: "math",
    level: "block",
    start(src) {
      const found = OPENS.exec(src);
      return found ? found.index + (found[0].startsWith("\n") ? 1 : 0) : undefined;
    },
    tokenizer(src) {
      const found = DISPLAY.exec(src);
      return found ? { type: "math", raw: found[0], text: (found[1] ?? found[2] ?? "").trim(), display: true } : undefined;
    },
  },
  {
    name: "math",
    level: "inline",
    start(src) {
      const found = /(?<![\w$\\])\$(?=\S)|\\[([]/.exec(src);
      return found ? found.index : undefined;
    },
    tokenizer(src) {
      if (src[0] !== "$" && src[0] !== "\\") return undefined;
      for (const { rule, display } of INLINE) {
        const found = rule.exec(src);
        if (found && !(src[0] === "$" && !display && PRICE.test(found[1] ?? ""))) {
          return { type: "math", raw: found[0], text: (found[1] ?? "").trim(), display };
        }
      }
      return undefined;
    },
  },
];
