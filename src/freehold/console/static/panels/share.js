// Shares one conversation by a link, and ends such links. Context: `conversation`.

import { html, useState } from "/vendor/preact.mjs";
import { call } from "/door.js";
import { date, t } from "/i18n.js";
import { Problem, Sure, useItems } from "/panels/pieces.js";

/** @param {import("./panels.js").Panel} given */
export default function Share({ context }) {
  const list = useItems("/api/shares");
  const make = () => list.change(() => call("POST", `/api/conversations/${context.conversation.id}/shares`));
  const mine = list.items?.filter((each) => each.conversation === context.conversation.id && !each.revoked_at) ?? [];
  return html`
    <p class="aside">${t("A link shows this branch as it is now, to whoever has it, without signing in. What you write afterwards is not in it. You can end the link at any time.")}</p>
    <div class="toolbar"><button type="button" class="button primary" disabled=${list.busy} onClick=${make}>${t("Make a link")}</button></div>
    <${Problem} error=${list.error} />
    <${Links} links=${mine} list=${list} />`;
}

/** Links that live, each with a way to copy and to end it. @param {any} given */
export function Links({ links, list }) {
  return html`<ul class="lines">${links.map((/** @type {any} */ each) => html`<${Link} key=${each.id} link=${each} list=${list} />`)}</ul>`;
}

/** @param {any} given */
function Link({ link, list }) {
  const [copied, setCopied] = useState(false);
  const url = new URL(link.url, location.href).href;
  const copy = async () => {
    await navigator.clipboard.writeText(url);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return html`<li class="stacked">
    <span><strong dir="auto">${link.title}</strong> <small>${date(link.created_at)}</small></span>
    <span class="row"><input class="input" readonly value=${url} aria-label=${t("Link to {name}", { name: link.title })} onFocus=${(/** @type {any} */ e) => e.target.select()} />
      <button type="button" class="button" onClick=${copy}>${copied ? t("Copied") : t("Copy")}</button>
      <${Sure} label=${t("End link")} question=${t("End this link?")} act=${() => list.remove(link.id)} /></span></li>`;
}
