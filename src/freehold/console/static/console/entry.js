// One call as a record that a person can read: who asked, each try in its order, who saw it, what it cost.

import { call } from "../door.js";
import { listed, plural, t } from "../i18n.js";
import { openDialog, toast } from "../ui.js";
import { GONE, NONE, ago, exact, fault, instant, precise, size, span } from "./format.js";
import { Verdicts } from "./guards_verdicts.js";
import { html } from "./hooks.js";
import { me, problem, useResource } from "./place.js";
import { Badge, Copy, Facts, Head, Loaded, Sheet, ask } from "./parts.js";

/** @param {{ id: string }} props */
export default function Entry({ id }) {
  const of = useResource(`/api/admin/ledger/calls/${encodeURIComponent(id)}`);
  return html`<${Head} title=${t("Call")} back=${{ href: "/console/ledger", label: t("Ledger") }}
      note=${html`<span class="row"><code>${id}</code><${Copy} text=${id} label=${t("Copy the id")} /></span>`} />
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<${Record} data=${data} />`}<//>`;
}

/** The tries of a call: what was intended and what came of it belong together. @param {any[]} entries */
function attempts(entries) {
  /** @type {Map<string, { intent: any, outcome: any }>} */
  const found = new Map();
  for (const entry of entries) {
    if (entry.kind === "admin") continue;
    const id = `${entry.purpose} ${entry.attempt}`;
    found.set(id, { intent: null, outcome: null, ...found.get(id), [entry.kind]: entry });
  }
  return [...found.values()];
}

/** @param {{ data: any }} props */
function Record({ data }) {
  const tries = attempts(data.entries);
  const acts = data.entries.filter((/** @type {any} */ entry) => entry.kind === "admin");
  return html`${tries.length > 0 && html`<${Story} tries=${tries} />`}
    ${tries.length > 0 && html`<section class="section"><div
      class="section-head"><h2>${plural(tries.length, "{n} attempt", "{n} attempts")}</h2></div>
      <ol class="tries">${tries.map((one, n) => html`<${Attempt} key=${n} one=${one} n=${n} tries=${tries} />`)}</ol>
        </section>`}
    ${acts.map((/** @type {any} */ entry) => html`<section key=${entry.seq}
      class="card stack"><h2>${entry.note?.act ?? t("Administration")}</h2>
      <${Facts} rows=${[[t("When"), instant(entry.at)], ...pairs(entry.note)]} /><${Raw} entry=${entry} /></section>`)}
    ${data.bodies_kept.length > 0 && html`<${Bodies} data=${data} />`}`;
}

/** What is in a note, name by name. @param {any} note @returns {[string, any][]} */
const pairs = (note) => (note && typeof note === "object"
  ? Object.entries(note).map(([name, value]) => [name, html`<code>
    ${typeof value === "string" ? value : JSON.stringify(value)}</code>`]) : []);

/** @param {{ tries: { intent: any, outcome: any }[] }} props */
function Story({ tries }) {
  const first = tries[0]?.intent ?? tries[0]?.outcome;
  const last = tries[tries.length - 1]?.outcome;
  const costs = tries.map(({ outcome }) => outcome?.cost).filter(Boolean);
  const sum = costs.length ? { currency: costs[0].currency,
    amount: String(costs.reduce((all, { amount }) => all + Number(amount), 0)) } : null;
  const seen = [...new Set(tries.map(({ intent, outcome }) => (intent ?? outcome).host).filter(Boolean))].map((host) =>
    (host === "own" ? t("ourselves") : host));
  return html`<section class="card story"><p class="lead">
    ${t("{key} asked {model}.", { key: first.key?.name ?? t("Somebody"), model: first.asked })} ${
      !last ? t("What came of it is not written yet.") : last.error === GONE
        ? t("It was stopped before the answer was whole.") : last.error
          ? t("It failed in the end: {error}.", { error: last.error })
          : t("{deployment} answered.", { deployment: last.deployment })}</p>
    <${Facts} rows=${[
      [t("When"), instant(first.at)], [t("Team"), first.team?.name],
        [t("As"), listed([first.endpoint, first.dialect])],
          [t("Who saw it"), listed(seen) || t("nobody")],
      [t("Cost in all"), sum && precise(sum)], [t("Session"), first.session], [t("User"), first.user],
    ]} /></section>`;
}

/** @param {{ one: { intent: any, outcome: any }, n: number, tries: any[] }} props */
function Attempt({ one, n, tries }) {
  const { intent, outcome } = one;
  const row = outcome ?? intent;
  const state = !outcome ? html`<${Badge} tone="warn">${t("no outcome yet")}<//>` : outcome.error
    ? html`<${Badge} tone=${outcome.error === GONE ? "" : "bad"}>${fault(outcome.error)}<//>`
    : html`<${Badge} tone="good">${t("Answered")}<//>`;
  return html`<li class="card stack"><div class="section-head"><h3>${n + 1}. ${row.deployment || t("at the door")}</h3>
    <div class="row">${row.purpose !== "serve" && html`<${Badge}>${row.purpose}<//>`}${state}</div></div>
    ${outcome?.total_ms > 0 && html`<${Strip} one=${one} tries=${tries} />`}
    <${Facts} rows=${[
      [t("Maker"), row.maker], [t("Seller"), row.seller],
        [t("Host"), listed([row.host, row.region])], [t("Contract"), row.contract],
      [t("Model asked"), row.asked], [t("Model sent"), row.sent], [t("Model that answered"), outcome?.answered],
      [t("Tokens in"), outcome && `${exact(outcome.input)}${outcome.cached
        ? ` (${t("{n} cached", { n: exact(outcome.cached) })})` : ""}`],
      [t("Tokens out"), outcome && `${exact(outcome.output)}${outcome.reasoning
        ? ` (${t("{n} of reasoning", { n: exact(outcome.reasoning) })})` : ""}`],
      [t("Counted by"), outcome && (outcome.estimated ? t("us: the vendor stated nothing") : t("the vendor"))],
      [t("Cost"), outcome?.cost ? precise(outcome.cost) : outcome && t("not known")],
        [t("First token"), outcome?.first_ms != null && span(outcome.first_ms)],
          [t("In all"), outcome?.total_ms != null && span(outcome.total_ms)],
      [t("HTTP status"), outcome?.status || ""], [t("Dropped, since the target knows no such field"),
        row.dropped?.length ? row.dropped.join(", ") : ""],
      [t("Policies in force"), row.policies?.length ? listed(row.policies) : ""],
    ]} />
    ${row.verdicts?.length > 0 && html`<div><h4>${t("Decided")}</h4><${Verdicts} rows=${row.verdicts} /></div>`}
    ${[intent, outcome].filter(Boolean).map((entry) => html`<${Raw} key=${entry.seq} entry=${entry} />`)}
  </li>`;
}

/**
 * When a try began and ended within the whole call, and when its first token came.
 * @param {{ one: any, tries: any[] }} props
 */
function Strip({ one, tries }) {
  const from = (/** @type {any} */ { intent, outcome }) => intent?.at ?? outcome.at - (outcome.total_ms ?? 0);
  const start = from(tries[0]);
  const end = Math.max(...tries.map((each) => from(each) + (each.outcome?.total_ms ?? 0)));
  const part = (/** @type {number} */ ms) => `${(Math.max(0, ms) / Math.max(1, end - start)) * 100}%`;
  const { outcome } = one;
  const tone = outcome.error === GONE ? "rest" : outcome.error ? "bad" : 1;
  return html`<svg class="stripe tone-${tone}" width="100%" height="10" aria-hidden="true" dir="ltr"><rect class="rail"
    width="100%" height="10" rx="3" />
    <rect class="fill waits" x=${part(from(one) - start)} width=${part(outcome.total_ms)} height="10" rx="3" />
    ${outcome.first_ms != null && html`<rect class="fill" x=${part(from(one) - start + outcome.first_ms)}
      width=${part(outcome.total_ms - outcome.first_ms)} height="10" rx="3" />`}</svg>`;
}

/** The entry as it is sealed. @param {{ entry: any }} props */
function Raw({ entry }) {
  const kinds = { intent: t("The intent, written before it was sent"), outcome: t("The outcome"),
    admin: t("The entry") };
  return html`<details class="raw"><summary>${kinds[/** @type {"intent"} */ (entry.kind)]
    ?? entry.kind}: ${t("entry {seq}", { seq: exact(entry.seq) })}</summary>
    <dl class="pairs">${Object.entries(entry).filter(([, value]) => value !== ""
      && value != null).map(([name, value]) => html`<div key=${name}><dt>${name}</dt>
      <dd><code>${typeof value === "object" ? JSON.stringify(value) : String(value)}</code></dd></div>`)}</dl>
        </details>`;
}

/** @param {{ data: any }} props */
function Bodies({ data }) {
  const parts = { request: t("what was asked"), reply: t("what was answered") };
  const read = () => ask({
    title: t("Read the words of this call?"), action: t("Read them"),
    body: html`<p>${t("That you read them is written on the ledger, with your name.")}</p>`,
    run: async () => {
      const { bodies } = await call("GET", `/api/admin/ledger/calls/${encodeURIComponent(data.call)}/bodies`);
      void openDialog((close) => html`<${Words} bodies=${bodies} close=${close} />`,
        { label: t("The words of this call"), class: "wide" });
    },
  }).catch((error) => toast(problem(error).message));
  return html`<section class="section"><div class="section-head"><h2>${t("Words that were kept")}</h2>
      ${me.changes && data.bodies_kept.some((/** @type {any} */ one) => !one.erased_at)
        && html`<button type="button" class="button" onClick=${read}>${t("Read them")}</button>`}</div>
    <ul class="plain card">${data.bodies_kept.map((/** @type {any} */ one) => html`<li
      key="${one.attempt} ${one.part}">${t("Attempt {n}, {part}:",
        { n: one.attempt + 1, part: parts[/** @type {"reply"} */ (one.part)] ?? one.part })} ${
      one.erased_at ? html`<span class="faint">${t("erased {ago}", { ago: ago(one.erased_at) })}${one.erased_why
        && `: ${one.erased_why}`}</span>` : html`<span class="faint">
          ${[one.media, one.bytes != null && size(one.bytes)].filter(Boolean).join(", ")}</span>`}</li>`)}</ul>
            </section>`;
}

/** @param {{ bodies: any[], close: () => void }} props */
function Words({ bodies, close }) {
  return html`<${Sheet} title=${t("The words of this call")}
    close=${close}>${bodies.map((body) => html`<section key="${body.attempt} ${body.part}"><h3>
      ${t("Attempt {n}, {part}:", { n: body.attempt + 1, part: body.part })}</h3>
    <pre class="sample" tabindex="0"><code>${body.text != null ? pretty(body.text) : body.base64 ?? NONE}</code></pre>
      </section>`)}<//>`;
}

/** @param {string} text */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // a stream of events, say
  }
}
