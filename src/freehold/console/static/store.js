// What the page knows at this moment, and the tree of the open conversation. Refuses to know how it looks or how it is fetched.

import { useEffect, useReducer, useRef } from "./vendor/preact.mjs";

/** @typedef {import("./types.js").Message} Message @typedef {import("./types.js").Conversation} Conversation */
/** @typedef {import("./types.js").Model} Model @typedef {import("./types.js").Project} Project */

export const state = {
  /** @type {Model[]} */ models: [],
  /** @type {Conversation[]} */ conversations: [],
  more: false, // older conversations than these
  /** @type {Project[]} */ projects: [],
  /** @type {import("./types.js").Assistant[]} */ assistants: [],
  /** @type {import("./types.js").ToolServer[]} */ tools: [],
  /** @type {import("./types.js").Route} */ route: { name: "chat", id: "", project: "", assistant: "", temporary: false, message: "" },
  /** @type {import("./types.js").Open | null} */ open: null,
  /** @type {any} */ beside: null, // what of the talk is opened beside it
  /** What a new chat will be asked with. */
  /** @type {string[]} */ chosen: [],
  /** @type {string[]} */ armed: [], // tool servers
  online: navigator.onLine,
  /** @type {"open" | "shut"} */ side: "open",
};

/** @type {Set<() => void>} */
const listeners = new Set();

/** Takes new values, and tells whoever shows them. @param {Partial<typeof state>} values */
export function change(values) {
  Object.assign(state, values);
  for (const listener of [...listeners]) listener();
}

/** Changes what is open; a new object each time, so that it is seen. @param {Partial<import("./types.js").Open>} values */
export function changeOpen(values) {
  if (state.open) change({ open: { ...state.open, ...values } });
}

/** A part of the state, and a new rendering when it is another one. @template T @param {(now: typeof state) => T} select @returns {T} */
export function useStore(select) {
  const [, again] = useReducer((/** @type {number} */ n) => n + 1, 0);
  const chosen = useRef(select);
  const seen = useRef(/** @type {T | undefined} */ (undefined));
  chosen.current = select;
  seen.current = select(state);
  useEffect(() => {
    const listener = () => {
      if (!same(seen.current, chosen.current(state))) again(0);
    };
    listeners.add(listener);
    listener(); // what changed between the rendering and now
    return () => void listeners.delete(listener);
  }, []);
  return seen.current;
}

/** Equal, or arrays of equal things. @param {unknown} a @param {unknown} b */
function same(a, b) {
  if (Object.is(a, b)) return true;
  return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => Object.is(item, b[index]));
}

/** Puts a conversation into the list, where its time belongs. @param {Conversation} fresh */
export function keepConversation(fresh) {
  const others = state.conversations.filter(({ id }) => id !== fresh.id);
  const conversations = fresh.archived ? others : [...others, fresh].sort((a, b) => b.updated_at - a.updated_at);
  const open = state.open?.id === fresh.id ? { ...state.open, conversation: fresh } : state.open;
  change({ conversations, open });
}

/** @param {string} id */
export function dropConversation(id) {
  change({ conversations: state.conversations.filter((one) => one.id !== id) });
}

/** The models that the next question goes to; those that are there no more are left out, and a temporary chat asks one. @returns {string[]} */
export function models() {
  const wanted = state.open?.conversation?.models.length ? state.open.conversation.models : state.chosen;
  const may = allowed();
  const known = wanted.filter((id) => may.some((model) => model.id === id));
  if (known.length) return state.route.temporary ? known.slice(0, 1) : known;
  const first = may.find(({ own }) => own) ?? may[0];
  return first ? [first.id] : [];
}

/** The assistant in force, if there is one. */
export function assistant() {
  const id = state.open?.conversation ? state.open.conversation.assistant : state.route.assistant;
  return id ? state.assistants.find((one) => one.id === id) ?? null : null;
}

/** The models that may be chosen here: an assistant can leave fewer. @returns {Model[]} */
export function allowed() {
  const bound = assistant()?.models ?? [];
  return bound.length ? state.models.filter(({ id }) => bound.includes(id)) : state.models;
}

/** @param {string} id */
export function modelOf(id) {
  return state.models.find((model) => model.id === id) ?? null;
}

/** Whether an answer of what is open is being made. */
export function running() {
  for (const message of state.open?.messages.values() ?? []) if (message.state === "running" || message.state === "waiting") return true;
  return false;
}

// ---- the tree

/** The children of each message, oldest first; roots are under "". @param {Map<string, Message>} messages */
export function children(messages) {
  /** @type {Map<string, Message[]>} */
  const found = new Map();
  for (const message of messages.values()) {
    if (message.state === "queued") continue;
    const parent = message.parent && messages.has(message.parent) ? message.parent : "";
    const list = found.get(parent);
    if (list) list.push(message);
    else found.set(parent, [message]);
  }
  return found;
}

/** The newest end below a message. @param {Map<string, Message[]>} below @param {string} id */
export function leafUnder(below, id) {
  const passed = new Set([id]);
  for (;;) {
    const next = below.get(id)?.at(-1);
    if (!next || passed.has(next.id)) return id;
    id = next.id;
    passed.add(id);
  }
}

/** The branch that goes through `leaf` to its newest end: for each step the message, its variants (one for each group of answers), and the answers
 * that were asked beside it. A leaf that is unknown means the newest end.
 * @param {Map<string, Message>} messages @param {string | null} leaf
 * @returns {{message: Message, variants: Message[], at: number, beside: Message[]}[]} */
export function branch(messages, leaf) {
  const below = children(messages);
  let id = leafUnder(below, leaf && messages.has(leaf) ? leaf : "");
  const steps = [];
  const passed = new Set();
  while (id && !passed.has(id)) {
    passed.add(id);
    const message = messages.get(id);
    if (!message) break;
    const parent = message.parent && messages.has(message.parent) ? message.parent : "";
    const siblings = (below.get(parent) ?? []).filter(({ role }) => role === message.role);
    const same = (/** @type {Message} */ one) => one.id === message.id || (one.group !== null && one.group === message.group);
    const beside = message.role === "assistant" && message.group ? siblings.filter(same) : [];
    const variants = siblings.filter((one, index) => same(one)
      ? one.id === message.id
      : one.group === null || siblings.findIndex(({ group }) => group === one.group) === index);
    if (message.role !== "system") steps.push({ message, variants, at: variants.indexOf(message), beside: beside.length > 1 ? beside : [] });
    id = parent;
  }
  return steps.reverse();
}

/** What a message says, as one text. @param {Message} message */
export function textOf(message) {
  return message.parts.map((part) => (part.type === "text" ? part.text : "")).filter(Boolean).join("\n\n");
}

// ---- this browser's own memory: drafts and the last choice

/** @param {string} name @returns {any} */
export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(`freehold.${name}`) ?? "null");
  } catch {
    return null; // a private window, or somebody else's value
  }
}

/** @param {string} name @param {unknown} value null forgets */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`freehold.${name}`);
    else localStorage.setItem(`freehold.${name}`, JSON.stringify(value));
  } catch {
    // full, or not allowed: then it is for this page only
  }
}
