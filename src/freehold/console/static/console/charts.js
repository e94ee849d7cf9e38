// Charts as SVG. Knows numbers, scales and how people read them; refuses to know what is measured.
//
// Each chart can be read in four ways: by eye (direct labels; patterns beside colours), by pointer (a tooltip), by
// keyboard
// (a range input lies over the plot: arrows move from point to point and say it), and as a table.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/preact.mjs";
import { t } from "../i18n.js";
import { clock, share } from "./format.js";

/**
 * @typedef {{ name: string, values: (number | null)[], tone?: number | "bad" | "rest", format?: Format }} Series
 *   `tone`: which of the colours; "bad" for what failed, "rest" for all others together
 * @typedef {(value: number | null | undefined) => string} Format
 * @typedef {{ name: string, value: number, tone?: number | "rest", note?: string, href?: string }} Part
 */

const EDGE = { top: 10, bottom: 24, start: 8 };
const TONES = 6;
const DASHES = ["", "6 4", "2 3", "10 3 2 3", "1 4", "12 4"];
/** @type {Record<string, string>} */
const HATCHES = {
  1: "M0 4H8", 2: "M-2 8 8 -2M0 10 10 0", 3: "M4 0V8", 4: "M0 4H8M4 0V8", 5: "M-2 0 8 10M0 -2 10 8",
    6: "M2 2h.1M6 6h.1",
  bad: "M-2 0 8 10M0 -2 10 8M-2 8 8 -2M0 10 10 0",
};
let made = 0;

/**
 * Round steps (1, 2 or 5 times a power of ten) that reach up to `top`.
 * @param {number} top
 * @param {number} wanted
 */
export function ticks(top, wanted) {
  if (!(top > 0)) return [0, 1];
  const rough = top / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough) ?? rough;
  const found = [];
  for (let n = 0; n <= Math.ceil(top / step - 1e-9); n += 1) found.push(n * step);
  return found;
}

/**
 * Moments on the axis that fall on whole hours or days of the reader's own clock.
 * @param {number[]} times
 * @param {number} room  how many fit
 */
export function moments(times, room) {
  const [from, until] = [times[0] ?? 0, times[times.length - 1] ?? 0];
  const minute = 60_000;
  const steps = [1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 5760, 10080, 20160, 40320, 80640].map((m) =>
    m * minute);
  const step = steps.find((s) => (until - from) / s <= room) ?? 161_280 * minute;
  const shift = new Date(from).getTimezoneOffset() * minute;
  const found = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at <= until; at += step) found.push(at);
  return { at: found, step };
}

/** The width of an element, followed. @param {number} first */
function useWidth(first) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  const [width, setWidth] = useState(first);
  useLayoutEffect(() => {
    if (!ref.current) return;
    const measure = () => ref.current && setWidth(Math.max(200, Math.floor(ref.current.clientWidth)));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return /** @type {const} */ ([ref, width]);
}

/** @param {Series["tone"]} tone @param {number} index */
const toneOf = (tone, index) => tone ?? (index % TONES) + 1;

/** Fills that differ in more than their colour. @param {{ id: string, tones: Series["tone"][] }} props */
function Patterns({ id, tones }) {
  return html`<defs>${tones.map((tone) => html`<pattern key=${tone} id="${id}-${tone}" class="tone-${tone}"
    width="8" height="8" patternUnits="userSpaceOnUse"><rect class="fill" width="8" height="8" />
    <path class="hatch" d=${HATCHES[String(tone)] ?? ""} /></pattern>`)}</defs>`;
}

/**
 * The piece of a series' look that stands beside its name: a dash of its line, or its fill.
 * @param {{ tone: Series["tone"], index: number, line?: boolean }} props
 */
export function Swatch({ tone, index, line = false }) {
  const [id] = useState(() => `w${(made += 1)}`);
  if (line) return html`<svg class="swatch tone-${tone}" width="22" height="12" aria-hidden="true"><path class="line"
    d="M1 6H21" stroke-dasharray=${DASHES[index % DASHES.length]} /></svg>`;
  return html`<svg class="swatch tone-${tone}" width="12" height="12" aria-hidden="true"><${Patterns} id=${id}
    tones=${[tone]} />
    <rect width="12" height="12" rx="3" fill=${fill(id, tone, index)} /></svg>`;
}

/**
 * The first series is plain, those upon it have patterns.
 * @param {string} id
 * @param {Series["tone"]} tone
 * @param {number} index
 */
const fill = (id, tone, index) => (index ? `url(#${id}-${tone})` : "currentColor");

/**
 * Values over time: stacked `bars`, or `lines` (the first may be filled).
 * @param {{ label: string, times: number[], series: Series[], format: Format, axis?: Format, kind?: "bars" | "lines",
 *   height?: number, table?: boolean, band?: boolean }} props  `band`: the space between two lines is tinted
 */
export function Timeline({ label, times, series, format, axis = format, kind = "bars", height = 180, table = false,
  band = false }) {
  const [ref, width] = useWidth(560);
  const [id] = useState(() => `c${(made += 1)}`);
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const last = times.length - 1;
  const sums = times.map((_, n) => series.reduce((sum, one) => sum + (one.values[n] ?? 0), 0));
  const highest = kind === "bars" ? Math.max(...sums, 0) : Math.max(...series.flatMap((one) =>
    one.values.map((v) => v ?? 0)), 0);
  const levels = ticks(highest, height < 140 ? 2 : 3);
  const top = levels[levels.length - 1] ?? 1;
  const names = levels.map((level) => axis(level));
  const start = EDGE.start + Math.max(...names.map((name) => name.length)) * 7;
  const inner = width - start - 10;
  const floor = height - EDGE.bottom;
  const step = times.length > 1 ? (times[1] ?? 0) - (times[0] ?? 0) : 3_600_000;
  const slot = inner / Math.max(1, times.length);
  const x = (/** @type {number} */ n) => start + (n + 0.5) * slot;
  const y = (/** @type {number} */ value) => floor - (value / top) * (floor - EDGE.top);
  const words = clock(step);
  const { at: marks, step: apart } = moments(times, Math.max(2, Math.floor(inner / 84)));
  const place = (/** @type {number} */ ms) => start + ((ms - (times[0] ?? 0)) / step + (kind === "bars" ? 0
    : 0.5)) * slot;
  const say = (/** @type {number} */ n) =>
    `${words.point(times[n] ?? 0)}: ${series.map((one) =>
      `${one.name} ${(one.format ?? format)(one.values[n])}`).join(", ")}`;
  const shown = at === null ? null : Math.min(at, last);

  /** @param {PointerEvent} event */
  const follow = (event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    setAt(Math.min(last, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * times.length))));
  };
  return html`<div class="chart" ref=${ref} dir="ltr">
    <svg width=${width} height=${height} viewBox="0 0 ${width} ${height}" aria-hidden="true" focusable="false">
      <${Patterns} id=${id} tones=${series.map((one, n) => toneOf(one.tone, n))} />
      ${levels.map((level, n) => html`<g key=${n}>
        <line class=${n ? "level" : "floor"} x1=${start} x2=${width - 10} y1=${y(level)} y2=${y(level)} />
        <text class="tick" x=${start - 6} y=${y(level) + 4} text-anchor="end">${names[n]}</text></g>`)}
      ${marks.map((ms) => html`<text key=${ms} class="tick" x=${place(ms)} y=${height - 6} text-anchor="middle">
        ${apart >= 86_400_000 || new Date(ms).getHours() + new Date(ms).getMinutes() === 0 ? words.day(ms)
          : words.tick(ms)}</text>`)}
      ${kind === "bars"
        ? bars({ id, series, count: times.length, x, y, slot, floor, shown })
        : lines({ series, x, y, floor, band })}
      ${shown !== null && html`<line class="hair" x1=${x(shown)} x2=${x(shown)} y1=${EDGE.top} y2=${floor} />
        ${kind === "lines" && series.map((one, n) => one.values[shown] != null && html`<circle key=${one.name} r="4"
          class="dot tone-${toneOf(one.tone, n)}" cx=${x(shown)} cy=${y(one.values[shown] ?? 0)} />`)}`}
    </svg>
    ${last >= 0 && html`<${Reach} label=${label} last=${last} at=${shown} say=${say} onAt=${setAt} onFollow=${follow}
      start=${start} width=${inner} height=${height} />`}
    ${shown !== null && html`<${Tip} left=${x(shown)} width=${width}>
      <strong>${words.point(times[shown] ?? 0)}</strong>
      <ul>${[...series.entries()].reverse().map(([n, one]) => html`<li key=${one.name}>
        <${Swatch} tone=${toneOf(one.tone, n)} index=${n} line=${kind === "lines"}
          /><span>${one.name}</span><b>${(one.format ?? format)(one.values[shown])}</b></li>`)}</ul>
    <//>`}
    <${Values} label=${label} times=${times} series=${series} format=${format} words=${words} open=${table} />
  </div>`;
}

/** What the pointer and the keyboard take hold of. @param {any} props */
function Reach({ label, last, at, say, onAt, onFollow, start, width, height }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    if (ref.current) Object.assign(ref.current.style, { left: `${start}px`, width: `${width}px`,
      height: `${height}px` });
  }, [start, width, height]);
  return html`<input class="reach" type="range" min="0" max=${last} step="1" ref=${ref} value=${at ?? last}
    aria-label=${t("{chart}: point in time", { chart: label })} aria-valuetext=${say(at ?? last)}
    onInput=${(/** @type {any} */ event) => onAt(Number(event.currentTarget.value))}
    onFocus=${() => at === null && onAt(last)} onBlur=${() => onAt(null)}
    onPointerMove=${onFollow} onPointerLeave=${(/** @type {any} */ event) =>
      event.currentTarget !== document.activeElement && onAt(null)}
    onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && onAt(null)} />`;
}

/** @param {any} props */
function Tip({ left, width, children }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    if (!ref.current) return;
    const own = ref.current.offsetWidth;
    ref.current.style.left = `${Math.max(0, left + 14 + own > width ? left - 14 - own : left + 14)}px`;
  });
  return html`<div class="tip" ref=${ref} aria-hidden="true">${children}</div>`;
}

/** @param {any} props */
function bars({ id, series, count, x, y, slot, floor, shown }) {
  const gap = slot > 8 ? 2 : slot > 4 ? 1 : 0;
  const thick = Math.max(1, Math.min(slot - gap, 40));
  const drawn = [];
  for (let n = 0; n < count; n += 1) {
    let below = 0;
    for (const [index, one] of series.entries()) {
      const value = one.values[n] ?? 0;
      if (value <= 0) continue;
      const [from, to] = [y(below), y(below + value)];
      below += value;
      // What is small and not nothing is a pixel high: a failure among a thousand calls is still seen.
      const high = Math.max(one.tone === "bad" ? 2 : 0.5, from - to);
      drawn.push(html`<rect key="${n}-${index}"
        class="tone-${toneOf(one.tone, index)} ${shown === null || shown === n ? "" : "dim"}" x=${x(n) - thick / 2}
        y=${Math.min(from, floor) - high} width=${thick} height=${high}
          fill=${fill(id, toneOf(one.tone, index), index)} />`);
    }
  }
  return drawn;
}

/** @param {any} props */
function lines({ series, x, y, floor, band }) {
  const points = (/** @type {Series} */ one) => {
    /** @type {[number, number][][]} */
    const runs = [[]];
    one.values.forEach((value, n) => {
      if (value === null || value === undefined) runs.push([]);
      else runs[runs.length - 1]?.push([x(n), y(value)]);
    });
    return runs.filter((run) => run.length);
  };
  const path = (/** @type {[number, number][]} */ run) =>
    `M${run.map((point) => point.map((v) => v.toFixed(1)).join(" ")).join("L")}`;
  return series.map((/** @type {Series} */ one, /** @type {number} */ n) => {
    const tone = toneOf(one.tone, n);
    return html`<g key=${one.name} class="tone-${tone}">
      ${points(one).map((run, k) => {
        const [first, end] = [run[0], run[run.length - 1]];
        if (run.length === 1 && first) return html`<circle key=${k} class="dot" r="2.5" cx=${first[0]}
          cy=${first[1]} />`;
        return html`<g key=${k}>
          ${band && n === 0 && first && end && html`<path class="area"
            d="${path(run)}L${end[0]} ${floor}L${first[0]} ${floor}Z" />`}
          <path class="line" d=${path(run)} stroke-dasharray=${DASHES[n % DASHES.length]} /></g>`;
      })}
    </g>`;
  });
}

/** The same values as a table: for screen readers always, for everybody on demand. @param {any} props */
function Values({ label, times, series, format, words, open }) {
  return html`<div class=${open ? "values" : "visually-hidden"}><table class=${open ? "table" : ""}>
    <caption class="visually-hidden">${label}</caption>
    <thead><tr><th scope="col">${t("Time")}</th>
      ${series.map((/** @type {Series} */ one) => html`<th key=${one.name} scope="col"
        class="numeric">${one.name}</th>`)}</tr></thead>
    <tbody>${times.map((/** @type {number} */ ms, /** @type {number} */ n) => html`<tr key=${ms}><th
      scope="row">${words.point(ms)}</th>
      ${series.map((/** @type {Series} */ one) => html`<td key=${one.name}
        class="numeric">${(one.format ?? format)(one.values[n])}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/**
 * Names with the series' colours, for charts of several series; the last value stands beside each.
 * @param {{ series: Series[], totals?: string[], lines?: boolean }} props
 */
export function Key({ series, totals = [], lines = false }) {
  return html`<ul class="legend">${series.map((one, n) => html`<li key=${one.name}>
    <${Swatch} tone=${toneOf(one.tone, n)} index=${n} line=${lines}
      />${one.name}${totals[n] && html` <b>${totals[n]}</b>`}</li>`)}</ul>`;
}

/**
 * Who has how much of the whole, largest first: a table whose middle column is a bar.
 * @param {{ label: string, what: string, parts: Part[], format: Format }} props
 */
export function Shares({ label, what, parts, format }) {
  const whole = parts.reduce((sum, part) => sum + part.value, 0);
  return html`<table class="shares" role="table">
    <caption class="visually-hidden">${label}</caption>
    <thead class="visually-hidden" role="rowgroup"><tr role="row"><th scope="col" role="columnheader">${label}</th>
      <th scope="col" role="columnheader">${what}</th><th scope="col"
        role="columnheader">${t("Share of all")}</th></tr></thead>
    <tbody role="rowgroup">${parts.map((part, n) => html`<tr key=${part.name} role="row">
      <th scope="row" role="rowheader">${part.href ? html`<a href=${part.href}>${part.name}</a>` : part.name}
        ${part.note && html` <small>${part.note}</small>`}</th>
      <td role="cell" class="numeric faint">${format(part.value)}</td>
      <td role="cell" class="numeric of"><span>${share(whole ? part.value / whole : 0)}</span><${Bar}
        value=${whole ? part.value / whole : 0} tone=${toneOf(part.tone, n)} /></td></tr>`)}</tbody>
  </table>`;
}

/** A bar by itself; what it says is said beside it. @param {{ value: number, tone?: Series["tone"] }} props */
export function Bar({ value, tone = 1 }) {
  const wide = Math.max(0, Math.min(1, value)) * 100;
  return html`<svg class="stripe tone-${tone}" width="100%" height="10" aria-hidden="true">
    <rect class="rail" width="100%" height="10" rx="3" />
    ${wide > 0 && html`<rect class="fill" width="${Math.max(0.8, wide)}%" height="10" rx="3" />`}</svg>`;
}

/**
 * How much of a limit is used: quiet below 80 per cent, then a warning, then the end; said in words, too.
 * @param {{ label: string, used: number, amount: number, text: string }} props
 */
export function Limit({ label, used, amount, text }) {
  const part = amount > 0 ? used / amount : 1;
  const state = part >= 1 ? "full" : part >= 0.8 ? "near" : "calm";
  return html`<div class="limit ${state}">
    <div class="limit-words"><span>${label}</span><span class="numeric">${text}</span></div>
    <div role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax=${amount}
      aria-valuenow=${Math.min(used, amount)}
      aria-valuetext=${text}><svg class="stripe" width="100%" height="8" aria-hidden="true">
        <rect class="rail" width="100%" height="8" rx="4" />
        ${part > 0 && html`<rect class="fill" width="${Math.min(100, Math.max(1, part * 100))}%" height="8" rx="4" />`}
          </svg></div>
    ${state !== "calm" && html`<small class="limit-note">
      ${state === "full" ? t("used up") : t("{share} used", { share: share(part) })}</small>`}
  </div>`;
}

/**
 * A line of one word's size, beside a number; as wide as there is room, or `wide` pixels and half as high.
 * @param {{ values: (number | null)[], tone?: Series["tone"], wide?: number }} props
 */
export function Spark({ values, tone = 1, wide }) {
  const [ref, room] = useWidth(160);
  const [width, high] = wide ? [wide, 24] : [room, 36];
  const top = Math.max(...values.map((value) => value ?? 0), 0) || 1;
  const step = width / Math.max(1, values.length - 1);
  const path = values
    .map((value, n) => (value === null ? null
      : `${(n * step).toFixed(1)} ${(high - 2 - (value / top) * (high - 6)).toFixed(1)}`))
    .filter((point) => point !== null);
  return html`<div class="spark" ref=${ref} dir="ltr"><svg width=${width} height=${high} aria-hidden="true"
    class="tone-${tone}">
    ${path.length > 1 && html`<path class="area" d="M${path.join("L")}L${width} ${high}L0 ${high}Z" /><path class="line"
      d="M${path.join("L")}" />`}
  </svg></div>`;
}

/**
 * A chart with its name, a sentence on it, and the way to its table.
 * @param {{ title: string, note?: any, children: (table: boolean) => any, tools?: any, empty?: any }} props
 */
export function Figure({ title, note, children, tools, empty }) {
  const [table, setTable] = useState(false);
  useEffect(() => setTable(false), [title]);
  return html`<figure class="figure card">
    <figcaption><h2>${title}</h2><div class="figure-tools">
      ${tools}${!empty && html`<button type="button" class="button quiet small" aria-pressed=${table}
        onClick=${() => setTable(!table)}>${table ? t("Hide values") : t("Values")}</button>`}</div>
      <div class="figure-note">${note}</div></figcaption>
    ${empty ?? children(table)}
  </figure>`;
}
