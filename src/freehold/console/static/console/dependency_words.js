// What the page of what rests on whom calls things, and where its numbers lead. Refuses to draw.

import { t } from "../i18n.js";
import { day } from "./format.js";

/** Purposes of calls that somebody waits for: those that shares are made of. */
const TRAFFIC = ["serve", "hedge", "embed"];

/** @returns {[string, string][]} */
export const dimensions = () => [["maker", t("Maker")], ["seller", t("Seller")], ["host", t("Host")],
  ["compute", t("Owner of the machines")], ["chips", t("Chips")], ["region", t("Region")], ["contract", t("Contract")]];

/** A role beside a share, in a word. @param {string} by */
export const role = (by) => ({ maker: t("maker"), seller: t("seller"), host: t("host"), compute: t("machines") })[by]
  ?? by;

/** @param {string} id */
export const spanName = (id) => ({ "7d": t("7 days"), "30d": t("30 days"), "90d": t("90 days"),
  "365d": t("12 months") })[id] ?? id;

/** What people call a part. @param {{ id: string | null, name?: string }} part */
export const named = ({ id, name }) => (id === "own" ? t("ourselves") : name || id || t("not named"));

/** A day as 2026-11-24, in the reader's words: noon is that day in most of the world. @param {string} text */
export const dayName = (text) => day(new Date(`${text}T12:00:00`).getTime());

/**
 * The address of the entries behind a number. A value that holds a comma is written so that it stays one; nothing named
 * is what entries without that have.
 * @param {{ since: number, until: number, function: string | null }} data
 * @param {Record<string, string[]>} filters
 * @param {{ since?: number | null, purposes?: boolean }} [how]  `since`: another beginning, null for all of the ledger
 */
export function behind(data, filters, { since = data.since, purposes = true } = {}) {
  const query = new URLSearchParams();
  /** @type {Record<string, string[]>} */
  const all = { ...(purposes && { purpose: TRAFFIC }), ...filters };
  if (data.function !== null) all.function = [data.function];
  for (const [name, values] of Object.entries(all)) query.set(name, values.map((value) =>
    value.replace(/[\\,]/g, "\\$&") || "(none)").join(","));
  if (since !== null) query.set("since", String(since));
  query.set("until", String(data.until));
  return `/console/ledger?${query}`;
}
