// <fh-artifact>: what a model made, beside the talk: a page, a picture, a document, a program, in all its versions.
// Knows how each is shown; a page runs in a frame of an origin of its own, without network. Refuses to run it here.
import { fenceInfo, kindOf, codeBlock } from "/code.js";
import { imageOf, isDark, picture } from "/diagram.js";
import { t } from "/i18n.js";
import "/markdown.js";

/** @typedef {"html" | "svg" | "markdown" | "mermaid" | "code"} Kind */
/** @typedef {{ text: string, message: string | null }} Version */
/** @typedef {{ id: string, kind: Kind, language: string, title: string, versions: Version[] }} Artifact */

const SHORTEST = 12; // lines of a program that is worth a place of its own
const ENDINGS = { html: "html", svg: "svg", markdown: "md", mermaid: "mmd", code: "txt" };
const MEDIA = { html: "text/html", svg: "image/svg+xml", markdown: "text/markdown", mermaid: "text/plain", code: "text/plain" };

/** What a block of code would be called. @param {Kind} kind @param {string} language @param {string} text @param {string} title */
function nameOf(kind, language, text, title) {
  if (title) return title;
  const said =
    kind === "html" || kind === "svg"
      ? /<title[^>]*>([^<]{1,80})<\/title>/i.exec(text)?.[1] ?? /<h1[^>]*>([^<]{1,80})<\/h1>/i.exec(text)?.[1]
      : kind === "markdown"
        ? /^#{1,3} +(.{1,80})$/m.exec(text)?.[1]
        : /\b(?:class|def|function|fn|func|struct|interface)\s+([A-Za-z_]\w{0,60})/.exec(text)?.[1];
  return said?.trim() || (language ? t("{language} program", { language }) : t("Document"));
}

/** All artifacts of a talk, oldest first. The same kind under the same name, made again later, is another version of it.
 * @param {{ id: string, text: string }[]} messages @returns {Artifact[]} */
export function collect(messages) {
  /** @type {Map<string, Artifact>} */
  const found = new Map();
  for (const { id: message, text } of messages) {
    for (const [, , info = "", body = ""] of text.matchAll(/^ {0,3}(`{3,}|~{3,})([^\n]*)\n([\s\S]*?)\n {0,3}\1[`~]*[ \t]*$/gm)) {
      const { language, title } = fenceInfo(info);
      const kind = kindOf(language, body);
      if (kind === "code" && !title && body.split("\n").length < SHORTEST) continue;
      const name = nameOf(kind, language, body, title);
      const id = `${kind}:${kind === "code" ? language.toLowerCase() : ""}:${name.toLowerCase()}`;
      const known = found.get(id) ?? { id, kind, language, title: name, versions: [] };
      if (known.versions[known.versions.length - 1]?.text !== body) known.versions.push({ text: body, message });
      found.set(id, known);
    }
  }
  return [...found.values()];
}

/** The artifact and version that a block's "Open" means; one of its own where the talk has no such block (yet).
 * @param {{ kind: Kind, language: string, title: string, text: string }} detail of the event "artifact"
 * @param {Artifact[]} all @returns {{ artifact: Artifact, at: number }} */
export function find(detail, all) {
  for (const artifact of all) {
    const at = artifact.versions.findLastIndex((each) => each.text === detail.text.replace(/\n$/, ""));
    if (artifact.kind === detail.kind && at >= 0) return { artifact, at };
  }
  const { kind, language, text } = detail;
  const title = nameOf(kind, language, text, detail.title);
  return { artifact: { id: `${kind}:${title}`, kind, language, title, versions: [{ text, message: null }] }, at: 0 };
}

/** A frame in which a page runs. @param {string} html @param {string} title @param {(fault: string) => void} tell */
export function frameOf(html, title, tell) {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.setAttribute("referrerpolicy", "no-referrer");
  frame.title = title;
  frame.className = "artifact-frame";
  let given = false;
  const heard = (/** @type {MessageEvent} */ { source, data }) => {
    if (!frame.isConnected && given) {
      removeEventListener("message", heard);
      return;
    }
    if (source !== frame.contentWindow || typeof data !== "object" || data === null) return;
    if (data.ready === true && !given) {
      given = true;
      frame.contentWindow?.postMessage({ html }, "*");
    } else if (typeof data.fault === "string") {
      tell(data.fault.slice(0, 500));
    }
  };
  addEventListener("message", heard);
  frame.src = "/frame/artifact.html";
  return frame;
}

/** @param {string} svg */
function drawing(svg) {
  const image = document.createElement("img");
  const whole = svg.includes("xmlns=") ? svg : svg.replace(/<svg/i, '<svg xmlns="http://www.w3.org/2000/svg"');
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(whole)}`;
  image.alt = /<title[^>]*>([^<]*)<\/title>/i.exec(svg)?.[1] || t("Picture");
  return image;
}

/** @param {string} label @param {string} name @param {() => void} act */
function button(label, name, act) {
  const node = document.createElement("button");
  node.type = "button";
  node.className = `button quiet artifact-${name}`;
  node.textContent = label;
  node.addEventListener("click", act);
  return node;
}

export class ArtifactPanel extends HTMLElement {
  /** @type {Artifact | undefined} */
  #artifact;
  #at = 0;
  #source = false;
  #turn = 0;

  /** Show an artifact. @param {Artifact} artifact @param {number} [at] which version; the last one unless told */
  show(artifact, at = artifact.versions.length - 1) {
    if (!document.querySelector('link[href="/artifacts.css"]')) {
      const style = document.createElement("link");
      style.rel = "stylesheet";
      style.href = "/artifacts.css";
      document.head.append(style);
    }
    this.#artifact = artifact;
    this.#at = Math.max(0, Math.min(at, artifact.versions.length - 1));
    if (artifact.kind === "code") this.#source = true;
    this.#draw();
  }

  get #text() {
    return this.#artifact?.versions[this.#at]?.text ?? "";
  }

  #draw() {
    const artifact = this.#artifact;
    if (!artifact) return;
    const turn = ++this.#turn;
    const head = document.createElement("div");
    head.className = "artifact-head";
    const title = document.createElement("h2");
    title.textContent = artifact.title;
    title.dir = "auto";
    const closes = button(t("Close"), "close", () => this.dispatchEvent(new CustomEvent("close", { bubbles: true })));
    head.append(title, closes);

    const tools = document.createElement("div");
    tools.className = "artifact-tools";
    if (artifact.kind !== "code") tools.append(this.#tabs());
    if (artifact.versions.length > 1) tools.append(this.#versions(artifact));
    const copies = button(t("Copy"), "copy", async () => {
      await navigator.clipboard.writeText(this.#text).catch(() => undefined);
      copies.textContent = t("Copied");
      setTimeout(() => (copies.textContent = t("Copy")), 1_600);
    });
    tools.append(copies, button(t("Download"), "download", () => this.#download(artifact)));

    const body = document.createElement("div");
    body.className = "artifact-body";
    const fault = document.createElement("p");
    fault.className = "artifact-fault";
    fault.hidden = true;
    fault.setAttribute("role", "status");
    const tell = (/** @type {string} */ said) => {
      if (turn !== this.#turn) return;
      fault.hidden = false;
      fault.textContent = t("The page reports a fault: {fault}", { fault: said });
    };
    this.setAttribute("role", "complementary");
    this.setAttribute("aria-label", t("Artifact: {title}", { title: artifact.title }));
    this.replaceChildren(head, tools, body, fault);
    if (this.#source) {
      const language = artifact.language || { html: "html", svg: "xml", markdown: "markdown" }[String(artifact.kind)] || "";
      const block = codeBlock("", language === "mermaid" ? "" : language, false);
      body.append(block.node);
      block.add(this.#text);
      block.end();
    } else {
      this.#preview(artifact.kind, body, tell);
    }
  }

  /** @param {Kind} kind @param {HTMLElement} body @param {(fault: string) => void} tell */
  #preview(kind, body, tell) {
    if (kind === "html") {
      body.append(frameOf(this.#text, t("Preview"), tell));
    } else if (kind === "svg") {
      body.append(drawing(this.#text));
    } else if (kind === "markdown") {
      const node = /** @type {import("/markdown.js").Markdown} */ (document.createElement("fh-markdown"));
      body.append(node);
      node.set(this.#text);
      void node.finish();
    } else if (kind === "mermaid") {
      const text = this.#text;
      picture(text, isDark()).then(
        (drawn) => body.append(imageOf(drawn, text)),
        (e) => tell(e instanceof Error ? e.message : String(e)),
      );
    }
  }

  #tabs() {
    const group = document.createElement("div");
    group.className = "artifact-tabs";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", t("View"));
    for (const [label, source] of /** @type {[string, boolean][]} */ ([[t("Preview"), false], [t("Source"), true]])) {
      const node = button(label, source ? "source" : "preview", () => {
        this.#source = source;
        this.#draw();
        /** @type {HTMLElement | null} */ (this.querySelector(source ? ".artifact-source" : ".artifact-preview"))?.focus();
      });
      node.setAttribute("aria-pressed", String(this.#source === source));
      group.append(node);
    }
    return group;
  }

  /** @param {Artifact} artifact */
  #versions(artifact) {
    const select = document.createElement("select");
    select.className = "select";
    select.setAttribute("aria-label", t("Version"));
    for (const at of artifact.versions.keys()) {
      const option = document.createElement("option");
      option.value = String(at);
      option.textContent = t("Version {n} of {all}", { n: at + 1, all: artifact.versions.length });
      option.selected = at === this.#at;
      select.append(option);
    }
    select.addEventListener("change", () => {
      this.#at = Number(select.value);
      this.#draw();
      /** @type {HTMLElement | null} */ (this.querySelector("select"))?.focus();
    });
    return select;
  }

  /** @param {Artifact} artifact */
  #download(artifact) {
    const link = document.createElement("a");
    const name = artifact.title.replace(/[^\p{L}\p{N}._ -]+/gu, "").trim() || "artifact";
    link.download = /\.\w{1,8}$/.test(name) ? name : `${name}.${ENDINGS[artifact.kind]}`;
    link.href = URL.createObjectURL(new Blob([this.#text], { type: MEDIA[artifact.kind] }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}

customElements.define("fh-artifact", ArtifactPanel);
