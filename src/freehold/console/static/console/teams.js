// Teams and their budgets. What a team may use holds for all its keys and members together.

import { call } from "../door.js";
import { plural, t } from "../i18n.js";
import { Menu, openDialog, toast } from "../ui.js";
import { Buttons, Field, Limits, Wrong, takeApart, together, useForm } from "./forms.js";
import { span } from "./format.js";
import { html } from "./hooks.js";
import { Icon } from "./icons.js";
import { LimitBars } from "./keys.js";
import { me, problem, useResource } from "./place.js";
import { Badge, Empty, Head, Loaded, Sheet, ask } from "./parts.js";

const PATH = "/api/admin/teams";

export default function Teams() {
  const of = useResource(PATH, { every: 30_000 });
  const edit = (/** @type {any} */ team) => openDialog((close) => html`<${Edit} team=${team} close=${close}
    done=${of.reload} />`,
    { label: team ? t("Limits of {name}", { name: team.name }) : t("A new team") });
  const create = html`<button type="button" class="button primary" onClick=${() => edit(null)}><${Icon} name="plus"
    />${t("New team")}</button>`;
  return html`<${Head} title=${t("Teams and budgets")}
    note=${t("A budget is set aside before a call and settled after it, so that it holds however many call at once.")}
      tools=${me.changes && create} />
    <${Loaded} of=${of}>${(/** @type {any} */ data) => (data.teams.length
      ? html`<ul class="grid teams plain">${data.teams.map((/** @type {any} */ team) => html`<${Team} key=${team.id}
        team=${team} edit=${edit} reload=${of.reload} />`)}</ul>`
      : html`<div class="card"><${Empty} title=${t("No team yet")}><p>
        ${t("A team shares a budget: give it one, then put its keys and members in it.")}</p>${me.changes && create}<//>
          </div>`)}<//>`;
}

/** @param {{ team: any, edit: (team: any) => void, reload: () => Promise<void> }} props */
function Team({ team, edit, reload }) {
  const stop = (/** @type {boolean} */ disabled) => async () => {
    await call("PATCH", `${PATH}/${encodeURIComponent(team.id)}`, { disabled });
    toast(disabled ? t("{name} is stopped", { name: team.name }) : t("{name} may call again", { name: team.name }));
    await reload();
  };
  const disable = () => ask({
    title: t("Stop {name}?", { name: team.name }),
    body: html`<p>${t("{keys} and {members} are refused from now on, until the team is let in again. Nothing is removed.", {
      keys: plural(team.keys, "{n} key", "{n} keys"), members: plural(team.members, "{n} member",
        "{n} members") })}</p>`,
    action: t("Stop the team"),
    run: stop(true),
  });
  const enable = () => stop(false)().catch((error) => toast(problem(error).message));
  const soonest = team.limits.map((/** @type {any} */ limit) => limit.window === "minute" ? null
    : limit.resets_in).filter((/** @type {any} */ one) =>
      one != null).sort((/** @type {number} */ a, /** @type {number} */ b) => a - b)[0];
  return html`<li class="card team ${team.disabled_at ? "faded" : ""}"><div
    class="section-head"><div><h2>${team.name}</h2>
      <p class="faint">${plural(team.keys, "{n} key", "{n} keys")} · ${plural(team.members, "{n} member",
        "{n} members")}</p></div>
      <div class="row">${team.disabled_at && html`<${Badge} tone="warn">${t("Stopped")}<//>`}
        <${Menu} label=${t("Actions on {name}", { name: team.name })} items=${() => [
          me.changes && { label: t("Change limits"), run: () => edit(team) },
          { label: t("Its calls"), href: `/console/ledger?team=${encodeURIComponent(team.id)}` },
          me.changes && "line",
          me.changes && (team.disabled_at ? { label: t("Let in again"), run: enable } : { label: t("Stop the team"),
            danger: true, run: disable })]} /></div></div>
    <${LimitBars} limits=${team.limits} none=${t("No limit of its own: its keys have theirs.")} />
    ${soonest != null && html`<p class="faint small">${t("begins anew in {time}", { time: span(soonest * 1000) })}</p>`}
  </li>`;
}

/** @param {{ team: any, close: () => void, done: () => Promise<void> }} props */
function Edit({ team, close, done }) {
  const form = useForm({ name: "", limits: team ? team.limits.map((/** @type {any} */ one) => takeApart(one.limit))
    : [takeApart("budget=100.00 USD/month")] }, async (values) => {
    const limits = values.limits.map(together);
    if (team) await call("PATCH", `${PATH}/${encodeURIComponent(team.id)}`, { limits });
    else await call("POST", PATH, { name: values.name.trim(), limits });
    close();
    toast(team ? t("The limits of {name} are in force", { name: team.name })
      : t("{name} is made", { name: values.name }));
    await done();
  });
  return html`<${Sheet} title=${team ? t("Limits of {name}", { name: team.name }) : t("A new team")} close=${close}
    onSubmit=${form.submit}
      footer=${html`<${Buttons} form=${form} onClose=${close}
        action=${team ? t("Set the limits") : t("Make the team")} />`}>
    <${Wrong} form=${form} />
    ${!team && html`<${Field} form=${form} name="name" label=${t("Name")} required />`}
    <${Limits} form=${form} name="limits" label=${t("Limits")}
      hint=${t("They hold for all keys and members of the team together.")} />
  <//>`;
}
