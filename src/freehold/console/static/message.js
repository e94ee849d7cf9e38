// One question or one answer: its parts, its facts, what can be done with it. Refuses to know its place in the conversation.

import { html, useLayoutEffect, useRef, useState } from "./vendor/preact.mjs";
import { session } from "./door.js";
import { duration, listed, money, number, plural, size, t } from "./i18n.js";
import { allowed, modelOf, textOf } from "./store.js";
import { copy, icon, IconButton, Menu, useFocus } from "./ui.js";
import { drop, watch } from "./live.js";
import { Steps } from "./thread.js";

/** @typedef {import("./types.js").Message} Message @typedef {import("./types.js").ToolPart} ToolPart @typedef {import("./types.js").FilePart} FilePart */
/** @typedef {{at: number, of: number, to: (at: number) => void} | null} Turns */

const talk = () => import("./talk.js");
const LIVE = ["running", "waiting"];

/** @param {{message: Message, turns: Turns, fixed?: boolean}} given fixed: it is only read */
export function Question({ message, turns, fixed }) {
  const [editing, setEditing] = useState(false);
  const box = useFocus(editing);
  const close = () => {
    setEditing(false);
    document.getElementById("message")?.focus(); // the button that opened it is gone
  };
  const files = /** @type {FilePart[]} */ (message.parts.filter((part) => part.type === "file"));
  const text = textOf(message);
  const save = (/** @type {any} */ event) => {
    event.preventDefault();
    const fresh = String(new FormData(event.target.closest("form")).get("text")).trim();
    close();
    if (fresh) talk().then((m) => m.edit(message, fresh, files.map(({ file }) => file)));
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save(event);
  };
  return html`<h2 class="visually-hidden">${t("You")}</h2>
    ${files.length > 0 && html`<ul class="files" aria-label=${t("Files")}>${files.map((part) => html`<${FileChip} key=${part.file} part=${part} fixed=${fixed} />`)}</ul>`}
    ${editing
      ? html`<form class="editing" onSubmit=${save}><textarea class="input" name="text" dir="auto" rows="4" aria-label=${t("Message")} onKeyDown=${key}
          ref=${box}>${text}</textarea>
          <p class="small faint">${t("A new branch begins here; the one before stays.")}</p>
          <div class="row"><button class="button primary">${t("Send")}</button><button type="button" class="button" onClick=${close}>${t("Cancel")}</button></div></form>`
      : text && html`<div class="bubble"><p class="said" dir="auto">${text}</p></div>`}
    ${!editing && !fixed && html`<div class="acts">
      <${IconButton} icon="edit" label=${t("Edit")} run=${() => setEditing(true)} />
      <${IconButton} icon="copy" label=${t("Copy")} run=${() => copy(text)} /><${Steps} turns=${turns} /></div>`}`;
}

/** @param {{message: Message, turns: Turns, fixed?: boolean, headed?: boolean}} given headed: a heading says already whose it is */
export function Answer({ message, turns, fixed, headed }) {
  const live = LIVE.includes(message.state);
  const empty = wordless(message);
  return html`${!headed && html`<h2 class="visually-hidden">${t("Answer of {model}", { model: message.model })}</h2>`}
    <div class="answer" aria-busy=${live}>
      ${message.parts.map((part, at) => {
        const shown = live && message.state === "running";
        if (part.type === "text") return html`<${Words} key=${at} id=${message.id} at=${at} text=${part.text} live=${shown} />`;
        if (part.type === "reasoning") return html`<${Reasoning} key=${at} id=${message.id} at=${at} text=${part.text} live=${shown} thinking=${shown && empty} />`;
        if (part.type === "tool") return html`<${Tool} key=${at} part=${part} message=${message} fixed=${fixed} />`;
        return html`<ul class="files" key=${at}><${FileChip} part=${part} fixed=${fixed} /></ul>`;
      })}
      ${live && message.state === "running" && empty && html`<p class="thinking" aria-hidden="true"><i></i><i></i><i></i></p>`}
    </div>
    ${message.error && html`<div class="error row" role="alert"><span class="grow" dir="auto">${message.error.message}</span>
      ${!fixed && html`<button type="button" class="button" onClick=${() => talk().then((m) => m.again(message))}>${icon("redo")}${t("Try again")}</button>`}</div>`}
    ${!live && html`<${Ending} message=${message} fixed=${fixed} />`}
    ${!live && html`<${Foot} message=${message} turns=${turns} fixed=${fixed} />`}`;
}

/** Whether nothing was said yet, and no tool asked for. @param {Message} message */
const wordless = (message) => !message.parts.some((part) => (part.type === "text" && part.text) || part.type === "tool");

/** Why an answer ends where it does, when it has no end of its own. @param {{message: Message, fixed?: boolean}} given */
function Ending({ message, fixed }) {
  const why = message.state === "stopped" ? t("You stopped it here.")
    : message.state === "interrupted" ? t("It was interrupted: the server or the model went away.")
    : message.cut ? t("It reached its longest.") : "";
  if (!why) return null;
  const act = (/** @type {string} */ label, /** @type {() => void} */ run) => html`<button type="button" class="button" onClick=${run}>${label}</button>`;
  return html`<p class="ending"><span class="faint">${why}</span>${!fixed && (wordless(message) // then there is nothing to go on from
    ? act(t("Answer again"), () => talk().then((m) => m.again(message)))
    : message.conversation && act(t("Continue"), () => talk().then((m) => m.goOn(message))))}</p>`;
}

/** @param {{message: Message}} given */
function Acts({ message }) {
  const ask = (/** @type {string} */ model) => talk().then((m) => m.again(message, [model]));
  const others = () => {
    const list = allowed().filter(({ id }) => id !== message.model);
    const all = async () => {
      const picked = await (await import("./picker.js")).pickOne(t("Ask another model the same"));
      if (picked) ask(picked);
    };
    return [{ heading: t("Ask another model the same") }, ...list.slice(0, 8).map((model) => ({ label: model.id, note: model.maker, run: () => ask(model.id) })),
      list.length > 8 && { label: t("All models"), run: all }, !list.length && { label: t("There is no other model here"), run: () => {} }];
  };
  return html`<span class="acts"><${IconButton} icon="copy" label=${t("Copy")} run=${() => copy(textOf(message))} />
    <${IconButton} icon="redo" label=${t("Answer again")} run=${() => ask(message.model)} />
    <${Menu} icon="columns" label=${t("Ask another model the same")} items=${others} /></span>`;
}

// ---- parts

const seen = new Map();
/** @type {Element[]} */
const due = [];
let busy = false;
/** Markdown far from the eye is rendered when one comes near, one piece a frame. */
const near = globalThis.IntersectionObserver && new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) due.push(target);
  if (!busy && due.length) work();
}, { rootMargin: "150% 0px" });

function work() {
  const node = due.pop(); // the latest is where the reader is
  const run = node && seen.get(node);
  if (node) forget(node);
  run?.();
  busy = due.length > 0;
  if (busy) requestAnimationFrame(work);
}

/** @param {Element} node */
function forget(node) {
  near?.unobserve(node);
  seen.delete(node);
}

/** Lets Markdown be drawn where the text stood as it was written; its height is held until that is done.
 * @param {any} node @param {string} text @param {boolean} whole */
function draw(node, text, whole) {
  node.style.minBlockSize = `${node.offsetHeight}px`;
  node.replaceChildren();
  node.set(text);
  const free = () => (node.style.minBlockSize = "");
  if (whole) node.finish().then(free);
  else setTimeout(free, 500);
}

/** What a model wrote. @param {{id: string, at: number, text: string, live: boolean}} given */
function Words({ id, at, text, live }) {
  const box = useRef(/** @type {any} */ (null));
  const shown = useRef("");
  const plain = useRef(true); // it stands there as it was written: far from the eye, or Markdown is not loaded
  const alive = useRef(live);
  alive.current = live;
  const render = () => customElements.whenDefined("fh-markdown").then(() => {
    if (!plain.current || !box.current?.isConnected) return;
    plain.current = false;
    draw(box.current, shown.current, !alive.current);
  });
  useLayoutEffect(() => {
    const node = box.current;
    if (shown.current !== text) {
      drop(id); // what waits for its frame is in the text
      shown.current = text;
      if (plain.current) node.textContent = text;
      else node.set(text);
    }
    if (live) render();
    else if (!plain.current) node.finish();
    else if (near) {
      seen.set(node, render);
      near.observe(node);
    } else render();
    return () => forget(node);
  }, [text, live]);
  useLayoutEffect(() => (live ? watch(id, at, (piece) => {
    shown.current += piece;
    box.current?.append(piece); // an element's own way until Markdown takes its place
  }, () => !plain.current) : undefined), [id, at, live]);
  return html`<fh-markdown class="words" dir="auto" ref=${box}></fh-markdown>`;
}

/** What a model thought. @param {{id: string, at: number, text: string, live: boolean, thinking: boolean}} given */
function Reasoning({ id, at, text, live, thinking }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    if (box.current && box.current.textContent !== text) {
      drop(id);
      box.current.textContent = text;
    }
  }, [text]);
  useLayoutEffect(() => (live ? watch(id, at, (piece) => box.current?.append(piece)) : undefined), [id, at, live]);
  return html`<details class="fold reasoning"><summary>${icon("forward")}${thinking ? t("Thinking…") : t("Its thoughts")}</summary>
    <p class="said" dir="auto" ref=${box}></p></details>`;
}

/** @param {{part: ToolPart, message: Message, fixed?: boolean}} given */
function Tool({ part, message, fixed }) {
  const words = { asked: t("may it?"), running: t("running"), done: t("done"), failed: t("failed"), refused: t("refused") };
  const allow = (/** @type {"once" | "always" | "no"} */ how) => talk().then((m) => m.approve(message, part.id, how));
  const asks = part.state === "asked" && LIVE.includes(message.state) && !fixed;
  const name = part.server ? `${part.server} · ${part.name}` : part.name;
  if (asks) {
    return html`<section class="card asking" aria-label=${t("A tool asks for leave")}>
      <p>${icon("tool")}<span>${t("The model would like to use {tool}, with this:", { tool: name })}</span></p>
      <pre tabindex="0" dir="auto">${pretty(part.arguments)}</pre>
      <div class="row"><button type="button" class="button primary" onClick=${() => allow("once")}>${t("Allow once")}</button>
        <button type="button" class="button" onClick=${() => allow("always")}>${t("Always allow")}</button>
        <button type="button" class="button quiet" onClick=${() => allow("no")}>${t("No")}</button></div></section>`;
  }
  return html`<details class="fold tool"><summary>${icon("forward")}${icon("tool")}<span class="truncate" dir="auto">${name}</span>
      ${part.state === "running" ? html`<span class="spinner"></span>` : ""}<span class=${part.state === "failed" ? "badge bad" : "faint"}>${words[part.state]}</span></summary>
    <h3>${t("Asked with")}</h3><pre tabindex="0" dir="auto">${pretty(part.arguments)}</pre>
    ${part.result && html`<h3>${t("Came back")}</h3><pre tabindex="0" dir="auto">${part.result}</pre>`}</details>`;
}

/** @param {string} json */
function pretty(json) {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json; // a model's JSON is not always one
  }
}

/** @param {{part: FilePart, fixed?: boolean}} given */
function FileChip({ part, fixed }) {
  const [broken, setBroken] = useState(false);
  const ways = /** @type {Record<string, string>} */ ({ whole: t("whole"), passages: t("the passages that fit"), image: t("as an image"), none: t("not read") });
  const href = part.data_url ?? `/api/files/${encodeURIComponent(part.file)}`; // a shared picture brings its bytes along
  if (fixed && part.data_url && !broken) {
    return html`<li class="picture"><img src=${href} alt=${part.name} onError=${() => setBroken(true)} /></li>`;
  }
  if (part.media.startsWith("image/") && !broken && !fixed) {
    return html`<li class="picture"><a href=${href} target="_blank" rel="noopener noreferrer"><img src=${href} alt=${part.name} loading="lazy" onError=${() => setBroken(true)} /></a></li>`;
  }
  const tokens = part.tokens ? plural(part.tokens, "{n} token", "{n} tokens") : "";
  const about = part.note || listed([ways[part.mode] ?? "", tokens]) || size(part.bytes); // the note says the way, and more
  const inside = html`${icon("file")}<span class="grow"><span class="truncate" dir="auto">${part.name}</span><span class="small faint" dir="auto">${about}</span></span>`;
  return html`<li>${fixed ? html`<span class="file-chip">${inside}</span>` : html`<a class="file-chip" href=${href} download=${part.name}>${inside}</a>`}</li>`;
}

// ---- facts

/** Who made it and what it took, in one line that opens; the other versions; what can be done.
 * @param {{message: Message, turns: Turns, fixed?: boolean}} given */
function Foot({ message, turns, fixed }) {
  const { facts, origin } = message;
  const [open, setOpen] = useState(false);
  const model = message.model || facts?.asked || "";
  const from = { chatgpt: "ChatGPT", claude: "Claude", openwebui: "Open WebUI", librechat: "LibreChat" }[origin] ?? origin;
  const cost = facts?.cost && Number(facts.cost) > 0 ? money(facts.cost, facts.currency) : "";
  const line = listed([model, facts?.maker, cost, facts?.total_ms ? duration(facts.total_ms) : "", from && t("from {source}", { source: from })], " · ");
  return html`<div class="foot">
    ${facts ? html`<button type="button" class="facts-line" aria-expanded=${open} onClick=${() => setOpen(!open)}>${line}
        <span class=${open ? "chevron open" : "chevron"}>${icon("down")}</span></button>`
      : html`<span class="facts-line">${line}</span>`}
    <${Steps} turns=${turns} />${!fixed && html`<${Acts} message=${message} />`}
    ${open && facts && html`<${Table} message=${message} facts=${facts} />`}</div>`;
}

/** @param {import("./types.js").Facts} facts */
function keeping({ saw, retention, trains }) {
  if (!saw?.length) return "";
  const days = retention == null ? t("nobody says for how long") : retention ? plural(retention, "{n} day", "{n} days") : t("not at all");
  return listed([days, trains === "no" && t("not trained with"), trains === "yes" && t("models are trained with it")]);
}

/** @param {{by: string, category: string, severity: number, action: string, dry: boolean}} one */
function ruling(one) {
  const by = one.by === "vendor" ? t("the vendor") : one.by.replace("deployment:", "");
  const words = t("{category}: {action} ({by})", { category: one.category, action: one.action, by });
  return one.dry ? t("{what}, on trial only", { what: words }) : words;
}

/** @param {{message: Message, facts: import("./types.js").Facts}} given */
function Table({ message, facts }) {
  const own = modelOf(message.model)?.own;
  const tokens = [plural(facts.input, "{n} in", "{n} in"), facts.cached ? plural(facts.cached, "{n} of them cached", "{n} of them cached") : "",
    plural(facts.output, "{n} out", "{n} out"), facts.reasoning ? plural(facts.reasoning, "{n} thinking", "{n} thinking") : ""];
  const cost = facts.cost === null ? t("not known") : Number(facts.cost) ? money(facts.cost, facts.currency) : t("nothing");
  const rate = facts.total_ms && facts.first_ms !== null && facts.total_ms > facts.first_ms ? facts.output / ((facts.total_ms - facts.first_ms) / 1000) : 0;
  /** @type {[string, any][]} */
  const rows = [
    [t("Made by"), facts.maker],
    [t("Sold by"), facts.seller === "own" ? "" : facts.seller],
    [t("Hosted by"), own || facts.host === "own" ? t("your own machines") : facts.host],
    [t("Region"), facts.region],
    [t("Contract"), facts.contract],
    [t("Words seen by"), facts.saw?.length ? listed(facts.saw) : own || facts.host === "own" ? t("nobody outside") : ""],
    [t("Kept there"), keeping(facts)],
    [t("Class of data"), facts.data_class],
    [t("Taken out before"), listed(Object.entries(facts.redactions ?? {}).map(([kind, times]) => `${kind} × ${number(times)}`))],
    [t("Decided"), listed((facts.verdicts ?? []).map(ruling))],
    [t("Model asked"), facts.asked],
    [t("Model sent"), facts.sent],
    [t("Model answered"), facts.answered],
    [t("Tokens"), listed(tokens) + (facts.estimated ? ` (${t("estimated")})` : "")],
    [t("Cost"), cost],
    [t("First token"), facts.first_ms ? duration(facts.first_ms) : ""],
    [t("In all"), facts.total_ms ? listed([duration(facts.total_ms), rate && t("{n} tokens a second", { n: number(rate, { maximumFractionDigits: 1 }) })]) : ""],
    [t("Calls"), facts.calls > 1 ? number(facts.calls) : ""],
    [t("Left out"), listed([...(facts.dropped ?? []), facts.note])],
    [t("Call"), facts.call && (["owner", "admin", "auditor"].includes(session.member?.role ?? "")
      ? html`<a href=${`/console/ledger/${encodeURIComponent(facts.call)}`}>${facts.call}</a>` : html`<code>${facts.call}</code>`)],
  ];
  return html`<dl class="facts">${rows.filter(([, value]) => value).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd><bdi>${value}</bdi></dd></div>`)}</dl>`;
}
