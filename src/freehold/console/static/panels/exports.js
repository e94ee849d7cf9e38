// Moving out: everything of one's own, as files that others read.

import { html } from "/vendor/preact.mjs";
import { t } from "/i18n.js";

export default function Exports() {
  return html`
    <p class="aside">${t("All of this is yours: conversations with every branch, files, and which model of whom answered what, at what cost.")}</p>
    <ul class="lines">
      <li><span><strong>${t("Everything, as a ZIP")}</strong> <small>${t("JSON and Markdown, with the files. “freehold import” reads it back.")}</small></span>
        <a class="button primary" href="/api/export?format=zip" download>${t("Download")}</a></li>
      <li><span><strong>${t("Conversations, as one JSON file")}</strong> <small>${t("For programs.")}</small></span>
        <a class="button" href="/api/export?format=json" download>${t("Download")}</a></li>
    </ul>
    <p class="aside">${t("A single conversation is exported from its own menu.")}</p>`;
}
