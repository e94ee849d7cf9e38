// A worker: the parts of a program's text and what each of them is. Knows highlight.js; refuses to know the page.
import hljs from "/vendor/highlight.mjs";

/** The classes of our own style, by what highlight.js calls it. @type {Record<string, string>} */
const CLASSES = {
  comment: "tk-comment", quote: "tk-comment", doctag: "tk-comment", keyword: "tk-keyword", "selector-tag": "tk-keyword",
  literal: "tk-literal", number: "tk-literal", symbol: "tk-literal", bullet: "tk-literal", link: "tk-string",
  string: "tk-string", regexp: "tk-string", char: "tk-string", subst: "", title: "tk-name", section: "tk-name",
  name: "tk-name", tag: "", "selector-id": "tk-name", "selector-class": "tk-name", type: "tk-type", class: "tk-type",
  built_in: "tk-type", attr: "tk-attribute", attribute: "tk-attribute", property: "tk-attribute", variable: "tk-variable",
  "template-variable": "tk-variable", params: "", meta: "tk-meta", addition: "tk-added", deletion: "tk-removed",
  emphasis: "tk-emphasis", strong: "tk-strong", operator: "", punctuation: "", formula: "tk-literal",
};

/** @param {any} node @param {string} kind @param {[string, string][]} found */
function walk(node, kind, found) {
  for (const child of node.children) {
    if (typeof child === "string") {
      const last = found[found.length - 1];
      if (last && last[0] === kind) last[1] += child;
      else found.push([kind, child]);
    } else {
      const name = String(child.scope ?? "");
      walk(child, name ? (CLASSES[name.split(".")[0] ?? ""] ?? kind) : kind, found);
    }
  }
}

addEventListener("message", ({ data }) => {
  const { id, text, language } = data;
  /** @type {[string, string][] | null} */
  let tokens = null;
  try {
    if (hljs.getLanguage(language)) {
      const result = hljs.highlight(text, { language, ignoreIllegals: true });
      /** @type {[string, string][]} */
      const found = [];
      walk(/** @type {any} */ (result)._emitter.rootNode, "", found);
      tokens = found;
    }
  } catch {
    tokens = null; // its rules failed on this text: it stays plain
  }
  postMessage({ id, tokens });
});
