// What the pages on who saw what call things, and where their numbers lead. Refuses to draw.

import { listed, t } from "../i18n.js";
import { day as told } from "./format.js";

/** @typedef {{ id: string, name: string, group: string, country: string }} Party */

/** What people call a party. @param {Party} party */
export const named = (party) => (party.id === "own" ? t("ourselves") : party.name);

/** As what parties saw words. @param {string[]} roles */
export const asWhat = (roles) => listed(roles.map((role) => ({ host: t("runs the service"), seller: t("sells it"),
  compute: t("owns the machines"), subprocessor: t("subprocessor") })[role] ?? role));

/** A class of data. @param {string} name */
export const className = (name) => ({ public: t("public"), internal: t("internal"), confidential: t("confidential"),
  personal: t("personal"), special: t("special category"), secret: t("secret") })[name] ?? (name || t("not classed"));

/** Why words were sent. @param {string} name */
export const purpose = (name) => ({ serve: t("to answer"), hedge: t("to answer, beside another"),
  shadow: t("to compare models"), judge: t("to judge answers"), moderate: t("to check the words"),
  embed: t("to make text searchable"), drill: t("to rehearse an outage") })[name] ?? name;

/** A day as 2026-11-24 in the reader's words. @param {string | null | undefined} iso */
export const dayName = (iso) => (iso ? told(new Date(`${iso}T12:00:00`).getTime()) : "");

/** From when to when. @param {{ first_at: number, last_at: number }} row */
export function span({ first_at, last_at }) {
  const [first, last] = [told(first_at), told(last_at)];
  return first === last ? first : t("{from} to {until}", { from: first, until: last });
}

/** Yes, no, or that nobody says. @param {string} said */
export const answer = (said) => ({ yes: t("yes"), no: t("no") })[said] ?? t("not stated");

/** Where it was asked for, and where it was. @param {{ region: string, echoed: string }} row */
export function place({ region, echoed }) {
  if (!region && !echoed) return t("not stated");
  if (!echoed || echoed === region) return region || echoed;
  return region ? t("{region} asked for, {echoed} answered", { region, echoed })
    : t("{echoed}, as the vendor said", { echoed });
}

/**
 * The address of the entries behind a number. A value that holds a comma is written so that it stays one; what is empty
 * stands for entries that have none.
 * @param {Record<string, string | string[] | null | undefined>} filters  null: not asked for
 */
export function behind(filters) {
  const query = new URLSearchParams();
  for (const [name, values] of Object.entries(filters)) {
    if (values == null) continue;
    query.set(name, [values].flat().map((value) => value.replace(/[\\,]/g, "\\$&") || "(none)").join(","));
  }
  return `/console/ledger?${query}`;
}

/** Filters of a person's entries: by key where there is one, else by what clients named. @param {any} person */
export const ofPerson = (person) => (!person ? {} : person.keys.length
  ? { key: person.keys.map((/** @type {any} */ key) => key.id) } : { user: person.users });

/** The address of what the API says of the same. @param {string} report @param {Record<string, string | null>} asked */
export function path(report, asked) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(asked)) if (value) query.set(name, value);
  return `/api/admin/seen/${report}?${query}`;
}

/** The beginning of a span of days in the address, milliseconds, a whole day in UTC. @param {string | null} days */
export const since = (days) => (Number(days)
  ? String(Math.floor(Date.now() / 86_400_000) * 86_400_000 - (Number(days) - 1) * 86_400_000) : null);
