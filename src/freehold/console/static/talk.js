// What one does in a conversation: open, send, stop, branch, choose. Knows the API of conversations; refuses to know how they look.

import { call, DoorError, events } from "./door.js";
import { t } from "./i18n.js";
import { go } from "./app.js";
import { branch, change, changeOpen, children, keepConversation, leafUnder, models, running, state } from "./store.js";
import { announce, toast } from "./ui.js";
import { drop, grow } from "./live.js";

/** @typedef {import("./types.js").Message} Message @typedef {import("./types.js").Open} Open */

const HIDDEN = 60_000; // ms after which a page that nobody sees lets its stream go, when nothing runs

/** @type {{close: () => void} | null} */
let stream = null;
let reading = false;

/** @param {string} id @param {Partial<Open>} values @returns {Open} */
function fresh(id, values) {
  return { id, conversation: null, messages: new Map(), queue: [], sending: [], temporary: false, state: "ready", problem: "", link: "", leaf: null, ...values };
}

/** Opens a conversation of the server's; "" is a new one. @param {string} id @param {boolean} [temporary] */
export function open(id, temporary = false) {
  stream?.close();
  stream = null;
  if (state.open?.temporary) import("./temporary.js").then((m) => m.endTemporary()); // leaving ends it
  if (temporary) return change({ open: fresh("", { temporary }) });
  if (!id) return change({ open: null });
  const known = state.conversations.find((one) => one.id === id) ?? null;
  change({ open: fresh(id, { conversation: known, leaf: known?.leaf ?? null, state: "loading" }) });
  read(id);
  attach(id);
}

/** Reads the whole of what is open, and keeps what the stream brought meanwhile. @param {string} id */
async function read(id) {
  if (reading) return;
  reading = true;
  try {
    const { conversation, messages, queue } = await call("GET", `/api/conversations/${encodeURIComponent(id)}`);
    if (state.open?.id !== id) return;
    for (const message of messages) put(message, true);
    keepConversation(conversation);
    changeOpen({ state: "ready", conversation, queue, leaf: state.open.leaf ?? conversation.leaf, messages: state.open.messages });
  } catch (error) {
    if (state.open?.id !== id) return;
    const missing = error instanceof DoorError && error.status === 404;
    if (state.open.state === "loading") changeOpen({ state: missing ? "missing" : "failed", problem: error instanceof Error ? error.message : "" });
  } finally {
    reading = false;
    if (state.open && state.open.id !== id && state.open.state === "loading") read(state.open.id);
  }
}

const live = (/** @type {Message} */ message) => message.state === "running" || message.state === "waiting";

/** Takes a message in. An older copy than ours (of a reading that was under way) is passed over.
 * @param {Message} message @param {boolean} [perhapsOlder] */
function put(message, perhapsOlder = false) {
  const map = state.open?.messages;
  if (!map) return;
  const ours = map.get(message.id);
  if (ours && perhapsOlder && (ours.n > message.n || (ours.n === message.n && live(message) && !live(ours)))) return;
  drop(message.id); // pieces that wait for their frame are in it
  map.set(message.id, message);
  if (ours && live(ours) && !live(message)) announce(message.state === "failed" ? t("The answer failed") : t("Answer ready"));
}

/** @param {string} id */
function attach(id) {
  let lost = false;
  const here = (/** @type {(data: any) => void} */ run) => (/** @type {any} */ data) => state.open?.id === id && run(data);
  stream = events(`/api/conversations/${encodeURIComponent(id)}/events`, {
    attached: here(() => {
      if (state.open?.state === "ready" && (lost || running())) read(id);
      lost = false;
      if (state.open?.link) changeOpen({ link: "" });
    }),
    lost: here(() => {
      lost = true;
      changeOpen({ link: "lost" });
    }),
    message: here(({ message }) => {
      put(message);
      changeOpen({});
      const orphan = message.parent && !state.open?.messages.has(message.parent);
      if (orphan && state.open?.state === "ready") read(id); // another tab asked, and its question is not here yet
    }),
    delta: here((piece) => delta(piece, () => read(id))),
    conversation: here(({ conversation }) => {
      if (conversation.leaf !== state.open?.conversation?.leaf) changeOpen({ leaf: conversation.leaf });
      keepConversation(conversation);
    }),
    queue: here(({ queue }) => changeOpen({ queue })),
    removed: here((gone) => {
      state.open?.messages.delete(gone.id);
      changeOpen({ queue: state.open?.queue.filter((one) => one.id !== gone.id) });
    }),
  });
}

/** A piece of an answer. @param {{message: string, n: number, kind: "text" | "reasoning", text: string}} piece @param {() => void} missed */
function delta(piece, missed) {
  const message = state.open?.messages.get(piece.message);
  if (!message || piece.n > message.n + 1) return missed();
  if (piece.n <= message.n) return;
  message.n = piece.n;
  for (let at = message.parts.length - 1; at >= 0; at--) {
    const part = message.parts[at];
    if (part?.type !== piece.kind) continue;
    part.text += piece.text;
    return grow(message.id, at, piece.text);
  }
  const parts = [...message.parts, { type: piece.kind, text: piece.text }];
  state.open?.messages.set(message.id, { ...message, parts });
  changeOpen({});
}

document.addEventListener("visibilitychange", () => {
  const id = state.open?.conversation?.id;
  if (!id) return;
  if (document.visibilityState === "visible") {
    if (stream) return;
    read(id);
    attach(id);
  } else {
    setTimeout(() => {
      if (document.visibilityState !== "hidden" || running()) return;
      stream?.close(); // a browser has six connections for all its tabs
      stream = null;
    }, HIDDEN);
  }
});

// ---- turns

/** A name that no other turn has; crypto.randomUUID is there on https alone. */
function unique() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The last message of the branch that is shown. */
function end() {
  const now = state.open;
  return now ? branch(now.messages, now.leaf).at(-1)?.message.id ?? null : null;
}

/** @param {{message?: Message, answers: Message[], queued?: boolean}} given */
function take({ message, answers, queued }) {
  // What the stream brought meanwhile is newer: it says already how the files went along.
  const fresh = (/** @type {Message} */ one) => !state.open?.messages.has(one.id);
  if (message && queued) {
    if (fresh(message)) changeOpen({ queue: [...(state.open?.queue ?? []).filter(({ id }) => id !== message.id), message] });
    return;
  }
  for (const one of [message, ...answers]) if (one && fresh(one)) put(one);
  changeOpen({ leaf: answers[0]?.id ?? message?.id ?? null });
  if (answers.length) announce(t("The answer is being written"));
}

/** Waits until the conversation of the address is here: only then is it known where it ends, and which models it asks. */
async function settled() {
  const { id } = state.route;
  if (!id) return;
  if (state.open?.id !== id) open(id);
  while (state.open?.id === id && state.open.state === "loading") await new Promise((resolve) => setTimeout(resolve, 30));
  if (state.open?.state === "missing") throw new Error(t("This conversation is not here"));
  if (state.open?.state === "failed") throw new Error(state.open.problem || t("It could not be read"));
}

/** Sends a new turn at the end of the branch; a new chat becomes a conversation. @param {string} text @param {import("./types.js").File[]} files */
export async function send(text, files) {
  if (state.route.temporary) {
    const { sendTemporary } = await import("./temporary.js");
    return sendTemporary(text, files, models()[0] ?? "");
  }
  await settled();
  const asked = models();
  const key = unique();
  const first = !state.open;
  if (first) change({ open: fresh("", {}) });
  const sending = { key, text, files };
  changeOpen({ sending: [...(state.open?.sending ?? []), sending] });
  const done = () => changeOpen({ sending: state.open?.sending.filter((one) => one.key !== key) });
  let id = state.open?.conversation?.id ?? "";
  try {
    if (!id) {
      const { project, assistant } = state.route;
      const made = await call("POST", "/api/conversations", {
        models: asked, tools: state.armed, ...(project ? { project } : {}), ...(assistant ? { assistant } : {}),
      });
      id = made.id;
      keepConversation(made);
      changeOpen({ id, conversation: made });
      go(`/c/${id}`);
      attach(id);
    }
    const answer = await call("POST", `/api/conversations/${id}/turns`, {
      id: key, parent: end(), text, files: files.map((file) => file.id), models: asked,
    });
    if (state.open?.id !== id) return;
    done();
    take(answer);
  } catch (error) {
    if (state.open?.id === id) done();
    if (first && !id) change({ open: null });
    throw error;
  }
}

/** Runs an act of the reader's, and says in words when it fails. @param {() => Promise<any>} act @returns {Promise<boolean>} */
async function tried(act) {
  try {
    await act();
    return true;
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error));
    return false;
  }
}

/** The same question in other words: a branch of its own. @param {Message} message @param {string} text @param {string[]} files @returns {Promise<unknown>} */
export function edit(message, text, files) {
  if (state.open?.temporary) return import("./temporary.js").then((m) => m.editTemporary(message, text));
  return tried(async () => take(await call("POST", `/api/conversations/${message.conversation}/turns`, {
    id: unique(), parent: message.parent, text, files, models: models(), replace: message.id,
  })));
}

/** Another answer to the same question. @param {Message} answer @param {string[]} [asked] @returns {Promise<unknown>} */
export function again(answer, asked) {
  if (state.open?.temporary) return import("./temporary.js").then((m) => m.againTemporary(answer, asked?.[0]));
  const which = asked ?? [answer.model || models()[0] || ""];
  return tried(async () => take(await call("POST", `/api/messages/${answer.parent}/answers`, { models: which })));
}

/** @param {Message} answer */
export function goOn(answer) {
  return tried(async () => {
    const { message } = await call("POST", `/api/messages/${answer.id}/continue`);
    put(message, true);
    changeOpen({});
  });
}

/** Stops all that is being answered here. */
export async function stopAll() {
  if (state.open?.temporary) return (await import("./temporary.js")).stopTemporary();
  const going = [...(state.open?.messages.values() ?? [])].filter(live);
  await tried(() => Promise.all(going.map(async ({ id }) => put(await call("POST", `/api/messages/${id}/stop`), true))));
  changeOpen({});
}

/** @param {Message} message @param {string} tool @param {"once" | "always" | "no"} allow */
export function approve(message, tool, allow) {
  return tried(() => call("POST", `/api/messages/${message.id}/tools/${encodeURIComponent(tool)}`, { allow }));
}

/** @param {Message} queued @param {string | null} text null takes it out */
export function requeue(queued, text) {
  const path = `/api/messages/${queued.id}`;
  return tried(async () => {
    await (text === null ? call("DELETE", path) : call("PATCH", path, { text }));
    const rest = (state.open?.queue ?? []).filter(({ id }) => id !== queued.id);
    if (text === null) changeOpen({ queue: rest });
  });
}

/** Whether the queue waits for the reader: the answer before it was stopped or failed. @param {Open} open */
export function held(open) {
  const state = open.messages.get(open.conversation?.leaf ?? "")?.state ?? "";
  return open.queue.length > 0 && ["stopped", "failed"].includes(state) && !running();
}

/** Sends what is held back. @param {Message} queued */
export function sendNow(queued) {
  return tried(async () => {
    const answer = await call("POST", `/api/messages/${queued.id}/send`);
    if (answer.queued) return;
    changeOpen({ queue: state.open?.queue.filter(({ id }) => id !== queued.id) });
    take(answer);
  });
}

/** Shows the branch that goes through this message, and lets it go on there. @param {string} through @param {boolean} [exactly] */
export function choose(through, exactly = false) {
  const now = state.open;
  if (!now) return;
  const leaf = exactly ? through : leafUnder(children(now.messages), through);
  changeOpen({ leaf });
  if (!now.temporary) tried(() => call("PATCH", `/api/conversations/${now.id}`, { leaf }));
}

// ---- conversations

/** Changes a conversation, at once here and then there. @param {string} id @param {Partial<import("./types.js").Conversation>} values */
export async function patch(id, values) {
  const before = state.conversations.find((one) => one.id === id) ?? state.open?.conversation ?? null;
  if (before?.id === id) keepConversation({ ...before, ...values });
  const done = await tried(async () => keepConversation(await call("PATCH", `/api/conversations/${id}`, values)));
  if (!done && before?.id === id) keepConversation(before);
}
