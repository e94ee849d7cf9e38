// Decisions about words, a line each: what followed, for what, who decided. Refuses to know whose call it was.

import { t } from "../i18n.js";
import { action, category, decider, severity } from "./guards_words.js";
import { html } from "./hooks.js";
import { Badge } from "./parts.js";

/** What was decided, a line each. @param {{ rows: any[] }} props */
export function Verdicts({ rows }) {
  return html`<ul class="plain">${rows.map((one, n) => html`<li key=${n}>
    <${Badge} tone=${one.action === "note" ? "" : one.dry ? "warn" : "bad"}>
      ${one.dry ? t("would be {action}", { action: action(one.action) }) : action(one.action)}<//>
    ${" "}${category(one.category)}${severity(one.severity) && `, ${severity(one.severity)}`}
    ${" "}<small>${one.side === "output" ? t("in the answer") : t("in the question")} · ${one.policy
      ? t("{who}, by policy {policy}", { who: decider(one.by), policy: one.policy }) : decider(one.by)}</small></li>`)}
    </ul>`;
}
