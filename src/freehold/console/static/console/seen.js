// Who saw what: of a person, beyond a region, and what has to be erased. Three questions, one at a time, whose answer
// stands in the address. Refuses to reckon: the server does.

import { t } from "../i18n.js";
import { Choice } from "./forms.js";
import { html } from "./hooks.js";
import { go, useAddress, useResource, withQuery } from "./place.js";
import { Empty, Head, Pick } from "./parts.js";
import Held from "./seen_held.js";
import Left from "./seen_left.js";
import Person from "./seen_person.js";
import { Text } from "./seen_pieces.js";

/** @returns {[string, string, string][]} */
const questions = () => [
  ["person", t("Who saw the words of a person?"), t("Which parties, under which terms, until when they may keep them; and what is held here. For whoever asks what is known of them.")],
  ["left", t("What left a region?"), t("Calls that were served elsewhere, or whose words were seen by somebody who is seated elsewhere. What nobody says the place of is told apart.")],
  ["erase", t("What must be erased?"), t("What others may still hold, until when it goes by itself, and what their contracts owe us. Where it must be asked for, there is a draft of the letter.")],
];

/** @param {{ rest: string }} props */
export default function Seen({ rest }) {
  const { query } = useAddress();
  const all = questions();
  const [id, , note] = all.find(([one]) => one === rest) ?? all[0] ?? ["person", "", ""];
  const turn = (/** @type {string} */ to) => go(`/console/seen/${to}${location.search}`);
  return html`<${Head} title=${t("Who saw what")} note=${note} />
    <div class="toolbar before questions"><${Pick} label=${t("Question")} value=${id}
      options=${all.map(([one, words]) => [one, words])} onChange=${turn} /></div>
    ${id === "left" ? html`<${Left} query=${query} />` : html`<${Whose} query=${query} optional=${id === "erase"} />
      ${id === "erase" ? html`<${Held} query=${query} />` : chosen(query) ? html`<${Person} query=${query} />`
        : html`<div class="card"><${Empty} title=${t("Whose words?")}><p>
          ${t("Choose a member, a key, or a user as programs name them. All that is chosen is taken together.")}</p><//></div>`}`}`;
}

/** @param {URLSearchParams} query */
const chosen = (query) => query.get("member") || query.get("key") || query.get("user");

/** Whose calls are meant. @param {{ query: URLSearchParams, optional: boolean }} props */
function Whose({ query, optional }) {
  const members = useResource("/api/admin/members");
  const keys = useResource("/api/admin/keys?all=true");
  const set = (/** @type {Record<string, string>} */ change) => go(withQuery(change), { replace: true });
  /** @type {[string, string][]} */
  const people = (members.data?.members ?? []).map((/** @type {any} */ one) => [one.name, one.display || one.name]);
  /** @type {[string, string][]} */
  const all = (keys.data?.keys ?? []).filter((/** @type {any} */ one) => !one.member)
    .map((/** @type {any} */ one) => [one.id, one.name]);
  const nobody = optional ? t("everybody") : t("nobody");
  return html`<div class="card filter-grid whose before" role="group" aria-label=${t("Whose words?")}>
    <${Choice} label=${t("Member")} value=${query.get("member") ?? ""} options=${people} all=${nobody}
      onChange=${(/** @type {string} */ member) => set({ member })} />
    <${Choice} label=${t("Key")} value=${query.get("key") ?? ""} options=${all} all=${nobody}
      onChange=${(/** @type {string} */ key) => set({ key })} />
    <${Text} label=${t("User that programs name")} value=${query.get("user") ?? ""}
      onChange=${(/** @type {string} */ user) => set({ user: user.replace(/[\\,]/g, "\\$&") })} /></div>`;
}
