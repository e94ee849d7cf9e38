// What is in force, where each value is from, and what the file says now. Refuses to write the file: it belongs to
// its owner.

import { call } from "../door.js";
import { plural, t } from "../i18n.js";
import { toast } from "../ui.js";
import { NONE, ago, instant } from "./format.js";
import { html, useState } from "./hooks.js";
import { me, problem, useResource } from "./place.js";
import { Badge, Facts, Head, Loaded, Pick, Trouble } from "./parts.js";

/** A value as the file would write it. @param {any} value @returns {string} */
export function written(value) {
  if (value == null) return NONE;
  if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
  if (typeof value === "object") return `{ ${Object.entries(value).map(([name, one]) =>
    `${name} = ${written(one)}`).join(", ")} }`;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

export default function Settings() {
  const of = useResource("/api/admin/settings");
  const diff = useResource("/api/admin/settings/diff", { every: 5000 });
  const [outcome, setOutcome] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState(false);
  const reload = async () => {
    setBusy(true);
    try {
      const answer = await call("POST", "/api/admin/settings/reload");
      setOutcome(answer);
      if (answer.ok) toast(answer.changed.length ? plural(answer.changed.length, "{n} setting is in force now",
        "{n} settings are in force now") : t("Nothing had changed"));
    } catch (error) {
      setOutcome({ ok: false, problems: [{ where: "", message: problem(error).message, hint: "" }] });
    }
    setBusy(false);
    await Promise.all([of.reload(), diff.reload()]);
  };
  return html`<${Head} title=${t("Settings")}
    note=${t("What this server runs with. It is written in freehold.toml and read anew without a stop.")}
      tools=${me.changes && html`<button type="button" class="button primary" disabled=${busy}
        onClick=${reload}>${busy && html`<span class="spinner"></span>`}${t("Read the file anew")}</button>`} />
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`
      ${outcome && !outcome.ok && html`<${Problems} problems=${outcome.problems}
        title=${t("The file was not taken: what ran before runs on.")} />`}
      ${data.needs_restart.length > 0 && html`<p class="notice before">
        ${t("These changes wait for a restart: {names}", { names: data.needs_restart.join(", ") })}</p>`}
      <div class="card"><${Facts} rows=${[
        [t("File"), data.file ? html`<code>${data.file}</code>` : t("none: all is as by default")],
          [t("Address"), html`<code>${data.url}</code>`], [t("Version"), data.version],
        [t("Runs since"), html`<span title=${instant(data.started_at)}>${ago(data.started_at)}</span>`],
          [t("Configuration"), html`<code>${data.hash.slice(0, 12)}</code>`],
        [t("Data"), html`<code>${data.places.data}</code>`], [t("Own models"), html`<code>${data.places.home}</code>`],
      ]} /></div>
      ${diff.error ? html`<${Trouble} error=${diff.error} />` : diff.data && html`<${Diff} diff=${diff.data} />`}
      <${All} settings=${data.settings} />`}<//>`;
}

/** @param {{ problems: any[], title: string }} props */
function Problems({ problems, title }) {
  return html`<div class="error before" role="alert"><strong>${title}</strong><ul
    class="plain problems">${problems.map((one, n) => html`<li key=${n}>
    ${one.where && html`<code>${one.where}</code>: `}${one.message}${one.hint
      && html`<br /><span>${t("What to do:")} ${one.hint}</span>`}</li>`)}</ul></div>`;
}

/** @param {{ diff: any }} props */
function Diff({ diff }) {
  if (diff.problems.length) return html`<section class="section"><${Problems} problems=${diff.problems}
    title=${t("The file as it stands would be refused.")} /></section>`;
  if (diff.same) return html`<p class="faint after">${t("The file says what runs.")}</p>`;
  return html`<section class="section"><div class="section-head"><h2>${t("The file says otherwise")}</h2></div>
    <div class="table-box" tabindex="0" role="region" aria-label=${t("The file says otherwise")}><table
      class="table wide" role="table">
      <thead role="rowgroup"><tr role="row">${[t("Setting"), t("Runs"), t("In the file"),
        t("Takes effect")].map((name) => html`<th key=${name} scope="col" role="columnheader">${name}</th>`)}</tr>
          </thead>
      <tbody role="rowgroup">${diff.changes.map((/** @type {any} */ one) => html`<tr key=${one.name} role="row"><th
        scope="row" role="rowheader" class="main"><code>${one.name}</code></th>
        <td role="cell" data-label=${t("Runs")}><code>${written(one.runs)}</code></td><td role="cell"
          data-label=${t("In the file")}><code>${written(one.file)}</code></td>
        <td role="cell" data-label=${t("Takes effect")}>${one.restart
          ? html`<${Badge} tone="warn">${t("after a restart")}<//>` : html`<${Badge}>${t("when it is read anew")}<//>`}
            </td></tr>`)}</tbody></table></div></section>`;
}

/** @param {{ settings: any[] }} props */
function All({ settings }) {
  const [words, setWords] = useState("");
  const [which, setWhich] = useState("all");
  const wanted = words.trim().toLowerCase();
  const shown = settings.filter((one) => (which === "all" || !one.default)
    && `${one.name} ${written(one.value)} ${one.origin}`.toLowerCase().includes(wanted));
  /** @type {Map<string, any[]>} */
  const tables = new Map();
  for (const one of shown) {
    const table = one.name.split(".")[0];
    tables.set(table, [...(tables.get(table) ?? []), one]);
  }
  return html`<section class="section"><div class="section-head"><h2>${t("All settings")}</h2><div
    class="toolbar"><input class="input search" type="search" aria-label=${t("Find a setting")}
      placeholder=${t("Find a setting")}
      value=${words} onInput=${(/** @type {any} */ event) => setWords(event.currentTarget.value)} />
      <${Pick} label=${t("Which")} value=${which} options=${[["all", t("All")], ["set", t("Not as by default")]]}
        onChange=${setWhich} /></div></div>
    <p class="visually-hidden" role="status">${plural(shown.length, "{n} setting", "{n} settings")}</p>
    ${[...tables].map(([table, rows]) => html`<section key=${table} class="after"><h3
      class="table-name"><code>[${table}]</code></h3><dl class="card settings">
        ${rows.map((one) => html`<div key=${one.name}>
      <dt><code>${one.name}</code></dt><dd><code dir="ltr">${written(one.value)}</code></dd><dd
        class="origin"><${Origin} one=${one} /></dd></div>`)}</dl></section>`)}
    ${!shown.length && html`<p class="notice">${t("No setting is called that.")}</p>`}</section>`;
}

/** @param {{ one: any }} props */
function Origin({ one }) {
  const said = one.origin === "default" ? t("as by default") : one.origin === "file" ? t("from the file") : one.origin;
  return html`<${Badge} tone=${one.default ? "" : "good"}>${said}<//>
    ${one.restart && html` <${Badge}>${t("restart")}<//>`}`;
}
