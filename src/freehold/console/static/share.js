// A conversation that somebody passed on by a link: read, and nothing else. Refuses to know whose it is.

import { html, useEffect, useState } from "./vendor/preact.mjs";
import { call, session } from "./door.js";
import { date, t } from "./i18n.js";
import { Answer, Question } from "./message.js";

/** @param {{token: string}} given */
export function Share({ token }) {
  const [shared, setShared] = useState(/** @type {{title: string, messages: import("./types.js").Message[], created_at: number} | null} */ (null));
  const [problem, setProblem] = useState("");
  useEffect(() => {
    import("./markdown.js").catch(() => {});
    call("GET", `/api/shared/${encodeURIComponent(token)}`, undefined, { quiet: true }).then((found) => {
      document.title = `${found.title} · Freehold`;
      setShared(found);
    }, (error) => setProblem(error.status === 404 ? t("The link was taken back, or was never one.") : error.message));
  }, []);
  if (problem) return html`<main class="shared"><div class="empty"><h1>${t("Nothing is shared here")}</h1><p>${problem}</p></div></main>`;
  if (!shared) return html`<main class="shared"><p class="waiting" role="status"><span class="spinner"></span><span class="visually-hidden">${t("Loading")}</span></p></main>`;
  return html`<main class="shared">
    <header><h1 dir="auto">${shared.title || t("A conversation")}</h1>
      <p class="faint small">${t("Shared on {date}. It is shown as it was then.", { date: date(shared.created_at, { dateStyle: "long" }) })}</p></header>
    <ol class="thread" role="list">${shared.messages.filter(({ role }) => role !== "system").map((message) => (message.role === "user"
      ? html`<li class="turn user" key=${message.id}><${Question} message=${message} turns=${null} fixed=${true} /></li>`
      : html`<li class="turn assistant" key=${message.id}><${Answer} message=${message} turns=${null} fixed=${true} /></li>`))}</ol>
    <footer class="faint small">${session.member ? html`<a href="/">${t("To your own conversations")}</a>` : t("Made with Freehold: every model through one door of one’s own.")}</footer>
  </main>`;
}
