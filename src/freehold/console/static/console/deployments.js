// Deployments and the routes that lead to them: who they are, how they fare, what goes where. Tries one out on demand.

import { call } from "../door.js";
import { listed, plural, t } from "../i18n.js";
import { Menu, openDialog } from "../ui.js";
import { Bar } from "./charts.js";
import { Buttons, Field, Wrong, useForm } from "./forms.js";
import { NONE, ago, cash, count, exact, precise, purse, share, span } from "./format.js";
import { html, useState } from "./hooks.js";
import { me, useResource } from "./place.js";
import { Badge, Empty, Facts, Head, Loaded, Sheet, Table } from "./parts.js";

/** @param {any} deployment */
function Health({ health, engine_state: engine, own }) {
  const engines = { ready: t("Loaded"), busy: t("Busy"), asleep: t("Asleep"), starting: t("Starting"),
    failed: t("Failed"), stopped: t("Not running") };
  if (own && engine) {
    const tone = engine === "failed" ? "bad" : engine === "ready" || engine === "busy" ? "good" : "";
    return html`<${Badge} tone=${tone}>${engines[/** @type {"ready"} */ (engine)] ?? engine}<//>`;
  }
  const words = { ok: t("Healthy"), trial: t("On trial"), open: t("Left out"), idle: t("Not called yet") };
  const tone = { ok: "good", trial: "warn", open: "bad", idle: "" }[/** @type {"ok"} */ (health)] ?? "";
  return html`<${Badge} tone=${tone}>${words[/** @type {"ok"} */ (health)] ?? health}<//>`;
}

export default function Deployments() {
  const of = useResource("/api/admin/deployments", { every: 10_000 });
  return html`<${Head} title=${t("Deployments and routes")}
      note=${t("A deployment is a model that can be reached: made, sold and hosted by somebody. A route is the name that clients ask for. Both are written in freehold.toml.")} />
    <${Loaded} of=${of}>${(/** @type {any} */ data) => (data.deployments.length
      ? html`<${Rows} rows=${data.deployments} /><${Routes} routes=${data.routes} />`
      : html`<div class="card"><${Empty} title=${t("No deployment yet")}><p>
        ${t("Name one in freehold.toml, or pull a model of your own: the table below is a beginning.")}</p>
        <pre class="sample"><code>
          ${'[deployments.gpt]\nkind = "openai"\nmodel = "gpt-4o-mini"\nkey = { env = "OPENAI_API_KEY" }'}</code></pre>
        <a class="button" href="/console/models">${t("Own models")}</a><//></div>`)}<//>`;
}

/** @param {{ rows: any[] }} props */
function Rows({ rows }) {
  const show = (/** @type {any} */ row) => openDialog((close) => html`<${Details} row=${row} close=${close} />`,
    { label: row.name, class: "wide" });
  const attempt = (/** @type {any} */ row) => openDialog((close) => html`<${Try} row=${row} close=${close} />`,
    { label: t("Try {name}", { name: row.name }) });
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "name", label: t("Deployment"), main: true, sort: (row) => row.name,
      cell: (row) => html`<button type="button" class="link"
        onClick=${() => show(row)}>${row.name}</button><small>${row.model}</small>` },
    { name: "health", label: t("State"), sort: (row) => row.health,
      cell: (row) => html`<${Health} ...${row} />${row.last_error
        && html`<small>${row.last_error.code}, ${ago(row.last_error.at)}</small>`}` },
    { name: "parties", label: t("Maker, seller, host"), sort: (row) => row.maker,
      cell: (row) => html`<${Parties} row=${row} />` },
    { name: "calls", label: t("Last hour"), numeric: true, sort: (row) => row.hour.attempts,
      cell: (row) => html`${count(row.hour.attempts)}${row.hour.failed_attempts > 0
        && html`<small>${t("{share} failed", { share: share(row.hour.failed_attempts / row.hour.attempts) })}
          </small>`}` },
    { name: "first", label: t("First token"), numeric: true, sort: (row) => row.hour.latency.first_p50,
      cell: (row) => (row.hour.attempts ? span(row.hour.latency.first_p50) : NONE) },
    { name: "price", label: t("Price in, out"), numeric: true, sort: (row) => Number(row.price?.output ?? 0),
      cell: (row) => html`<${Price} row=${row} />` },
    { name: "inflight", label: t("In flight"), numeric: true, sort: (row) => row.inflight,
      cell: (row) => (row.max_inflight ? t("{n} of {most}", { n: exact(row.inflight), most: exact(row.max_inflight) })
        : exact(row.inflight)) },
    { name: "menu", label: t("Actions"), tight: true, cell: (row) => html`<${Menu}
      label=${t("Actions on {name}", { name: row.name })} items=${() => [
      me.changes && { label: t("Try it"), run: () => attempt(row) },
      { label: t("Details"), run: () => show(row) },
      { label: t("Its calls"), href: `/console/ledger?deployment=${encodeURIComponent(row.name)}` }]} />` },
  ];
  return html`<${Table} label=${t("Deployments")} columns=${columns} rows=${rows}
    keyOf=${(/** @type {any} */ row) => row.name} />`;
}

/** Who made, sold and hosts it; one word when it is one and the same. @param {{ row: any }} props */
function Parties({ row }) {
  const name = (/** @type {string} */ id) => (id === "own" ? t("ourselves") : id || t("not named"));
  const [maker, seller, host] = [name(row.maker), name(row.seller), name(row.host)];
  const all = maker === seller && seller === host ? maker : seller === host
    ? `${maker} · ${seller}` : `${maker} · ${seller} · ${host}`;
  return html`${all}<small>${[row.region, row.contract].filter(Boolean).join(" · ")}</small>`;
}

/** @param {{ row: any }} props */
function Price({ row }) {
  if (!row.price) return row.own ? t("own computers") : t("not known");
  const { input, output, currency } = row.price;
  return html`${listed([input, output].map((amount) => cash({ amount, currency })))}<small>
    ${t("per million")}</small>`;
}

/** @param {{ row: any, close: () => void }} props */
function Details({ row, close }) {
  const circuits = { closed: t("lets calls through"), open: t("leaves it out"), half_open: t("tries one call") };
  return html`<${Sheet} title=${row.name} close=${close}>
    <div class="row"><${Health} ...${row} />${row.engine_reason && html`<span>${row.engine_reason}</span>`}</div>
    <${Facts} rows=${[
      [t("Model as it is sent"), html`<code>${row.model}</code>`], [t("Kind"), row.kind], [t("Address"), row.endpoint],
        [t("Engine"), row.engine],
      [t("Maker"), row.maker], [t("Seller"), row.seller], [t("Host"), row.host], [t("Region"), row.region],
        [t("Chips"), row.chips], [t("Contract"), row.contract],
      [t("Context"), row.context && plural(row.context, "{n} token", "{n} tokens")],
        [t("Longest answer"), row.max_output && plural(row.max_output, "{n} token", "{n} tokens")],
      [t("Price per million tokens"), row.price && t("{input} in, {output} out, {cached} cached",
        { input: cash({ amount: row.price.input, currency: row.price.currency }),
        output: cash({ amount: row.price.output, currency: row.price.currency }), cached: row.price.cached
          ? cash({ amount: row.price.cached, currency: row.price.currency }) : NONE })],
      [t("The price is from"), row.price && (row.price.own ? t("the configuration") : t("the shipped price book"))],
      [t("Time limits"), t("{connect} to connect, {first} to the first byte, {idle} of silence, {total} in all",
        { connect: span(row.timeouts.connect * 1000),
        first: span(row.timeouts.first_byte * 1000), idle: span(row.timeouts.idle * 1000),
          total: span(row.timeouts.total * 1000) })],
      [t("Tries again"), exact(row.retries)],
      [t("Spent in the last hour"), purse(row.hour.cost)],
      [t("95 % of answers within"), span(row.hour.latency.p95)],
    ]} />
    <div><h3>${t("Capabilities")}</h3>${row.capabilities ? html`<ul
      class="tags">${row.capabilities.map((/** @type {string} */ one) => html`<li
        key=${one}><${Badge}>${one}<//></li>`)}</ul>`
      : html`<p class="faint">${t("Not declared and not probed: it is taken to be able to do everything.")}</p>`}</div>
    <div><h3>${t("Routes that lead here")}</h3><ul class="tags">
      ${row.routes.map((/** @type {string} */ one) => html`<li key=${one}><${Badge}>${one}<//></li>`)}</ul></div>
    ${row.workers.length > 0 && html`<div><h3>${t("As each worker sees it")}</h3><ul
      class="plain">${row.workers.map((/** @type {any} */ one) => html`<li key=${one.index}>
      ${t("Worker {n}: {circuit}, {calls}", { n: one.index, circuit: circuits[/** @type {"open"} */ (one.circuit)]
        ?? one.circuit, calls: plural(one.inflight, "{n} call in flight", "{n} calls in flight") })}</li>`)}</ul>
          </div>`}
  <//>`;
}

/** @param {{ row: any, close: () => void }} props */
function Try({ row, close }) {
  const [result, setResult] = useState(/** @type {any} */ (null));
  const form = useForm({ prompt: t("Say hello in one sentence.") }, async ({ prompt }) => {
    setResult(null);
    setResult(await call("POST", `/api/admin/deployments/${encodeURIComponent(row.name)}/try`, { prompt }));
  });
  return html`<${Sheet} title=${t("Try {name}", { name: row.name })} close=${close} onSubmit=${form.submit}
      footer=${html`<${Buttons} form=${form} onClose=${close} action=${result ? t("Try again") : t("Send")}
        leave=${t("Close")} />`}>
    <p class="faint">${t("It is called as any client would, recorded on the ledger and billed to your own key.")}</p>
    <${Field} form=${form} name="prompt" label=${t("What to say")} rows=${2} required />
    <${Wrong} form=${form} />
    <div role="status">${result && (result.ok
      ? html`<div class="stack"><blockquote class="answer" dir="auto">${result.text}</blockquote><${Facts} rows=${[
          [t("Answered by"), html`<code>${result.answered}</code>`],
            [t("First token"), result.first_ms && span(result.first_ms)], [t("In all"), span(result.total_ms)],
          [t("Tokens"), t("{input} in, {output} out", { input: exact(result.input), output: exact(result.output) })],
            [t("Cost"), result.cost && precise(result.cost)],
          [t("On the ledger"), html`<a href="/console/ledger/${result.call}"
            onClick=${close}>${t("Open the record")}</a>`]]} /></div>`
      : html`<div class="error"><strong>${result.error?.code}</strong><p>${result.error?.message}</p></div>`)}</div>
  <//>`;
}

/** @param {{ routes: any[] }} props */
function Routes({ routes }) {
  const [plain, own] = [routes.filter((route) => !route.own_name), routes.filter((route) => route.own_name)];
  return html`<section class="section"><div class="section-head"><h2>${t("Routes")}</h2></div>
    ${plain.length > 0 ? html`<ul class="grid two plain">
      ${plain.map((route) => html`<${Route} key=${route.name} route=${route} />`)}</ul>`
      : html`<p class="notice">
        ${t("No route is written down: each deployment is reached by its own name. A table [routes.NAME] spreads calls and names who steps in.")}</p>`}
    ${own.length > 0 && html`<p class="faint after">${t("Reached by their own names, too:")} ${own.map((route) =>
      route.name).join(", ")}</p>`}
  </section>`;
}

/** @param {{ route: any }} props */
function Route({ route }) {
  const live = route.targets.some((/** @type {any} */ target) => target.live && target.weight);
  return html`<li class="card route"><div class="section-head"><h3>${route.name}</h3>
      <div class="row">${route.wildcard && html`<${Badge}>${t("any model below this name")}<//>`}${route.on_loss
        && html`<${Badge}>${route.on_loss === "strict" ? t("refuses what cannot be honoured")
          : t("drops what cannot be honoured")}<//>`}</div></div>
    <ul class="plain weights">${route.targets.map((/** @type {any} */ target, /** @type {number} */ n) => html`<li
      key=${target.deployment}>
      <span>${target.deployment}${!target.live && html` <${Badge} tone="bad">${t("Left out")}<//>`}</span><span
        class="numeric">${share(target.share)}</span>
      <${Bar} value=${target.share} tone=${target.live ? (n % 6) + 1 : "rest"} /></li>`)}</ul>
    ${route.fallback.length > 0 && html`<p class="small">
      ${live ? html`<span class="faint">${t("If they fail:")}</span>` : html`<strong>
        ${t("Now in their place:")}</strong>`} ${route.fallback.join(" → ")}</p>`}
  </li>`;
}
