// People: their roles, invitations, and where they are signed in. Refuses to know what they talk about.

import { call } from "../door.js";
import { listed, plural, t } from "../i18n.js";
import { Menu, openDialog, toast } from "../ui.js";
import { Buttons, Field, Wrong, useForm } from "./forms.js";
import { ago, moment } from "./format.js";
import { html, useState } from "./hooks.js";
import { Icon } from "./icons.js";
import { me, problem, role, useResource } from "./place.js";
import { Badge, Copy, Empty, Head, Loaded, Sheet, Table, ask } from "./parts.js";

const PATH = "/api/admin/members";
const ROLES = ["member", "auditor", "admin", "owner"];

/** @param {string} id */
const one = (id) => `${PATH}/${encodeURIComponent(id)}`;

/** Nobody touches who stands above them. @param {any} member */
const mayTouch = (member) => me.changes && ROLES.indexOf(member.role) <= ROLES.indexOf(me.member?.role ?? "member");

/** The roles that one may give: up to one's own. @returns {[string, string][]} */
const rolesToGive = () => ROLES.slice(0, ROLES.indexOf(me.member?.role ?? "member") + 1).map((name) =>
  [name, `${role(name)}: ${means(name)}`]);

/** @param {string} name */
const means = (name) => ({ member: t("uses the chat"), auditor: t("reads this console as well"),
  admin: t("changes things here"), owner: t("everything, and other owners") })[name] ?? "";

export default function Members() {
  const of = useResource(PATH, { every: 30_000 });
  const create = () => openDialog((close) => html`<${Create} close=${close} done=${of.reload} />`,
    { label: t("Invite somebody"), fixed: true });
  return html`<div><${Head} title=${t("Members")}
    note=${t("People who sign in here. Each has a key of their own behind the scenes: budgets and limits hold for them as for any program.")}
      tools=${me.changes && html`<button type="button" class="button primary" onClick=${create}><${Icon} name="plus"
        />${t("Invite somebody")}</button>`} />
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<${Rows} rows=${data.members} reload=${of.reload} />`}<//>
    <${Sessions} /></div>`;
}

/** @param {{ rows: any[], reload: () => Promise<void> }} props */
function Rows({ rows, reload }) {
  const act = async (/** @type {Promise<any>} */ promise, /** @type {string} */ said) => {
    const answer = await promise;
    toast(said);
    await reload();
    return answer;
  };
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "name", label: t("Member"), main: true, sort: (row) => row.display || row.name,
      cell: (row) => html`${row.display || row.name}${row.id === me.member?.id
        && html` <span class="faint">${t("(you)")}</span>`}<small>${row.name}</small>` },
    { name: "role", label: t("Role"), sort: (row) => ROLES.indexOf(row.role), cell: (row) => role(row.role) },
    { name: "state", label: t("State"), sort: (row) => row.disabled_at,
      cell: (row) => (row.disabled_at ? html`<${Badge} tone="warn">${t("Stopped")}<//>` : row.last_seen_at
        || row.has_password || row.subject ? html`<${Badge}
          tone="good">${t("In force")}<//>` : html`<${Badge}>${t("Invited")}<//>`) },
    { name: "team", label: t("Team"), sort: (row) => row.team?.name, cell: (row) => row.team?.name
      ?? html`<span class="faint">${t("no team")}</span>` },
    { name: "signs", label: t("Signs in by"), cell: (row) =>
      listed([row.has_password && t("password"), row.subject && t("single sign-on")])
        || html`<span class="faint">${t("not yet")}</span>` },
    { name: "seen", label: t("Last seen"), sort: (row) => row.last_seen_at,
      cell: (row) => html`${ago(row.last_seen_at)}${row.sessions > 0
        && html`<small>${plural(row.sessions, "{n} session", "{n} sessions")}</small>`}` },
    { name: "menu", label: t("Actions"), tight: true, cell: (row) => html`<${Menu}
      label=${t("Actions on {name}", { name: row.name })} items=${() => actions(row, act, reload)} />` },
  ];
  return html`<${Table} label=${t("Members")} columns=${columns} rows=${rows}
    keyOf=${(/** @type {any} */ row) => row.id} faded=${(/** @type {any} */ row) => row.disabled_at}
    empty=${html`<div class="card"><${Empty} title=${t("Nobody yet")}><p>
      ${t("Invite a colleague: you get a link to send to them.")}</p><//></div>`} />`;
}

/**
 * @param {any} row
 * @param {(promise: Promise<any>, said: string) => Promise<any>} act
 * @param {() => Promise<void>} reload
 */
function actions(row, act, reload) {
  const name = row.display || row.name;
  const refused = (/** @type {any} */ error) => toast(problem(error).message);
  const its = { label: t("Their calls"), href: `/console/ledger?key=${encodeURIComponent(row.key)}` };
  if (!mayTouch(row)) return [its];
  const change = () => openDialog((close) => html`<${Change} row=${row} close=${close} done=${reload} />`,
    { label: t("Change {name}", { name }) });
  const invite = () => call("POST", `${one(row.id)}/invitation`).then((link) =>
    openDialog((close) => html`<${Link} name=${name} link=${link} close=${close} />`,
      { label: t("A link for {name}", { name }) })).catch(refused);
  const disable = () => ask({ title: t("Stop {name}?", { name }), action: t("Stop the member"),
    body: html`<p>${t("All their sessions end and their key is refused, in programs as well. Conversations and files stay, and come back when the member is let in again.")}</p>`,
    run: () => act(call("PATCH", one(row.id), { disabled: true }), t("{name} is stopped", { name })) });
  const end = () => ask({ title: t("Sign {name} out everywhere?", { name }), action: t("End the sessions"),
    body: html`<p>${plural(row.sessions, "{n} session ends, and tokens of programs with it.",
      "{n} sessions end, and tokens of programs with them.")}</p>`,
    run: () => act(call("DELETE", `${one(row.id)}/sessions`), t("{name} is signed out", { name })) });
  const untie = () => ask({ title: t("Untie {name} from single sign-on?", { name }), action: t("Untie"),
    body: html`<p>${t("{name} can no longer sign in as {subject}, until an invitation or a password lets them in.",
      { name, subject: row.subject })}</p>`,
    run: () => act(call("DELETE", `${one(row.id)}/identity`), t("{name} is untied", { name })) });
  return [
    { label: t("Change"), run: change },
    its,
    !row.disabled_at && { label: row.has_password ? t("Link for a new password") : t("Link to sign in"), run: invite },
    row.sessions > 0 && { label: t("Sign out everywhere"), run: end },
    row.subject && { label: t("Untie from single sign-on"), run: untie },
    row.id !== me.member?.id && "line",
    row.id !== me.member?.id && (row.disabled_at
      ? { label: t("Let in again"), run: () => act(call("PATCH", one(row.id), { disabled: false }),
        t("{name} may sign in again", { name })).catch(refused) }
      : { label: t("Stop the member"), danger: true, run: disable }),
  ];
}

/** @param {{ close: (value?: any) => void, done: () => Promise<void> }} props */
function Create({ close, done }) {
  const teams = useTeams();
  const [made, setMade] = useState(/** @type {any} */ (null));
  const form = useForm({ name: "", display: "", role: "member", team: "" }, async (values) => {
    setMade(await call("POST", PATH, { name: values.name.trim(), display: values.display.trim(), role: values.role,
      team: values.team || null }));
    await done();
  });
  if (made?.link) return html`<${Link} name=${made.display || made.name} link=${made.link} close=${close} />`;
  return html`<${Sheet} title=${t("Invite somebody")} close=${close} onSubmit=${form.submit}
    footer=${html`<${Buttons} form=${form} onClose=${close} action=${t("Make the invitation")} />`}>
    <${Wrong} form=${form} />
    <${Field} form=${form} name="name" label=${t("Name to sign in with")} required
      hint=${t("Letters, digits, dots and dashes: ana.souza")} />
    <${Field} form=${form} name="display" label=${t("Full name")} />
    <${Field} form=${form} name="role" label=${t("Role")} options=${rolesToGive()} required />
    <${Field} form=${form} name="team" label=${t("Team")} options=${teams} />
  <//>`;
}

/** @param {{ row: any, close: () => void, done: () => Promise<void> }} props */
function Change({ row, close, done }) {
  const teams = useTeams();
  const form = useForm({ display: row.display, role: row.role, team: row.team?.id ?? "" }, async (values) => {
    /** @type {Record<string, any>} */
    const change = {};
    if (values.display !== row.display) change.display = values.display.trim();
    if (values.role !== row.role) change.role = values.role;
    if (values.team !== (row.team?.id ?? "")) change.team = values.team || null;
    await call("PATCH", one(row.id), change);
    close();
    toast(t("{name} is changed", { name: values.display || row.name }));
    await done();
  });
  return html`<${Sheet} title=${t("Change {name}", { name: row.display || row.name })} close=${close}
    onSubmit=${form.submit} footer=${html`<${Buttons} form=${form} onClose=${close}
      action=${t("Keep the changes")} />`}>
    <${Wrong} form=${form} />
    <${Field} form=${form} name="display" label=${t("Full name")} />
    <${Field} form=${form} name="role" label=${t("Role")} options=${rolesToGive()} required />
    <${Field} form=${form} name="team" label=${t("Team")} options=${teams} />
  <//>`;
}

/** @returns {[string, string][]} */
function useTeams() {
  const teams = useResource("/api/admin/teams");
  return [["", t("no team")], ...(teams.data?.teams ?? []).map((/** @type {any} */ team) => [team.id, team.name])];
}

/** @param {{ name: string, link: any, close: (value?: any) => void }} props */
function Link({ name, link, close }) {
  return html`<${Sheet} title=${t("A link for {name}", { name })} close=${close}
    footer=${html`<button type="button" class="button primary" onClick=${() => close(true)}>${t("Done")}</button>`}>
    <p role="status">${t("Send it to {name}: whoever opens it chooses the password. It works once, until {time}, and is not shown again.", { name, time: moment(link.expires_at) })}</p>
    <div class="secret"><code tabindex="0">${link.url}</code><${Copy} text=${link.url} label=${t("Copy the link")}
      /></div>
  <//>`;
}

/** Where people are signed in. */
function Sessions() {
  const of = useResource("/api/admin/sessions", { every: 30_000 });
  const end = (/** @type {{ member: any, session: any }} */ { member, session }) => ask({
    title: t("End this session of {name}?", { name: member.name }),
    body: html`<p>${session.current ? t("This is the session that you are using: you will be signed out.")
      : t("{what} from {peer} is signed out at once.", { what: session.name || session.kind, peer: session.peer
        || "?" })}</p>`,
    action: t("End the session"),
    run: async () => {
      await call("DELETE", `/api/admin/sessions/${encodeURIComponent(session.id)}`);
      toast(t("The session has ended"));
      await of.reload();
    },
  });
  /** @type {import("./parts.js").Column[]} */
  const columns = [
    { name: "who", label: t("Member"), main: true, sort: (row) => row.member.name,
      cell: (row) => html`${row.member.name}${row.session.current
        && html` <${Badge} tone="good">${t("this one")}<//>`}` },
    { name: "what", label: t("Where"), sort: (row) => row.session.name, cell: (row) => row.session.name
      || t("a browser") },
    { name: "kind", label: t("Kind"), sort: (row) => row.session.kind,
      cell: (row) => ({ token: t("token of a program"),
        browser: t("browser") })[/** @type {"token"} */ (row.session.kind)] ?? row.session.kind },
    { name: "peer", label: t("Address"), sort: (row) => row.session.peer,
      cell: (row) => html`<code>${row.session.peer}</code>` },
    { name: "seen", label: t("Last used"), sort: (row) => row.session.seen_at,
      cell: (row) => ago(row.session.seen_at) },
    { name: "until", label: t("Ends"), sort: (row) => row.session.expires_at,
      cell: (row) => ago(row.session.expires_at) },
    { name: "menu", label: t("Actions"), tight: true, cell: (row) => me.changes
      && html`<${Menu} label=${t("Actions on the session of {name}", { name: row.member.name })}
        items=${() => [{ label: t("End the session"), danger: true, run: () => end(row) }]} />` },
  ];
  return html`<section class="section"><div class="section-head"><h2>${t("Sessions")}</h2></div>
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<${Table} label=${t("Sessions")} columns=${columns}
      rows=${data.sessions} sorted=${["seen", -1]}
      keyOf=${(/** @type {any} */ row) => row.session.id}
        empty=${html`<p class="notice">${t("Nobody is signed in.")}</p>`} />`}<//></section>`;
}
