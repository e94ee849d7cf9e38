// The way to the server: calls, streams of events, and who is signed in. Refuses to know any screen.

import { t } from "./i18n.js";

/** What GET /api/session last said. @type {import("./types.js").Session} */
export const session = { member: null, csrf: "", setup: false, code: false, password: true, oidc: [], version: "", home: null };

const SILENCE = 45_000; // ms: three heartbeats of the server
const LONGEST = 15_000; // ms between two tries

export class DoorError extends Error {
  /** @param {string} message @param {number} status 0: no answer at all @param {string} code @param {string} [param] what it concerns */
  constructor(message, status, code, param = "") {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

/** What is done when the session has ended: resolves once somebody is signed in again. Set by the page.
 * @type {{renew: null | (() => Promise<void>)}} */
export const expired = { renew: null };

/** @param {string} method @param {BodyInit | undefined} body @param {string} [type] @returns {RequestInit} */
function request(method, body, type) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json" };
  if (method !== "GET" && session.csrf) headers["x-freehold-csrf"] = session.csrf;
  if (type) headers["content-type"] = type;
  return { method, headers, body };
}

/** `fetch`, with a refusal of the network said in words. @param {string} path @param {RequestInit} options */
async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new DoorError(t("The server does not answer. Check the connection, then try again."), 0, "unreachable");
  }
}

/** The error that a response says. @param {{status: number, json: () => Promise<any>}} response @returns {Promise<DoorError>} */
export async function refusal(response) {
  try {
    const { error } = await response.json();
    return new DoorError(String(error.message), response.status, String(error.code ?? error.type ?? ""), String(error.param ?? ""));
  } catch {
    // no error object of ours: a proxy's page, say
    const text = t("Something between this page and the server answered {status}. Ask whoever runs it.", { status: response.status });
    return new DoorError(text, response.status, "foreign");
  }
}

/** One call of the API. After a 401 it asks to sign in, and tries once more.
 * @param {string} method @param {string} path @param {any} [body] JSON, or bytes as they are
 * @param {{signal?: AbortSignal, type?: string, keepalive?: boolean, quiet?: boolean}} [options] quiet: a 401 is an answer
 * @returns {Promise<any>} Raises DoorError. */
export async function call(method, path, body, options = {}) {
  const plain = body === undefined || body instanceof Blob || body instanceof ArrayBuffer || ArrayBuffer.isView(body);
  const sent = /** @type {BodyInit | undefined} */ (plain ? body : JSON.stringify(body));
  const type = options.type ?? (plain ? undefined : "application/json");
  const { signal, keepalive } = options;
  let response = await reach(path, { ...request(method, sent, type), signal, keepalive });
  if (response.status === 401 && expired.renew && !options.quiet) {
    await expired.renew();
    response = await reach(path, { ...request(method, sent, type), signal, keepalive });
  }
  if (response.status === 403 && !options.quiet && (await refusal(response.clone())).code === "csrf_failed") {
    await refresh(); // somebody signed in anew in another tab: this one has the session's old word
    response = await reach(path, { ...request(method, sent, type), signal, keepalive });
  }
  if (!response.ok) throw await refusal(response);
  if (response.status === 204) return null;
  return /json/.test(response.headers.get("content-type") ?? "") ? response.json() : response.text();
}

/** Asks who is signed in, and keeps the answer. @param {string} [method] @param {string} [path] @param {any} [body] */
export async function refresh(method = "GET", path = "/api/session", body = undefined) {
  Object.assign(session, await call(method, path, body, { quiet: true }));
  return session;
}

/** A stream of server-sent events that attaches itself again, by the id of the last event, until it is closed.
 * @param {string} path
 * @param {Record<string, (data: any, id: string) => void>} handlers by the event's name; besides: `attached()`, `lost(error)`
 *   after each break, `refused(error)` when trying again is of no use, `ended()` for a stream that is read once
 * @param {{after?: string, body?: any, once?: boolean}} [options] body: POST it; once: the end is the end
 * @returns {{close: () => void}} */
export function events(path, handlers, options = {}) {
  const ending = new AbortController();
  let last = options.after ?? "";
  let failures = 0;

  /** @param {AbortController} attempt */
  async function attach(attempt) {
    const sent = options.body === undefined ? request("GET", undefined) : request("POST", JSON.stringify(options.body), "application/json");
    const headers = { ...sent.headers, accept: "text/event-stream", ...(last ? { "last-event-id": last } : {}) };
    const response = await reach(path, { ...sent, headers, signal: attempt.signal, cache: "no-store" });
    if (response.status === 401 && expired.renew) {
      await expired.renew();
      throw new DoorError("", 0, "again");
    }
    if (!response.ok || !response.body) throw await refusal(response);
    failures = 0;
    handlers.attached?.(null, "");
    let heard = Date.now();
    const watch = setInterval(() => Date.now() - heard > SILENCE && attempt.abort(), SILENCE / 3);
    try {
      for await (const event of read(response.body)) {
        heard = Date.now();
        if (!event) continue; // a heartbeat
        if (event.id) last = event.id;
        handlers[event.name]?.(JSON.parse(event.data), event.id);
      }
    } finally {
      clearInterval(watch);
    }
  }

  (async () => {
    while (!ending.signal.aborted) {
      const attempt = new AbortController();
      const stop = () => attempt.abort();
      ending.signal.addEventListener("abort", stop);
      /** @type {unknown} */
      let problem = null;
      try {
        await attach(attempt);
      } catch (error) {
        problem = error;
      }
      ending.signal.removeEventListener("abort", stop);
      if (ending.signal.aborted) return;
      if (options.once) return problem ? handlers.refused?.(problem, "") : handlers.ended?.(null, "");
      if (problem instanceof DoorError && [400, 403, 404, 410].includes(problem.status)) return handlers.refused?.(problem, "");
      failures += 1;
      handlers.lost?.(problem, "");
      await pause(Math.min(LONGEST, 250 * 2 ** failures) * (0.75 + Math.random() / 2), ending.signal);
    }
  })();
  return { close: () => ending.abort() };
}

/** Waits, or until the network or the reader is back. @param {number} ms @param {AbortSignal} signal */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      document.removeEventListener("visibilitychange", seen);
      signal.removeEventListener("abort", done);
      resolve(null);
    };
    const seen = () => document.visibilityState === "visible" && done();
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    document.addEventListener("visibilitychange", seen);
    signal.addEventListener("abort", done);
  });
}

/** The events of a body; null for a comment. @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<{name: string, data: string, id: string} | null>} */
async function* read(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let [name, data, id] = ["message", "", ""];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const raw of lines) {
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if (line === "") {
          if (data) yield { name, data, id };
          [name, data, id] = ["message", "", ""];
        } else if (line[0] === ":") yield null;
        else if (line.startsWith("data:")) data += (data && "\n") + line.slice(line[5] === " " ? 6 : 5);
        else if (line.startsWith("event:")) name = line.slice(6).trim();
        else if (line.startsWith("id:")) id = line.slice(3).trim();
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // already broken
  }
}
