// The conversation as it is read: its branch, step by step, and where the reader is in it. Refuses to know how an answer comes.

import { Component, html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact.mjs";
import { t } from "./i18n.js";
import { branch, changeOpen, state, textOf, useStore } from "./store.js";
import { copy, icon, IconButton, useFocus } from "./ui.js";
import * as talk from "./talk.js";
import { Answer, Question } from "./message.js";

/** @typedef {import("./types.js").Message} Message @typedef {{message: Message, variants: Message[], at: number, beside: Message[]}} Step */

const FIRST = 24; // steps that are drawn at once; the earlier ones follow when there is time
const CHUNK = 16;
const NEAR = 64; // px from the end that count as at the end

import("./markdown.js").catch(() => {}); // without it, answers are read as they were written

export function Thread() {
  const open = useStore((now) => now.open);
  const steps = open ? branch(open.messages, open.leaf) : [];
  const [drawn, setDrawn] = useState({ id: "", n: FIRST });
  const shown = drawn.id === open?.id ? drawn.n : FIRST;
  const setShown = (/** @type {number} */ n) => setDrawn({ id: open?.id ?? "", n });
  const { box, away, toEnd } = useEnd(open?.id ?? "");
  const from = Math.max(0, steps.length - shown);
  useEarlier(from, box, () => setShown(shown + CHUNK));
  useTarget(open, steps, () => setShown(steps.length));
  if (!open || open.state === "loading") return html`<div class="scroller"><p class="waiting" role="status">
    <span class="spinner"></span><span class="visually-hidden">${t("Loading")}</span></p></div>`;
  if (open.state !== "ready") return html`<${Nothing} missing=${open.state === "missing"} problem=${open.problem} id=${open.id} />`;
  return html`<div class="scroller" ref=${box} role="region" aria-label=${t("Conversation")} tabindex="-1">
      <ol class="thread" role="list">
        ${steps.slice(from).map((step, index) => html`<${Turn} key=${step.beside.length ? step.message.group : step.message.id} step=${step} last=${from + index === steps.length - 1} />`)}
        ${open.sending.map((one) => html`<li class="turn user sending" key=${one.key}><div class="bubble"><p class="said" dir="auto">${one.text}</p></div></li>`)}
        ${open.queue.map((one, index) => html`<${Queued} key=${one.id} message=${one} held=${talk.held(open)} first=${index === 0} />`)}
      </ol></div>
    ${away && html`<div class="to-end"><button type="button" class="icon-button" aria-label=${t("To the end")} title=${t("To the end")} onClick=${toEnd}>${icon("end")}</button></div>`}`;
}

/** One step: drawn again only when something of it is other. @extends {Component<{step: Step, last: boolean}>} */
class Turn extends Component {
  /** @param {{step: Step, last: boolean}} next */
  shouldComponentUpdate(next) {
    const [old, fresh] = [/** @type {any} */ (this).props.step, next.step];
    return old.message !== fresh.message || old.at !== fresh.at || old.variants.length !== fresh.variants.length || next.last !== /** @type {any} */ (this).props.last
      || old.beside.length !== fresh.beside.length || old.beside.some((/** @type {Message} */ one, /** @type {number} */ index) => one !== fresh.beside[index]);
  }

  /** @param {{step: Step, last: boolean}} given */
  render({ step, last }) {
    const { message, beside } = step;
    const turns = { at: step.at, of: step.variants.length, to: (/** @type {number} */ at) => talk.choose(step.variants[at]?.id ?? message.id) };
    if (message.role === "user") return html`<li class="turn user" id=${`m-${message.id}`}><${Question} message=${message} turns=${turns} /></li>`;
    if (!beside.length) return html`<li class=${last ? "turn assistant last" : "turn assistant"} id=${`m-${message.id}`}><${Answer} message=${message} turns=${turns} /></li>`;
    return html`<li class=${last ? "turn compared last" : "turn compared"} id=${`m-${message.id}`}>
      <div class="columns" role="group" ref=${toChosen} aria-label=${t("Answers side by side")} tabindex="0">${beside.map((one) => html`
        <section key=${one.id} class=${one.id === message.id ? "column chosen" : "column"} aria-label=${one.model}>
          <header><h2 class="truncate">${one.model}</h2>
            <button type="button" class="button quiet small" aria-pressed=${one.id === message.id} onClick=${() => talk.choose(one.id)}>
              ${one.id === message.id ? html`${icon("check")}${t("Goes on")}` : t("Go on with this")}</button></header>
          <${Answer} message=${one} turns=${null} headed=${true} /></section>`)}</div>
      ${step.variants.length > 1 && html`<${Steps} turns=${turns} />`}</li>`;
  }
}

/** Where there is room for one column only, it is the chosen one. @param {HTMLElement | null} box */
function toChosen(box) {
  if (!box || box.dataset.seen) return;
  box.dataset.seen = "1";
  const chosen = box.querySelector(".chosen");
  if (box.scrollWidth > box.clientWidth && chosen) box.scrollBy({ left: chosen.getBoundingClientRect().left - box.getBoundingClientRect().left });
}

/** ‹ 2/3 › @param {{turns: {at: number, of: number, to: (at: number) => void} | null}} given */
export function Steps({ turns }) {
  if (!turns || turns.of < 2) return null;
  const { at, of, to } = turns;
  return html`<span class="steps"><${IconButton} icon="back" label=${t("The version before")} disabled=${at === 0} run=${() => to(at - 1)} />
    <span aria-label=${t("Version {at} of {of}", { at: at + 1, of })} role="img">${at + 1}/${of}</span>
    <${IconButton} icon="forward" label=${t("The next version")} disabled=${at === of - 1} run=${() => to(at + 1)} /></span>`;
}

/** A message that waits for the answer before it; one that was stopped or failed holds it back. @param {{message: Message, held: boolean, first: boolean}} given */
function Queued({ message, held, first }) {
  const [editing, setEditing] = useState(false);
  const box = useFocus(editing);
  const save = (/** @type {any} */ event) => {
    event.preventDefault();
    const text = String(new FormData(event.target).get("text")).trim();
    setEditing(false);
    if (text) talk.requeue(message, text);
  };
  return html`<li class="turn user queued"><div class="bubble">
    <p class="small faint">${held ? t("Held back: the answer before it ended early") : t("Goes out after this answer")}</p>
    ${editing
      ? html`<form class="editing" onSubmit=${save}><textarea class="input" name="text" dir="auto" rows="3" ref=${box} aria-label=${t("Message")}>${textOf(message)}</textarea>
          <div class="row"><button class="button primary">${t("Keep")}</button><button type="button" class="button" onClick=${() => setEditing(false)}>${t("Cancel")}</button></div></form>`
      : html`<p class="said" dir="auto">${textOf(message)}</p>`}</div>
    ${!editing && html`<div class="acts">${held && first && html`<button type="button" class="button small" onClick=${() => talk.sendNow(message)}>${t("Send now")}</button>`}
      <${IconButton} icon="edit" label=${t("Edit")} run=${() => setEditing(true)} />
      <${IconButton} icon="trash" label=${t("Take it out")} run=${() => talk.requeue(message, null)} /></div>`}</li>`;
}

/** @param {{missing: boolean, problem: string, id: string}} given */
function Nothing({ missing, problem, id }) {
  return html`<div class="scroller"><div class="empty"><h1>${missing ? t("This conversation is not here") : t("It could not be read")}</h1>
    <p>${missing ? t("It was deleted, or it belongs to somebody else.") : problem}</p>
    ${missing ? html`<a class="button" href="/">${t("New chat")}</a>` : html`<button type="button" class="button" onClick=${() => talk.open(id)}>${t("Try again")}</button>`}</div></div>`;
}

/** Keeps to the end while the reader is there. @param {string} id of what is read */
function useEnd(id) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const held = useRef(true);
  const [away, setAway] = useState(false);
  const ready = useStore((now) => now.open?.state === "ready");
  const sent = useStore((now) => now.open?.sending.length ?? 0);
  const toEnd = () => {
    held.current = true;
    setAway(false);
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  };
  useLayoutEffect(() => {
    const node = box.current;
    const list = node?.firstElementChild;
    if (!node || !list) return;
    let top = node.scrollTop;
    const scrolled = () => {
      const atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < NEAR;
      if (atEnd) held.current = true;
      else if (node.scrollTop < top - 1) held.current = false;
      top = node.scrollTop;
      setAway(!held.current);
    };
    const grown = new ResizeObserver(() => {
      if (held.current) node.scrollTop = node.scrollHeight;
    });
    grown.observe(list);
    grown.observe(node);
    const unfolded = (/** @type {Event} */ event) => {
      if (event.target instanceof Element && event.target.closest("summary, .facts-line")) held.current = false; // its beginning is what is wanted
    };
    node.addEventListener("scroll", scrolled, { passive: true });
    node.addEventListener("click", unfolded);
    node.scrollTop = node.scrollHeight;
    return () => {
      grown.disconnect();
      node.removeEventListener("scroll", scrolled);
      node.removeEventListener("click", unfolded);
    };
  }, [id, ready]);
  useLayoutEffect(() => {
    if (sent) toEnd(); // who sends wants to see it
  }, [sent]);
  return { box, away, toEnd };
}

/** Draws the earlier steps when the browser has nothing else to do. @param {number} from @param {{current: HTMLElement | null}} box @param {() => void} more */
function useEarlier(from, box, more) {
  const height = useRef(0);
  useLayoutEffect(() => {
    const node = box.current;
    if (!node) return;
    // Where the browser does not hold the place by itself, what came above is scrolled by.
    if (!CSS.supports("overflow-anchor", "auto") && height.current) node.scrollTop += node.scrollHeight - height.current;
    height.current = 0;
    if (!from) return;
    const later = globalThis.requestIdleCallback ?? ((/** @type {() => void} */ run) => setTimeout(run, 50));
    const cancel = globalThis.cancelIdleCallback ?? clearTimeout;
    const order = later(() => {
      height.current = node.scrollHeight;
      more();
    });
    return () => cancel(order);
  }, [from]);
}

/** Goes to the message that the address names: a search found it. @param {import("./types.js").Open | null} open @param {Step[]} steps @param {() => void} all */
function useTarget(open, steps, all) {
  const wanted = useStore((now) => now.route.message);
  const ready = open?.state === "ready";
  useEffect(() => {
    if (!ready || !wanted || !open?.messages.has(wanted)) return;
    const there = steps.some(({ message, beside }) => message.id === wanted || beside.some(({ id }) => id === wanted));
    if (!there) changeOpen({ leaf: wanted }); // seen, not chosen: the conversation goes on where it did
    all();
    const timer = setTimeout(() => {
      const found = document.getElementById(`m-${wanted}`);
      found?.scrollIntoView({ block: "center" });
      found?.classList.add("found");
    }, 100);
    return () => clearTimeout(timer);
  }, [ready, wanted, open?.id]);
}

/** Copies the last answer, as it was written. */
export function copyLast() {
  const steps = state.open ? branch(state.open.messages, state.open.leaf) : [];
  const last = steps.reverse().find(({ message }) => message.role === "assistant");
  if (last) copy(textOf(last.message));
}
