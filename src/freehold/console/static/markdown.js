// <fh-markdown>: a text that grows while one reads it. Knows which part of it is finished and never touches that again;
// refuses to know where it comes from. What is added is gathered and drawn once a frame, in slices of a few milliseconds.
import { Lexer, Marked } from "/vendor/marked.mjs";
import { codeBlock } from "/code.js";
import { blocks, clean, item, list, row, table } from "/markdown-dom.js";
import { opensMath, syntax } from "/math.js";

/** @typedef {import("/vendor/marked.mjs").Token} Token */
/** @typedef {{ end: () => void, add: (more: string) => void, node: HTMLElement }} Code */
/** @typedef {{ marker: string, indent: string, code: Code, line: string, inside: boolean }} Fence an open
 *   block of code; `line`: the beginning of a line that may yet close it; `inside`: within a line that does not */
/** @typedef {{ kind: string, type: string, node: HTMLElement }} Growing a list or table whose first rows are finished */

const SLICE = 6; // milliseconds of one frame
const PIECE = 12_000; // characters taken at a time
const ROWS = 1_200; // characters of an open list or table, above which its finished rows are set down
const HUGE = 24_000; // characters of an open block, above which its new words are shown as they are until it ends
const REST = 8; // how many times as long as drawing it took an open block is left alone
const LONGEST_REST = 400; // milliseconds
const STRUGGLES = 28; // milliseconds: a frame that takes so long to come comes late
/** Blocks that an empty line ends. */
const ENDED = new Set(["paragraph", "heading", "table", "blockquote", "hr", "code", "math"]);

const options = new Marked({ gfm: true, breaks: false, extensions: undefined }).use({ extensions: syntax }).defaults;
if (!document.querySelector('link[href="/markdown.css"]')) {
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = "/markdown.css";
  document.head.append(style);
}

/** @type {Set<Markdown>} */
const waiting = new Set();
let asked = 0; // when the next frame was asked for; 0: it was not
let lag = 0; // how long frames take to come, smoothed, in milliseconds

/** @param {Markdown} one */
function schedule(one) {
  waiting.add(one);
  if (asked) return;
  asked = performance.now();
  // A hidden page has no frames, and a text must be whole when somebody looks again.
  if (document.hidden) setTimeout(run, 60);
  // A page that cannot keep up is drawn less often: laying out and painting cost more than what is done here.
  else if (lag > STRUGGLES) setTimeout(() => requestAnimationFrame(run), 100);
  else requestAnimationFrame(run);
}

function run() {
  const began = performance.now();
  if (!document.hidden) lag += (began - asked - (lag > STRUGGLES ? 100 : 0) - lag) / 5;
  asked = 0;
  for (const one of [...waiting].reverse()) {
    waiting.delete(one);
    if (performance.now() >= began + SLICE || !one.attempt(began + SLICE)) schedule(one);
  }
}

/** The marker of a fence that opens a block of code. @param {string} raw */
const fenceOf = (raw) => /^( {0,3})(`{3,}|~{3,})([^\n]*)\n/.exec(raw);

export class Markdown extends HTMLElement {
  #text = "";
  #pending = "";
  #tail = ""; // the unfinished part of what was taken from #pending
  #whole = false; // nothing more will come
  #dirty = false;
  /** @type {Node[]} drawn from #tail, and drawn again when it grows */
  #open = [];
  /** @type {Text | undefined} the words of a huge open block that are not drawn yet */
  #plain;
  /** @type {Fence | undefined} */
  #fence;
  /** @type {Growing | undefined} */
  #growing;
  /** @type {HTMLElement[]} elements that blocks of HTML opened and none has closed: <details> */
  #into = [];
  /** @type {Record<string, { href: string, title?: string }>} */
  #links = {};
  /** @type {{ raw: string, nodes: Node[] }[]} finished blocks that may refer to a link defined later */
  #referring = [];
  #again = 0; // not before this time
  /** @type {(() => void)[]} */
  #ends = [];

  /** The text so far. */
  get text() {
    return this.#text;
  }

  /** Show this text. What stands already stays when the text begins with it. @param {string} text */
  set(text) {
    const clean = text.replaceAll("\r", "");
    if (clean === this.#text) return;
    if (this.#whole || !clean.startsWith(this.#text)) this.#clear();
    this.append(clean.slice(this.#text.length));
  }

  /** Add to the text. @param {string} more */
  append(more) {
    const clean = more.includes("\r") ? more.replaceAll("\r", "") : more;
    if (!clean) return;
    if (this.#whole) {
      const all = this.#text;
      this.#clear();
      this.append(all);
    }
    this.#text += clean;
    this.#pending += clean;
    schedule(this);
  }

  /** Nothing more will come. Resolves once everything stands. @returns {Promise<void>} */
  finish() {
    if (this.#whole && !waiting.has(this)) return Promise.resolve();
    this.#whole = true;
    this.#dirty = true;
    this.#again = 0;
    schedule(this);
    return new Promise((resolve) => this.#ends.push(resolve));
  }

  #clear() {
    this.replaceChildren();
    this.#text = this.#pending = this.#tail = "";
    this.#whole = this.#dirty = false;
    this.#open = [];
    this.#into = [];
    this.#referring = [];
    this.#links = {};
    this.#plain = this.#fence = this.#growing = undefined;
    this.#again = 0;
  }

  /** As `work`; a text that cannot be drawn is shown as it is. For the scheduler alone. @param {number} end */
  attempt(end) {
    try {
      return this.work(end);
    } catch (e) {
      console.warn("a text is shown as its source", e);
      const all = this.#text;
      const whole = this.#whole;
      this.#clear();
      this.#text = all;
      this.#whole = whole;
      const source = document.createElement("pre");
      source.textContent = all;
      this.appendChild(source);
      for (const tell of this.#ends.splice(0)) tell();
      return true;
    }
  }

  /** Do what fits before `end`; whether all is done.
   * @param {number} end in milliseconds of performance.now() @returns {boolean} */
  work(end) {
    while (this.#pending || this.#dirty) {
      const now = performance.now();
      if (now >= end) return false;
      if (!this.#fence && now < this.#again && this.#pending.length < PIECE) return false;
      const piece = this.#take();
      if (this.#fence) this.#feed(piece);
      else this.#grow(piece);
      if (!this.#pending) this.#dirty = this.#whole && (this.#tail !== "" || this.#fence !== undefined);
    }
    if (this.#whole) this.#complete();
    return true;
  }

  /** The next piece, up to the end of a line where that is near. */
  #take() {
    const all = this.#pending;
    let cut = all.length;
    if (cut > PIECE) {
      const line = all.indexOf("\n", PIECE);
      cut = line >= 0 && line < PIECE * 2 ? line + 1 : PIECE;
    }
    this.#pending = all.slice(cut);
    return all.slice(0, cut);
  }

  /** @returns {HTMLElement} */
  get #place() {
    return this.#into[this.#into.length - 1] ?? this;
  }

  /** @param {string} piece */
  #grow(piece) {
    this.#tail += piece;
    if (this.#tail.length > HUGE && !this.#whole && this.#open.length && !/\n[ \t]*\n/.test(this.#tail.slice(-piece.length - 2))) {
      if (!this.#plain) {
        this.#plain = document.createTextNode("");
        const last = this.#open[this.#open.length - 1];
        (last instanceof HTMLElement ? last : this.#place).appendChild(this.#plain);
      }
      this.#plain.appendData(piece);
      return;
    }
    const began = performance.now();
    this.#draw();
    this.#again = began + Math.min(LONGEST_REST, (performance.now() - began) * REST);
    if (performance.now() - began < 1) this.#again = 0;
  }

  #draw() {
    for (const node of this.#open) node.parentNode?.removeChild(node);
    this.#open = [];
    this.#plain = undefined;
    const last = this.#whole && !this.#pending;
    const lexer = new Lexer(/** @type {any} */ (options));
    Object.assign(lexer.tokens.links, this.#links);
    const tokens = lexer.lex(this.#tail);
    let at = 0;
    for (const [index, token] of tokens.entries()) {
      const after = at + token.raw.length;
      if (!last && !this.#firm(tokens, index, after)) {
        this.#tail = this.#tail.slice(at);
        this.#unfinished(tokens.slice(index).filter((each) => each.type !== "space"));
        return;
      }
      this.#settle(token);
      at = after;
    }
    this.#tail = "";
  }

  /** Whether no later text can change this token: a line that is whole follows it, of which it is not a part.
   * @param {readonly Token[]} tokens @param {number} index @param {number} after where it ends */
  #firm(tokens, index, after) {
    const next = tokens.slice(index + 1).find((each) => each.type !== "space");
    const token = tokens[index];
    if (!next || !token) return false;
    const rest = this.#tail.slice(after).replace(/^\n+/, "");
    if (/\n[ \t]*\n$/.test(this.#tail.slice(0, this.#tail.length - rest.length))) {
      if (ENDED.has(token.type) && !/^ {4}/.test(token.raw)) return true;
      if (token.type === "list" && /^[^\s\-*+\d]/.test(rest)) return true;
    }
    const line = rest.indexOf("\n");
    if (line < 0 || (next.type === "table" && rest.indexOf("\n", line + 1) < 0)) return false;
    return token.type !== "paragraph" || !opensMath(token.raw + rest);
  }

  /** Set down a block for good. @param {Token} token */
  #settle(token) {
    if (token.type === "space") return;
    if (this.#growing && this.#extend(token)) {
      this.#growing = undefined;
      return;
    }
    this.#growing = undefined;
    if (token.type === "def") {
      this.#links[token.tag] ??= { href: token.href, title: token.title };
      return;
    }
    if (token.type === "html") {
      this.#markup(token.raw);
      return;
    }
    const nodes = this.#put([token]);
    if (token.type !== "code" && token.raw.includes("[")) this.#referring.push({ raw: token.raw, nodes });
  }

  /** @param {Token[]} tokens @returns {Node[]} */
  #put(tokens) {
    const fragment = document.createDocumentFragment();
    blocks(fragment, tokens);
    const nodes = [...fragment.childNodes];
    this.#place.appendChild(fragment);
    return nodes;
  }

  /** The next rows of a list or table that stands already; whether they belong to it.
   * @param {Token} token @returns {Node[] | undefined} */
  #extend(token) {
    const growing = this.#growing;
    if (!growing || token.type !== growing.kind || typeOf(token) !== growing.type) return undefined;
    const nodes =
      token.type === "list"
        ? token.items.map((/** @type {Token} */ each) => item(each))
        : token.rows.map((/** @type {Token[]} */ cells) => row(cells, token.align));
    growing.node.append(...nodes);
    return nodes;
  }

  /** A block of HTML: <details> that it leaves open takes the blocks that follow. @param {string} raw */
  #markup(raw) {
    let depth = this.#into.length;
    const fragment = clean(raw);
    const opened = [...fragment.querySelectorAll("details")];
    this.#place.appendChild(fragment);
    let count = 0;
    for (const [tag] of raw.matchAll(/<\/?details\b/gi)) {
      if (tag.startsWith("</")) {
        if (count) count -= 1;
        else if (depth) depth -= 1;
      } else {
        count += 1;
      }
    }
    this.#into.length = depth;
    if (count && opened.length && this.#into.length < 20) this.#into.push(...opened.slice(-count));
  }

  /** Show what may still grow: the last block, or two of which the first is not sure to have ended.
   * @param {readonly Token[]} tokens */
  #unfinished(tokens) {
    const [token, ...others] = tokens;
    if (!token) return;
    const fence = token.type === "code" ? fenceOf(token.raw) : null;
    if (fence) {
      const body = this.#tail.slice(fence[0].length);
      const code = codeBlock("", fence[3]?.trim() ?? "", false);
      this.#place.appendChild(code.node);
      this.#fence = { marker: fence[2] ?? "```", indent: fence[1] ?? "", code, line: "", inside: false };
      this.#tail = "";
      this.#growing = undefined;
      this.#feed(body);
      return;
    }
    if (!this.#growing || token.type !== this.#growing.kind || typeOf(token) !== this.#growing.type) this.#growing = undefined;
    const long = this.#tail.length > ROWS && (token.type === "list" || token.type === "table");
    if (long && !others.length) this.#setDown(token);
    else this.#open = [...(this.#extend(token) ?? this.#put([token])), ...this.#put(others)];
  }

  /** Set down all rows but the last of a long list or table, and keep only the last one open. @param {Token} token */
  #setDown(token) {
    const rows = token.type === "list" ? token.items.length : token.rows.length;
    const lines = this.#tail.split("\n");
    if (token.type === "table") {
      const kept = this.#tail.endsWith("\n") ? 2 : 1; // the line that may still grow
      if (rows > 3 && lines.length > 5 && token.raw.trim() === this.#tail.trim()) {
        this.#start(token, token.rows.slice(0, -1));
        this.#tail = [...lines.slice(0, 2), ...lines.slice(-kept)].join("\n");
        this.#open = [row(token.rows[rows - 1], token.align)];
        this.#growing?.node.append(...this.#open);
        return;
      }
    } else if (rows > 1) {
      const last = token.items[rows - 1];
      const at = token.items.slice(0, -1).reduce((/** @type {number} */ sum, /** @type {Token} */ each) => sum + each.raw.length, 0);
      if (this.#tail.startsWith(last.raw, at) && last.raw.includes("\n") && !/^ {4,}/.test(last.raw)) {
        this.#start(token, token.items.slice(0, -1));
        this.#tail = this.#tail.slice(at);
        this.#open = [item(last)];
        this.#growing?.node.append(...this.#open);
        return;
      }
    }
    this.#open = this.#extend(token) ?? this.#put([token]);
  }

  /** @param {Token} token @param {any[]} rows */
  #start(token, rows) {
    if (!this.#growing) {
      const made = token.type === "list" ? list(token) : table(token);
      const node = made instanceof HTMLElement ? made : made.body;
      this.#place.appendChild(made instanceof HTMLElement ? made : made.box);
      this.#growing = { kind: token.type, type: typeOf(token), node };
    }
    const nodes = rows.map((each) => (token.type === "list" ? item(each) : row(each, token.align)));
    this.#growing.node.append(...nodes);
  }

  /** More of an open block of code. @param {string} piece */
  #feed(piece) {
    const fence = this.#fence;
    if (!fence) return;
    const closes = new RegExp(`^ {0,3}${fence.marker}[\`~]* *$`);
    const last = this.#whole && !this.#pending;
    let text = fence.line + piece;
    let done = "";
    fence.line = "";
    while (text || last) {
      const end = text.indexOf("\n");
      const line = end < 0 ? text : text.slice(0, end);
      if (!fence.inside && closes.test(line) && (end >= 0 || last)) {
        this.#flush(done);
        this.#close(end < 0 ? "" : text.slice(end + 1));
        return;
      }
      if (end < 0 && !last && !fence.inside && /^ *[`~]* *$/.test(line)) {
        fence.line = text;
        break;
      }
      if (end >= 0 || line) done += fence.inside ? line : `\n${this.#unindent(line)}`;
      fence.inside = end < 0;
      text = end < 0 ? "" : text.slice(end + 1);
      if (end < 0) break;
    }
    this.#flush(done);
    if (last) this.#close("");
  }

  /** @param {string} line */
  #unindent(line) {
    const indent = this.#fence?.indent.length ?? 0;
    const own = /^ */.exec(line)?.[0].length ?? 0;
    return line.slice(Math.min(indent, own));
  }

  /** @param {string} words the first ones with a line break too many before them */
  #flush(words) {
    const fence = this.#fence;
    if (!fence || !words) return;
    fence.code.add(fence.code.node.dataset.begun === undefined ? words.slice(1) : words);
    fence.code.node.dataset.begun = "";
  }

  /** @param {string} rest what follows the block */
  #close(rest) {
    this.#fence?.code.end();
    this.#fence = undefined;
    this.#tail = "";
    this.#pending = rest + this.#pending;
  }

  /** All text stands: blocks that refer to a link which was defined after them are made once more. */
  #complete() {
    const names = Object.keys(this.#links);
    for (const { raw, nodes } of names.length ? this.#referring : []) {
      const said = raw.toLowerCase();
      const first = nodes[0];
      if (!first?.parentNode || !names.some((name) => said.includes(`[${name}`))) continue;
      const lexer = new Lexer(/** @type {any} */ (options));
      Object.assign(lexer.tokens.links, this.#links);
      const fragment = document.createDocumentFragment();
      blocks(fragment, lexer.lex(raw));
      first.parentNode.insertBefore(fragment, first);
      for (const node of nodes) node.parentNode?.removeChild(node);
    }
    this.#referring = [];
    for (const tell of this.#ends.splice(0)) tell();
  }
}

/** What a list or table must have in common with the rows before it. @param {Token} token @returns {string} */
function typeOf(token) {
  if (token.type === "list") return token.ordered ? "1" : (/^\s*([-*+])/.exec(token.raw)?.[1] ?? "");
  return token.type === "table" ? String(token.align) : "";
}

customElements.define("fh-markdown", Markdown);
