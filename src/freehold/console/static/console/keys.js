// Keys: who may call, with which limits, and how much of them is used. A secret is shown once, here, and kept nowhere.

import { call } from "../door.js";
import { t } from "../i18n.js";
import { Menu, openDialog, toast } from "../ui.js";
import { Limit } from "./charts.js";
import { Buttons, Field, Limits, Several, Wrong, takeApart, together, useForm } from "./forms.js";
import { ago, cash, day, exact } from "./format.js";
import { html, useState } from "./hooks.js";
import { Icon } from "./icons.js";
import { go, me, useAddress, useResource, withQuery } from "./place.js";
import { Badge, Copy, Empty, Head, Loaded, Sheet, Table, ask } from "./parts.js";

/** What a limit limits, in words. @param {any} limit */
export function limitName(limit) {
  const measures = { requests: t("Requests"), tokens: t("Tokens"), money: t("Budget") };
  const windows = { minute: t("per minute"), day: t("per day"), month: t("per month"), total: t("in all") };
  return `${measures[/** @type {"money"} */ (limit.measure)]
    ?? limit.measure} ${windows[/** @type {"day"} */ (limit.window)] ?? limit.window}`;
}

/** Limits with how much of each is used. @param {{ limits: any[], none?: string }} props */
export function LimitBars({ limits, none }) {
  if (!limits.length) return html`<span class="faint">${none ?? t("no limit")}</span>`;
  return html`<div class="limits">${limits.map((limit) => {
    const told = (/** @type {string} */ value) => (limit.measure === "money"
      ? cash({ amount: value, currency: limit.currency }) : exact(Number(value)));
    const held = Number(limit.used ?? 0) + Number(limit.reserved ?? 0);
    const text = limit.used == null ? told(limit.amount) : t("{used} of {all}",
      { used: told(String(held)), all: told(limit.amount) });
    return html`<${Limit} key=${limit.limit} label=${limitName(limit)} used=${held} amount=${Number(limit.amount)}
      text=${text} />`;
  })}</div>`;
}

export default function Keys() {
  const { query } = useAddress();
  const all = query.get("all") === "true";
  const of = useResource(`/api/admin/keys${all ? "?all=true" : ""}`, { every: 30_000 });
  const [words, setWords] = useState("");
  const create = () => openDialog((close) => html`<${Create} data=${of.data} close=${close} done=${of.reload} />`,
    { label: t("A new key"), fixed: true });
  return html`<${Head} title=${t("Keys")}
    note=${t("A program calls with a key. Each has its own limits, and can be ended without touching another. People have one of their own.")}
      tools=${me.changes && html`<button type="button" class="button primary" disabled=${!of.data}
        onClick=${create}><${Icon} name="plus" />${t("New key")}</button>`} />
    <div class="toolbar filters"><input class="input search" type="search" aria-label=${t("Find a key")}
      placeholder=${t("Find a key")} value=${words}
        onInput=${(/** @type {any} */ event) => setWords(event.currentTarget.value)} />
      <label class="choice"><input type="checkbox" checked=${all}
        onChange=${() => go(withQuery({ all: all ? null : "true" }), { replace: true })}
          />${t("Revoked ones, too")}</label></div>
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<${Rows}
      rows=${data.keys.filter((/** @type {any} */ key) => found(key, words))} any=${data.keys.length > 0}
        reload=${of.reload} create=${create} />`}<//>`;
}

/** @param {any} key @param {string} words */
const found = (key, words) => [key.name, key.prefix, key.team?.name, key.member?.name,
  key.note].join(" ").toLowerCase().includes(words.trim().toLowerCase());

/** @param {{ rows: any[], any: boolean, reload: () => Promise<void>, create: () => void }} props */
function Rows({ rows, any, reload, create }) {
  const revoke = (/** @type {any} */ key) => ask({
    title: t("Revoke {name}?", { name: key.name }),
    body: html`<p>${t("Every program that calls with {prefix}… is refused from now on. This cannot be undone: a new key has another secret.", { prefix: key.prefix })}</p>
      <p class="faint">${t("Last used: {ago}", { ago: ago(key.last_used) })}</p>`,
    action: t("Revoke the key"),
    run: async () => {
      await call("DELETE", `/api/admin/keys/${encodeURIComponent(key.id)}`);
      toast(t("{name} is revoked", { name: key.name }));
      await reload();
    },
  });
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "name", label: t("Key"), main: true, sort: (row) => row.name,
      cell: (row) => html`${row.name}<small><code>${row.prefix}…</code>${row.note && html` · <bdi>${row.note}</bdi>`}</small>` },
    { name: "state", label: t("State"), sort: (row) => row.state, cell: (row) => html`<${State} row=${row} />` },
    { name: "whose", label: t("Whose"), sort: (row) => row.team?.name ?? row.member?.name,
      cell: (row) => (row.member ? html`<a href="/console/members">${row.member.name}</a>` : row.team
        ? html`<a href="/console/teams">${row.team.name}</a>` : html`<span class="faint">${t("nobody's")}</span>`) },
    { name: "limits", label: t("Limits"), sort: (row) => Math.max(0,
      ...row.limits.map((/** @type {any} */ one) => one.share ?? 0)),
        cell: (row) => html`<${LimitBars} limits=${row.limits}
          none=${row.team_limits.length ? t("those of the team") : undefined} />` },
    { name: "routes", label: t("May call"), cell: (row) =>
      (row.routes ? row.routes.join(", ") : html`<span class="faint">${t("every route")}</span>`) },
    { name: "used", label: t("Last used"), sort: (row) => row.last_used,
      cell: (row) => (row.last_used ? day(row.last_used) : t("never")) },
    { name: "menu", label: t("Actions"), tight: true, cell: (row) => html`<${Menu}
      label=${t("Actions on {name}", { name: row.name })} items=${() => [
      { label: t("Its calls"), href: `/console/ledger?key=${encodeURIComponent(row.id)}` },
      me.changes && row.state !== "revoked" && !row.member && "line",
      me.changes && row.state !== "revoked" && !row.member
        && { label: t("Revoke"), danger: true, run: () => revoke(row) }]} />` },
  ];
  const empty = any ? html`<p class="notice">${t("No key is called that.")}</p>`
    : html`<div class="card"><${Empty} title=${t("No key yet")}><p>
      ${t("Make one for each program, so that one can be ended without the others, and its spending is seen apart.")}</p>
      ${me.changes && html`<button type="button" class="button primary" onClick=${create}>${t("New key")}</button>`}<//>
        </div>`;
  return html`<${Table} label=${t("Keys")} columns=${columns} rows=${rows} keyOf=${(/** @type {any} */ row) => row.id}
    empty=${empty}
    faded=${(/** @type {any} */ row) => row.state !== "active"} />`;
}

/** @param {{ row: any }} props */
function State({ row }) {
  const words = { active: t("In force"), expired: t("Expired"), revoked: t("Revoked"),
    team_disabled: t("Team is stopped") };
  const tone = row.state === "active" ? "good" : row.state === "team_disabled" ? "warn" : "";
  return html`<${Badge} tone=${tone}>${words[/** @type {"active"} */ (row.state)] ?? row.state}<//>
    ${row.state === "active" && row.expires_at && html`<small>
      ${t("ends {ago}", { ago: ago(row.expires_at) })}</small>`}`;
}

/** @param {{ data: any, close: (value?: any) => void, done: () => Promise<void> }} props */
function Create({ data, close, done }) {
  const [made, setMade] = useState(/** @type {any} */ (null));
  const teams = useResource("/api/admin/teams");
  const form = useForm({ name: "", team: "", routes: [], limits: data.default_limits.map(takeApart), expires: "",
    note: "" }, async (values) => {
    setMade(await call("POST", "/api/admin/keys", {
      name: values.name.trim(), team: values.team || undefined, routes: values.routes.length ? values.routes : null,
      limits: values.limits.map(together), expires: values.expires || null, note: values.note.trim() || undefined,
    }));
    await done();
  });
  if (made) return html`<${Secret} made=${made} close=${close} />`;
  const choices = [["", t("no team")], ...(teams.data?.teams
    ?? []).filter((/** @type {any} */ team) => !team.disabled_at).map((/** @type {any} */ team) =>
      [team.id, team.name])];
  return html`<${Sheet} title=${t("A new key")} close=${close} onSubmit=${form.submit}
    footer=${html`<${Buttons} form=${form} onClose=${close} action=${t("Make the key")} />`}>
    <${Wrong} form=${form} />
    <${Field} form=${form} name="name" label=${t("Name")} required
      hint=${t("What calls with it: helpdesk-bot, ci-review")} />
    <${Field} form=${form} name="team" label=${t("Team")} options=${choices}
      hint=${t("Its budget holds for the key, too.")} />
    <${Limits} form=${form} name="limits" label=${t("Limits")}
      hint=${t("A call that would break one is refused, with the time when it may be tried again.")} />
    <${Field} form=${form} name="expires" label=${t("Ends")}
      options=${[["", t("never")], ["7d", t("in a week")], ["30d", t("in a month")], ["90d", t("in three months")],
        ["365d", t("in a year")]]} />
    ${data.routes.length > 0 && html`<${Several} form=${form} name="routes" label=${t("May call")}
      options=${data.routes} hint=${t("None chosen: every route, later ones included.")} />`}
    <${Field} form=${form} name="note" label=${t("Note")} />
  <//>`;
}

/** @param {{ made: any, close: (value?: any) => void }} props */
function Secret({ made, close }) {
  return html`<${Sheet} title=${t("The key of {name}", { name: made.name })} close=${close}
      footer=${html`<button type="button" class="button primary"
        onClick=${() => close(true)}>${t("I have kept it")}</button>`}>
    <p role="status">${t("Copy it now. It is shown this once and kept nowhere; who loses it makes another.")}</p>
    <div class="secret"><code tabindex="0">${made.secret}</code><${Copy} text=${made.secret} label=${t("Copy the key")}
      /></div>
    <p class="faint">${t("A client calls this address with it:")}</p>
    <div class="secret"><code tabindex="0">${location.origin}/v1</code><${Copy} text=${`${location.origin}/v1`}
      label=${t("Copy the address")} /></div>
  <//>`;
}
