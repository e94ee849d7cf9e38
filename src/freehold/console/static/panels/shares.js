// All links that one has given out, and an end to each.

import { html } from "/vendor/preact.mjs";
import { t } from "/i18n.js";
import { Problem, useItems, Waiting } from "/panels/pieces.js";
import { Links } from "/panels/share.js";

export default function Shares() {
  const list = useItems("/api/shares");
  const live = list.items?.filter((each) => !each.revoked_at) ?? [];
  return html`
    <p class="aside">${t("Whoever has one of these links reads that conversation, without signing in.")}</p>
    <${Problem} error=${list.error} />
    ${!list.items && !list.error && html`<${Waiting} />`}
    ${list.items && !live.length && html`<p class="empty">${t("Nothing is shared. A conversation is shared from its own menu.")}</p>`}
    <${Links} links=${live} list=${list} />`;
}
