// Tokens of Markdown as nodes of the document. Knows what a model's words may become; refuses to pass on anything else.
// Nodes are made one by one, so no text of a model is ever parsed as markup, but HTML that it wrote: that goes through
// DOMPurify, as nodes, never back through a string.
import DOMPurify from "/vendor/purify.mjs";
import { codeBlock } from "/code.js";
import { t } from "/i18n.js";
import { mathNode } from "/math.js";

/** @typedef {import("/vendor/marked.mjs").Token} Token */

const LINK = /^(?:https?:\/\/|mailto:)/i;
const IMAGE = /^(?:data:image\/(?:png|jpe?g|gif|webp|avif|bmp);base64,|blob:|\/api\/files\/[\w-]+$)/i;
const ALLOWED_TAGS = [
  "a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn",
  "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd",
  "li", "mark", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strong", "sub", "summary",
  "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var", "wbr",
];
const ALLOWED_ATTR = ["href", "title", "alt", "src", "width", "height", "colspan", "rowspan", "start", "open", "dir", "lang"];
/** @type {import("/vendor/purify.mjs").Config & { RETURN_DOM_FRAGMENT: true }} */
const RULES = {
  ALLOWED_TAGS,
  ALLOWED_ATTR,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|data:image\/|blob:|\/api\/files\/)/i,
  RETURN_DOM_FRAGMENT: true,
};
const VOID = new Set(["br", "hr", "img", "wbr", "col"]);
const DEEP = 60; // levels of quotes and lists in each other; what lies deeper is shown as its source

/** An element with a text direction of its own. @param {string} name */
function block(name) {
  const node = document.createElement(name);
  node.dir = "auto";
  return node;
}

/** HTML that a model wrote, as nodes that can do nothing. @param {string} html @returns {DocumentFragment} */
export function clean(html) {
  // A document of frames has no body, and DOMPurify no answer to it.
  const fragment = DOMPurify.sanitize(html, RULES) ?? document.createDocumentFragment();
  for (const node of fragment.querySelectorAll("a")) {
    const safe = link(node.getAttribute("href") ?? "", node.title);
    safe.append(...node.childNodes);
    node.replaceWith(safe);
  }
  for (const node of fragment.querySelectorAll("img")) {
    node.replaceWith(image(node.getAttribute("src") ?? "", node.alt, node.title));
  }
  for (const node of fragment.querySelectorAll("p,li,td,th,h1,h2,h3,h4,h5,h6,blockquote")) {
    if (!node.hasAttribute("dir")) node.setAttribute("dir", "auto");
  }
  return fragment;
}

/** @type {Map<string, string>} */
const entities = new Map();

/** Text with its character references resolved. @param {string} text @returns {string} */
function decode(text) {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#x[0-9a-f]{1,6}|#\d{1,7}|[a-z][a-z0-9]{1,31});/gi, (found) => {
    let known = entities.get(found);
    if (known === undefined) {
      known = DOMPurify.sanitize(`<p>${found}</p>`, RULES)?.textContent || found;
      entities.set(found, known);
    }
    return known;
  });
}

/** A link that says where it leads and tells nobody where it was; a text alone where it would lead elsewhere.
 * @param {string} href @param {string | null} [title] @returns {HTMLElement} */
function link(href, title) {
  const target = href.trim();
  if (!LINK.test(target)) return document.createElement("span");
  const node = document.createElement("a");
  node.href = target;
  node.rel = "noopener noreferrer nofollow";
  node.target = "_blank";
  node.title = title ? `${title} (${target})` : target;
  return node;
}

/** An image that is ours or in the text itself. One from elsewhere would tell its host who reads: it becomes a link.
 * @param {string} src @param {string} alt @param {string | null} [title] @returns {HTMLElement} */
function image(src, alt, title) {
  const target = src.trim();
  if (IMAGE.test(target)) {
    const node = document.createElement("img");
    node.alt = alt;
    node.loading = "lazy";
    node.decoding = "async";
    if (title) node.title = title;
    node.src = target;
    return node;
  }
  const node = link(target, title);
  node.classList.add("remote-image");
  node.textContent = LINK.test(target) ? t("Image from elsewhere, not loaded: {name}", { name: alt || target }) : alt;
  return node;
}

/** @param {Node} parent @param {readonly Token[]} tokens @param {number} depth */
function inline(parent, tokens, depth) {
  /** @type {{ node: Node, name: string }[]} */
  const open = [{ node: parent, name: "" }];
  for (const token of tokens) {
    const into = open[open.length - 1]?.node ?? parent;
    if (token.type === "html") {
      markup(open, token.raw);
    } else {
      const node = span(token, depth);
      if (node) into.appendChild(node);
    }
  }
}

/** A tag among words: it opens an element for what follows, or closes one.
 * @param {{ node: Node, name: string }[]} open @param {string} raw */
function markup(open, raw) {
  const closes = /^<\/([a-z][a-z0-9]*)/i.exec(raw)?.[1]?.toLowerCase();
  if (closes) {
    const at = open.findLastIndex((each) => each.name === closes);
    if (at > 0) open.length = at;
    return;
  }
  const fragment = clean(raw);
  const made = fragment.firstElementChild;
  const name = /^<([a-z][a-z0-9]*)/i.exec(raw)?.[1]?.toLowerCase() ?? "";
  open[open.length - 1]?.node.appendChild(fragment);
  if (made && !VOID.has(name) && open.length < DEEP) open.push({ node: made, name });
}

/** @param {string} name @param {Token} token @param {number} depth */
function wrap(name, token, depth) {
  const node = document.createElement(name);
  inline(node, token.tokens ?? [], depth + 1);
  return node;
}

/** @param {Token} token @param {number} depth @returns {Node | null} */
function span(token, depth) {
  if (depth > DEEP) return document.createTextNode(token.raw);
  switch (token.type) {
    case "text":
      if (token.tokens) {
        const fragment = document.createDocumentFragment();
        inline(fragment, token.tokens, depth + 1);
        return fragment;
      }
      return document.createTextNode(decode(token.text));
    case "escape":
      return document.createTextNode(token.text);
    case "strong":
    case "em":
    case "del":
      return wrap(token.type, token, depth);
    case "codespan": {
      const node = document.createElement("code");
      node.dir = "ltr";
      node.textContent = token.text;
      return node;
    }
    case "br":
      return document.createElement("br");
    case "link": {
      const node = link(token.href, token.title && decode(token.title));
      inline(node, token.tokens ?? [], depth + 1);
      return node;
    }
    case "image":
      return image(token.href, decode(token.text), token.title && decode(token.title));
    case "math":
      return mathNode(token.text, token.display);
    case "checkbox":
      return null; // drawn by its list item
    default:
      return document.createTextNode(token.raw);
  }
}

/** @param {Token} token @param {number} depth */
function quote(token, depth) {
  const node = block("blockquote");
  blocks(node, token.tokens ?? [], depth + 1);
  return node;
}

/** @param {Token} token @returns {HTMLElement} */
export function list(token) {
  const node = document.createElement(token.ordered ? "ol" : "ul");
  node.dir = "auto";
  if (token.ordered && Number.isInteger(token.start) && token.start !== 1) node.setAttribute("start", String(token.start));
  return node;
}

/** @param {Token} token an item of a list @param {number} [depth] @returns {HTMLElement} */
export function item(token, depth = 0) {
  const node = block("li");
  const inner = (token.tokens ?? []).filter((/** @type {Token} */ each) => each.type !== "checkbox");
  if (token.task) {
    node.className = "task";
    const box = document.createElement("span");
    box.className = token.checked ? "box checked" : "box";
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", token.checked ? t("Done") : t("To do"));
    node.append(box);
  }
  const words = inner.filter((/** @type {Token} */ each) => each.type === "text" || each.type === "paragraph");
  for (const each of inner) {
    if (words.length < 2 && words[0] === each) inline(node, each.tokens ?? [each], depth + 1);
    else blocks(node, [each], depth + 1);
  }
  return node;
}

/** @param {Token} token a cell @param {string} name @param {string | null} align */
function cell(token, name, align) {
  const node = block(name);
  if (align) node.classList.add(align);
  if (name === "th") node.setAttribute("scope", "col");
  inline(node, token.tokens ?? [], 1);
  return node;
}

/** @param {Token[]} cells @param {(string | null)[]} align @returns {HTMLElement} */
export function row(cells, align) {
  const node = document.createElement("tr");
  node.append(...cells.map((each, at) => cell(each, "td", align[at] ?? null)));
  return node;
}

/** A table in a box of its own that scrolls; its body is still empty.
 * @param {Token} token @returns {{ box: HTMLElement, body: HTMLElement }} */
export function table(token) {
  const box = document.createElement("div");
  box.className = "table-box";
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", t("Table"));
  const node = document.createElement("table");
  const head = document.createElement("thead");
  const line = document.createElement("tr");
  line.append(...token.header.map((/** @type {Token} */ each, /** @type {number} */ at) => cell(each, "th", token.align[at])));
  head.append(line);
  const body = document.createElement("tbody");
  node.append(head, body);
  box.append(node);
  return { box, body };
}

/** @param {ParentNode & Node} parent @param {readonly Token[]} tokens @param {number} [depth] */
export function blocks(parent, tokens, depth = 0) {
  for (const token of tokens) {
    let node;
    try {
      node = depth > DEEP ? document.createTextNode(token.raw) : top(token, depth);
    } catch (e) {
      console.warn("a block is shown as its source", e);
      node = document.createTextNode(token.raw);
    }
    if (node) parent.appendChild(node);
  }
}

/** @param {Token} token @param {number} depth @returns {Node | null} */
function top(token, depth) {
  switch (token.type) {
    case "space":
    case "def":
    case "checkbox":
      return null;
    case "heading": {
      // The page has its own first and second level.
      const node = block(`h${Math.min(6, token.depth + 2)}`);
      node.dataset.level = String(token.depth);
      inline(node, token.tokens ?? [], depth + 1);
      return node;
    }
    case "hr":
      return document.createElement("hr");
    case "code":
      // marked counts the break before the closing fence as one of the code's where blank lines stand before it
      return codeBlock(token.text.replace(/\n$/, ""), token.lang ?? "", true).node;
    case "blockquote":
      return quote(token, depth);
    case "list": {
      const node = list(token);
      node.append(...token.items.map((/** @type {Token} */ each) => item(each, depth + 1)));
      return node;
    }
    case "table": {
      const { box, body } = table(token);
      body.append(...token.rows.map((/** @type {Token[]} */ cells) => row(cells, token.align)));
      return box;
    }
    case "math":
      return mathNode(token.text, true);
    case "html":
      return clean(token.raw);
    case "paragraph":
    case "text": {
      const node = block("p");
      if (token.tokens) inline(node, token.tokens, depth + 1);
      else node.textContent = decode(token.text);
      return node;
    }
    default:
      return document.createTextNode(token.raw);
  }
}
