// How the console writes values: counts, money, shares, moments. Knows that a value may be missing; refuses to
// know what it means.

import { ago as since, date, number, size as bytes, t } from "../i18n.js";

/** @typedef {number | null | undefined} Value */
/** @typedef {{ currency: string, amount: string }} Money */

export const NONE = "–";

/** The ledger's word for what its caller left or stopped, which is nobody's failure. */
export const GONE = "client_gone";

/** An error in words, where there are better ones than its code. @param {string} code */
export const fault = (code) => (code === GONE ? t("Stopped early") : code);

/** A number in full: 12,345. @param {Value} value @param {number} [digits] */
export const exact = (value, digits = 0) => (value == null ? NONE : number(value, { maximumFractionDigits: digits }));

/** A number in few characters: 12.3K. @param {Value} value */
export function count(value) {
  if (value == null) return NONE;
  if (Math.abs(value) < 10_000) return exact(value, Math.abs(value) < 10 ? 1 : 0);
  return number(value, { notation: "compact", maximumFractionDigits: 1 });
}

/** A part of 1 in per cent. @param {Value} value */
export function share(value) {
  if (value == null || !Number.isFinite(value)) return NONE;
  return number(value, { style: "percent", maximumFractionDigits: value > 0 && value < 0.1 ? 1 : 0 });
}

/** How much more or less than before: +12 %. @param {Value} now @param {Value} before */
export function change(now, before) {
  if (now == null || !before) return "";
  return number(now / before - 1, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });
}

/**
 * Money as a person says it: cents from a tenth of a unit up, two significant digits below.
 * @param {Money | null | undefined} value
 */
export function cash(value) {
  if (!value) return NONE;
  const size = Math.abs(Number(value.amount));
  const digits = size === 0 || size >= 0.1 ? { minimumFractionDigits: 2,
    maximumFractionDigits: 2 } : { maximumSignificantDigits: 2 };
  return currency(value, digits);
}

/** @param {Money} value @param {Intl.NumberFormatOptions} digits */
function currency(value, digits) {
  try {
    return number(Number(value.amount), { style: "currency", currency: value.currency, currencyDisplay: "narrowSymbol",
      ...digits });
  } catch {
    return `${number(Number(value.amount), digits)} ${value.currency}`; // no currency that the browser knows
  }
}

/** Money that may be in several currencies, the first one being what counts most. @param {Money[]} values */
export const purse = (values) => (values.length ? values.map(cash).join(" + ") : NONE);

/** Money to the last digit that is known. @param {Money | null | undefined} value */
export const precise = (value) => (value ? currency(value, { minimumFractionDigits: 2, maximumFractionDigits: 9 })
  : NONE);

/** What a list of amounts holds in one currency. @param {Money[]} values @param {string} currency */
export const amount = (values, currency) => Number(values.find((value) => value.currency === currency)?.amount ?? 0);

/** A span of time: 380ms, 2.4s, 3m. @param {Value} ms */
export function span(ms) {
  if (ms == null) return NONE;
  const unit = (/** @type {number} */ value, /** @type {string} */ name, digits = 0) =>
    number(value, { style: "unit", unit: name, unitDisplay: "narrow", maximumFractionDigits: digits });
  if (ms < 995) return unit(ms, "millisecond");
  if (ms < 120_000) return unit(ms / 1000, "second", ms < 9950 ? 1 : 0);
  if (ms < 7_200_000) return unit(ms / 60_000, "minute");
  return ms < 172_800_000 ? unit(ms / 3_600_000, "hour") : unit(ms / 86_400_000, "day");
}

/** @param {Value} value */
export const size = (value) => (value == null ? NONE : bytes(value));

/** @param {Value} ms */
export const moment = (ms) => (ms == null ? NONE : date(ms));

/** A moment to the second, as records have it. @param {Value} ms */
export const instant = (ms) => (ms == null ? NONE : date(ms, { dateStyle: "medium", timeStyle: "medium" }));

/** A moment in a list: to the second, the year only when it is another one. @param {Value} ms */
export function stamp(ms) {
  if (ms == null) return NONE;
  const year = new Date(ms).getFullYear() === new Date().getFullYear() ? undefined : /** @type {const} */ ("numeric");
  return date(ms, { year, month: "short", day: "numeric", hour: "numeric", minute: "2-digit", second: "2-digit" });
}

/** @param {Value} ms */
export const day = (ms) => (ms == null ? NONE : date(ms, { dateStyle: "medium" }));

/** @param {Value} ms */
export const ago = (ms) => (ms == null ? t("never") : since(ms));

/** How ticks and points of a time axis are written. @param {number} step  milliseconds from one point to the next */
export function clock(step) {
  const hours = step < 86_400_000;
  return {
    tick: (/** @type {number} */ ms) => date(ms, hours ? { hour: "numeric", minute: "2-digit" } : { day: "numeric",
      month: "short" }),
    day: (/** @type {number} */ ms) => date(ms, { day: "numeric", month: "short" }),
    point: (/** @type {number} */ ms) =>
      date(ms, { weekday: "short", day: "numeric", month: "short",
        ...(hours ? { hour: "numeric", minute: "2-digit" } : {}) }),
  };
}
