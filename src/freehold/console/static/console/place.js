// Where the console stands: the address, the person, and what the server says of a path. Refuses to know any screen.

import { useEffect, useReducer, useRef, useState } from "../vendor/preact.mjs";
import { call } from "../door.js";
import { t } from "../i18n.js";

/**
 * @typedef {{ status: number, code: string, message: string, param?: string | null }} Problem
 * @typedef {{ id: string, name: string, display: string, role: string }} Person
 * @typedef {{ data: any, error: Problem | null, loading: boolean, reload: () => Promise<void> }} Resource
 */

/** Who is signed in, and whether they may change things. Set once, before anything is drawn. */
export const me = {
  /** @type {Person | null} */
  member: null,
  version: "",
  get reads() {
    return ["owner", "admin", "auditor"].includes(this.member?.role ?? "");
  },
  get changes() {
    return ["owner", "admin"].includes(this.member?.role ?? "");
  },
};

/** @type {Set<() => void>} */
const watchers = new Set();
const tell = () => watchers.forEach((watcher) => watcher());
addEventListener("popstate", tell);

/**
 * Goes to an address of the console without a load.
 * @param {string} href
 * @param {{ replace?: boolean }} [how]
 */
export function go(href, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", href);
  tell();
}

/** The address as it stands; whoever asks is drawn again when it changes. */
export function useAddress() {
  const [, again] = useReducer((/** @type {number} */ n) => n + 1, 0);
  useEffect(() => {
    const watcher = () => again(undefined);
    watchers.add(watcher);
    return () => void watchers.delete(watcher);
  }, []);
  return { path: location.pathname.replace(/\/+$/, ""), query: new URLSearchParams(location.search) };
}

/**
 * The address with other values in its query; null and "" take one out.
 * @param {Record<string, string | null | undefined>} change
 */
export function withQuery(change) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  return location.pathname + (text ? `?${text}` : "");
}

/** Follows links of the console without a load, as long as nobody asks for a new tab. @param {MouseEvent} event */
export function follow(event) {
  const link = event.target instanceof Element && event.target.closest("a");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey
    || event.altKey) return;
  if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.pathname !== "/console" && !link.pathname.startsWith("/console/")) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

/** What a role is called. @param {string} name */
export function role(name) {
  return { owner: t("Owner"), admin: t("Administrator"), auditor: t("Auditor"), member: t("Member") }[name] ?? name;
}

/** Where one signs in and comes back from. */
export const signIn = () => `/?next=${encodeURIComponent(location.pathname + location.search)}`;

/** What came instead of an answer, as a Problem. @param {any} error @returns {Problem} */
export function problem(error) {
  return { status: error?.status ?? 0, code: error?.code ?? "", message: error?.message ?? String(error),
    param: error?.param ?? null };
}

/**
 * What a path answers, kept while it is asked again, so that nothing flickers.
 * @param {string | null} path  null: nothing is asked
 * @param {{ every?: number | null }} [how]  `every`: milliseconds after which it is asked again while somebody looks
 * @returns {Resource}
 */
export function useResource(path, { every = null } = {}) {
  const [state, setState] = useState({ path, data: /** @type {any} */ (null),
    error: /** @type {Problem | null} */ (null), loading: !!path });
  const turn = useRef(0);

  async function ask() {
    if (!path) return;
    const mine = (turn.current += 1);
    try {
      const data = await call("GET", path);
      if (mine === turn.current) setState({ path, data, error: null, loading: false });
    } catch (error) {
      if (mine === turn.current) setState((old) => ({ ...old, path, error: problem(error), loading: false }));
    }
  }
  useEffect(() => {
    setState((old) => ({ ...old, loading: !!path }));
    void ask();
    return () => void (turn.current += 1);
  }, [path]);
  useEffect(() => {
    if (!every || !path) return;
    const timer = setInterval(() => !document.hidden && void ask(), every);
    const seen = () => !document.hidden && void ask();
    document.addEventListener("visibilitychange", seen);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [path, every]);
  return { ...state, reload: ask };
}
