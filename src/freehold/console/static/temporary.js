// A chat that is kept nowhere but in this page. Knows its turns; refuses to store them.

import { events } from "./door.js";
import { t } from "./i18n.js";
import { branch, change, changeOpen, models, state, textOf } from "./store.js";
import { drop, grow } from "./live.js";
import { announce } from "./ui.js";

/** @typedef {import("./types.js").Message} Message */

/** @type {{close: () => void} | null} */
let stream = null;
let count = 0;

/** @param {Partial<Message>} values @returns {Message} */
function make(values) {
  return {
    id: `t${++count}`, conversation: "", parent: null, role: "user", parts: [], state: "done", model: "", group: null, facts: null,
    error: null, n: 0, created_at: Date.now(), origin: "", cut: false, ...values,
  };
}

/** @param {Message} message */
function put(message) {
  drop(message.id);
  state.open?.messages.set(message.id, message);
  changeOpen({});
}

/** @param {string} text @param {import("./types.js").File[]} files @param {string} model */
export async function sendTemporary(text, files, model) {
  if (!state.open?.temporary) change({ open: { id: "", conversation: null, messages: new Map(), queue: [], sending: [], temporary: true, state: "ready", problem: "", link: "", leaf: null } });
  const now = state.open;
  if (!now) return;
  const parent = branch(now.messages, now.leaf).at(-1)?.message.id ?? null;
  /** @type {import("./types.js").Part[]} */
  const given = files.map(({ id, name, media, bytes, note, tokens }) => ({
    type: "file", file: id, name, media, bytes, note, tokens, mode: media.startsWith("image/") ? "image" : "whole",
  }));
  const question = make({ parent, parts: [...given, { type: "text", text }] });
  put(question);
  ask(question, model);
}

/** @param {Message} question @param {string} model */
function ask(question, model) {
  const now = state.open;
  if (!now) return;
  stopTemporary();
  const answer = make({ role: "assistant", parent: question.id, state: "running", model });
  const before = branch(now.messages, question.id).map(({ message }) => message);
  const upTo = before.slice(0, before.indexOf(question) + 1);
  now.messages.set(answer.id, answer);
  changeOpen({ leaf: answer.id });
  announce(t("The answer is being written"));
  const messages = upTo.map((message) => ({
    role: message.role, text: textOf(message), files: message.parts.flatMap((part) => (part.type === "file" ? [part.file] : [])),
  }));
  const current = () => now.messages.get(answer.id) ?? answer;
  const end = (/** @type {Partial<Message>} */ values) => {
    const last = current();
    if (state.open?.messages !== now.messages || (last.state !== "running" && last.state !== "waiting")) return;
    put({ ...last, ...values });
    announce(values.state === "failed" ? t("The answer failed") : t("Answer ready"));
  };
  stream = events("/api/temporary", {
    message: ({ message }) => {
      if (message.role !== "assistant" || state.open?.messages !== now.messages) return;
      put({ ...message, id: answer.id, parent: question.id, conversation: "" });
      if (message.state === "done") announce(t("Answer ready"));
    },
    delta: (piece) => {
      const message = current();
      if (piece.n <= message.n) return;
      message.n = piece.n;
      const at = message.parts.findLastIndex((part) => part.type === piece.kind);
      const part = message.parts[at];
      if (part?.type === "text" || part?.type === "reasoning") {
        part.text += piece.text;
        grow(answer.id, at, piece.text);
      } else put({ ...message, parts: [...message.parts, { type: piece.kind, text: piece.text }] });
    },
    ended: () => end({ state: "interrupted" }),
    refused: (error) => end({ state: "failed", error: { code: error.code ?? "", message: error.message } }),
  }, { body: { messages, models: [model] }, once: true });
}

export function endTemporary() {
  stream?.close();
  stream = null;
}

export function stopTemporary() {
  endTemporary();
  for (const message of state.open?.messages.values() ?? []) if (message.state === "running") put({ ...message, state: "stopped" });
}

/** @param {Message} message @param {string} text */
export function editTemporary(message, text) {
  const files = message.parts.filter((part) => part.type === "file");
  const question = make({ parent: message.parent, parts: [...files, { type: "text", text }] });
  put(question);
  ask(question, models()[0] ?? "");
}

/** @param {Message} answer @param {string} [model] */
export function againTemporary(answer, model) {
  const question = answer.parent ? state.open?.messages.get(answer.parent) : null;
  if (question) ask(question, model ?? answer.model);
}
