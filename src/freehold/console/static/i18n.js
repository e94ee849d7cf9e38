// The words of the page. Knows the locale, its catalogue and its number, date and money forms; refuses to know any screen.
// A catalogue is keyed by the English text; a plural's value is an object of CLDR categories: {"one": "...", "other": "..."}.

/** @typedef {Record<string, string | Record<string, string>>} Catalogue */

const RIGHT_TO_LEFT = ["ar", "fa", "he", "ur"];

/** @type {Catalogue} */
let catalogue = {};
let locale = "en";
/** @type {Map<string, any>} */
const made = new Map();

/** An Intl object, made once per kind and options: making one is slow.
 * @param {any} kind @param {object} [options] */
function form(kind, options = {}) {
  const name = kind.name + JSON.stringify(options);
  const found = made.get(name) ?? new kind(locale, options);
  made.set(name, found);
  return found;
}

/** In a line from right to left each value stands for itself (Unicode isolates), or a Latin name would take its neighbours along.
 * @param {unknown} value @returns {string} */
const apart = (value) => (dir() === "rtl" ? `\u2068${value}\u2069` : String(value));

/** @param {string} text @param {Record<string, unknown>} values */
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? apart(values[name]) : whole));
}

/** Short things one after another, without those that are empty: a, b, c. @param {unknown[]} items @param {string} [mark] @returns {string} */
export function listed(items, mark = locale.startsWith("ar") ? "، " : ", ") {
  return items.filter(Boolean).map(apart).join(mark);
}

/** The text in the reader's language; `{name}` stands for a value.
 * @param {string} text @param {Record<string, unknown>} [values] @returns {string} */
export function t(text, values = {}) {
  const found = catalogue[text];
  return fill(typeof found === "string" ? found : text, values);
}

/** The text for `n` things; the catalogue has it under the English plural, one form for each category of the language.
 * @param {number} n @param {string} one @param {string} many @param {Record<string, unknown>} [values] @returns {string} */
export function plural(n, one, many, values = {}) {
  const found = catalogue[many];
  const category = form(Intl.PluralRules).select(n);
  const forms = typeof found === "object" ? found : { one, other: many };
  return fill(forms[category] ?? forms.other ?? many, { n: number(n), ...values });
}

/** Takes a locale into use; an unknown one is English. @param {string} wanted @returns {Promise<void>} */
export async function setLocale(wanted) {
  const name = wanted.toLowerCase().split("-")[0] ?? "en";
  /** @type {Catalogue} */
  let words = {};
  if (name !== "en") {
    const response = await fetch(`/i18n/${encodeURIComponent(name)}.json`).catch(() => null);
    if (response?.ok) words = await response.json();
  }
  catalogue = words;
  locale = name === "en" || Object.keys(words).length ? wanted : "en";
  made.clear();
  document.documentElement.lang = locale;
  document.documentElement.dir = dir();
}

/** @returns {"rtl" | "ltr"} */
export function dir() {
  return RIGHT_TO_LEFT.includes(locale.split("-")[0] ?? "") ? "rtl" : "ltr";
}

/** @param {number} value @param {Intl.NumberFormatOptions} [options] @returns {string} */
export function number(value, options) {
  const text = form(Intl.NumberFormat, options).format(value);
  // "US$ 12" keeps its parts together, which the marks that come with it do not in a line from right to left.
  return options?.style === "currency" && dir() === "rtl" ? `\u2066${text.replace(/[\u200e\u200f]/g, "")}\u2069` : text;
}

/** 2.4s, 120ms, 3m, as the language writes it. @param {number} ms @returns {string} */
export function duration(ms) {
  const unit = (/** @type {number} */ value, /** @type {string} */ name, /** @type {number} */ digits) =>
    number(value, { style: "unit", unit: name, unitDisplay: "narrow", maximumFractionDigits: digits });
  if (ms < 950) return unit(ms, "millisecond", 0);
  if (ms < 120_000) return unit(ms / 1000, "second", ms < 9_950 ? 1 : 0);
  return unit(ms / 60_000, "minute", 0);
}

/** 12 kB, 3.4 MB. @param {number} bytes @returns {string} */
export function size(bytes) {
  const names = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = bytes < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  const digits = step && value < 10 ? 1 : 0;
  return number(value, { style: "unit", unit: names[step], unitDisplay: step ? "short" : "long", maximumFractionDigits: digits });
}

/** A price as a person says it: two digits from a unit up, two significant ones below it.
 * @param {string | number | null | undefined} amount a decimal @param {string} [currency] @returns {string} */
export function money(amount, currency = "USD") {
  const value = Number(amount ?? 0);
  const small = value !== 0 && Math.abs(value) < 1;
  const digits = small ? { maximumSignificantDigits: 2 } : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  try {
    return number(value, { style: "currency", currency, currencyDisplay: "narrowSymbol", ...digits });
  } catch {
    return `${number(value, digits)} ${currency}`; // no currency that the browser knows
  }
}

/** @param {number} ms since the epoch @param {Intl.DateTimeFormatOptions} [options] @returns {string} */
export function date(ms, options = { dateStyle: "medium", timeStyle: "short" }) {
  return form(Intl.DateTimeFormat, options).format(ms);
}

/** 5 minutes ago, yesterday. @param {number} ms since the epoch @returns {string} */
export function ago(ms) {
  const seconds = (ms - Date.now()) / 1000;
  /** @type {[Intl.RelativeTimeFormatUnit, number][]} */
  const steps = [["year", 31_536_000], ["month", 2_592_000], ["week", 604_800], ["day", 86_400], ["hour", 3600], ["minute", 60]];
  const [unit, length] = steps.find(([, long]) => Math.abs(seconds) >= long) ?? ["second", 1];
  return form(Intl.RelativeTimeFormat, { numeric: "auto" }).format(Math.round(seconds / length), unit);
}
