// Who administered what, and when: read from the ledger, so that nobody can take it back.

import { t } from "../i18n.js";
import { stamp } from "./format.js";
import { html } from "./hooks.js";
import { go, useAddress, useResource, withQuery } from "./place.js";
import { Empty, Head, Loaded, Table } from "./parts.js";

export default function Audit() {
  const { query } = useAddress();
  const wanted = new URLSearchParams([...query].filter(([name, value]) => ["act", "member", "before"].includes(name)
    && value));
  const of = useResource(`/api/admin/audit?${wanted}`);
  const members = useResource("/api/admin/members");
  const set = (/** @type {Record<string, string>} */ change) =>
    go(withQuery({ before: null, ...change }), { replace: true });
  return html`<${Head} title=${t("Audit")}
    note=${t("Every act of administration, from here and from the command line, is an entry on the ledger. So is reading what people wrote.")} />
    <div class="toolbar filters"><div class="field"><label for="audit-act">${t("Act")}</label><input class="input"
      id="audit-act" list="acts" value=${query.get("act") ?? ""} placeholder="key.create"
        onChange=${(/** @type {any} */ event) => set({ act: event.currentTarget.value.trim() })} /></div>
      <datalist id="acts">${["key.create", "key.revoke", "team.create", "member.create", "member.role",
        "member.disable", "session.revoke", "password.reset", "bodies.read", "ledger.export",
          "person.erase", "seen.export", "model.pull"].map((act) => html`<option key=${act} value=${act} />`)}</datalist>
      <div class="field"><label for="audit-by">${t("By")}</label><select class="select" id="audit-by"
        value=${query.get("member") ?? ""} onChange=${(/** @type {any} */ event) =>
          set({ member: event.currentTarget.value })}>
        <option value="">${t("anybody")}</option>${(members.data?.members
          ?? []).map((/** @type {any} */ one) => html`<option key=${one.id}
            value=${one.id}>${one.display || one.name}</option>`)}</select></div></div>
    <${Loaded} of=${of}>${(/** @type {any} */ data) => html`<${Table} label=${t("Acts of administration")}
      columns=${columns()} rows=${data.entries} keyOf=${(/** @type {any} */ row) => row.seq}
        empty=${html`<div class="card"><${Empty} title=${t("No act to show")}><p>
          ${wanted.size ? t("Nothing was done that these filters let through.")
            : t("Make a key or invite somebody: the first act is written then.")}</p><//></div>`} />
      <nav class="pager" aria-label=${t("Pages")}>${query.get("before")
        && html`<a class="button" href=${withQuery({ before: null })}>${t("To the beginning")}</a>`}
        ${data.next != null && html`<a class="button" href=${withQuery({ before: String(data.next) })}>
          ${t("Next page")}</a>`}</nav>`}<//>`;
}

/** @returns {import("./parts.js").Column[]} */
function columns() {
  return [
    { name: "at", label: t("When"), main: true, whole: true, cell: (row) => stamp(row.at) },
    { name: "by", label: t("By"), cell: (row) => (!row.by || row.by === "command line" ? t("command line") : row.by) },
    { name: "act", label: t("Act"), cell: (row) => html`<code>${row.act}</code>` },
    { name: "about", label: t("About"), cell: (row) => html`<span
      class="about">${Object.entries(row.about).filter(([, value]) => value !== ""
        && value != null).map(([name, value]) => html`<span key=${name}><span
          class="faint">${name}</span> ${told(value)}</span>`)}</span>` },
    { name: "seq", label: t("Entry"), numeric: true, cell: (row) => html`<span title=${row.hash}>${row.seq}</span>` },
  ];
}

/** @param {any} value */
const told = (value) => (Array.isArray(value) ? value.join(", ") : typeof value === "object" ? JSON.stringify(value)
  : String(value));
