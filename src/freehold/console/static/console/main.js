// The console's frame: who is here, where they are, which screen is drawn. Refuses to know what screens show.

import { html, render } from "../vendor/preact.mjs";
import { refresh } from "../door.js";
import { setLocale, t } from "../i18n.js";
import { useEffect, useRef, useState } from "./hooks.js";
import { Icon } from "./icons.js";
import { follow, me, role, signIn, useAddress } from "./place.js";
import { Empty, Trouble } from "./parts.js";

/**
 * @typedef {{ id: string, label: () => string, load: () => Promise<{ default: any }> }} Screen
 */

/** @type {[() => string, Screen[]][]} */
const GROUPS = [
  [() => t("Watch"), [
    { id: "", label: () => t("Overview"), load: () => import("./overview.js") },
    { id: "ledger", label: () => t("Ledger"), load: () => import("./ledger.js") },
    { id: "audit", label: () => t("Audit"), load: () => import("./audit.js") },
  ]],
  [() => t("Independence"), [
    { id: "dependency", label: () => t("Dependency"), load: () => import("./dependency.js") },
    { id: "gap", label: () => t("What would be lost"), load: () => import("./gap.js") },
    { id: "contracts", label: () => t("Contracts"), load: () => import("./contracts.js") },
    { id: "settlement", label: () => t("Settlement"), load: () => import("./settlement.js") },
    { id: "guards", label: () => t("Guards"), load: () => import("./guards.js") },
    { id: "seen", label: () => t("Who saw what"), load: () => import("./seen.js") },
  ]],
  [() => t("Models"), [
    { id: "deployments", label: () => t("Deployments"), load: () => import("./deployments.js") },
    { id: "models", label: () => t("Own models"), load: () => import("./models.js") },
  ]],
  [() => t("Access"), [
    { id: "keys", label: () => t("Keys"), load: () => import("./keys.js") },
    { id: "teams", label: () => t("Teams and budgets"), load: () => import("./teams.js") },
    { id: "members", label: () => t("Members"), load: () => import("./members.js") },
  ]],
  [() => t("Server"), [{ id: "settings", label: () => t("Settings"), load: () => import("./settings.js") }]],
];
const SCREENS = GROUPS.flatMap(([, screens]) => screens);

/** @param {{ open: boolean, current: string, onDone: () => void }} props */
function Side({ open, current, onDone }) {
  return html`<nav class="side ${open ? "open" : ""}" id="side" aria-label=${t("Console")}>
    ${GROUPS.map(([heading, screens]) => html`<section key=${heading()}><h2>${heading()}</h2><ul>
      ${screens.map(({ id, label }) => html`<li key=${id}><a href=${id ? `/console/${id}` : "/console"}
        onClick=${onDone}
        aria-current=${id === current ? "page" : undefined}><${Icon} name=${id || "overview"} />${label()}</a></li>`)}
          </ul></section>`)}
    <section class="side-end"><a href="/"><${Icon} name="chat" />${t("Back to chat")}</a>
      <p class="faint small">${me.member?.display || me.member?.name}<br
        />${role(me.member?.role ?? "")}${me.version && ` · Freehold ${me.version}`}</p></section>
  </nav>`;
}

function Console() {
  const { path } = useAddress();
  const [, current = "", rest = ""] = /^\/console\/?([^/]*)\/?(.*)$/.exec(path) ?? [];
  const screen = SCREENS.find(({ id }) => id === current);
  const [drawn, setDrawn] = useState(/** @type {{ id: string, view: any } | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const [open, setOpen] = useState(false);
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const first = useRef(true);
  useEffect(() => {
    let here = true;
    setError(null);
    setOpen(false);
    screen?.load().then(
      (module) => here && setDrawn({ id: screen.id, view: module.default }),
      () => here && setError({ message: t("This screen could not be loaded. See that the server is reachable, then load the page again.") }),
    );
    return () => void (here = false);
  }, [current]);
  useEffect(() => {
    // A new screen is announced by its heading; on the first load the reader begins at the top, as on any page.
    if (first.current) first.current = !drawn;
    else {
      /** @type {HTMLElement | null | undefined} */ (main.current?.querySelector("h1"))?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
  }, [drawn?.id, rest]);
  const body = error ? html`<${Trouble} error=${error} />`
    : !screen ? html`<${Empty} title=${t("There is no such screen")}><a class="button"
      href="/console">${t("To the overview")}</a><//>`
      : drawn?.id === screen.id ? html`<${drawn.view} key=${screen.id} rest=${decodeURIComponent(rest)} />`
        : html`<p class="waiting" role="status"><span class="spinner"></span> ${t("Loading")}</p>`;
  return html`<div class="frame">
    <a class="skip button" href="#main" onClick=${(/** @type {Event} */ event) =>
      (event.preventDefault(), main.current?.focus())}>${t("Skip to the content")}</a>
    <header class="bar-top"><button type="button" class="icon-button only-narrow" aria-expanded=${open}
      aria-controls="side"
        aria-label=${t("Screens")} onClick=${() => setOpen(!open)}><${Icon} name=${open ? "close" : "menu"} /></button>
      <a class="brand" href="/console"><img src="/icon.svg" width="24" height="24" alt=""
        />Freehold <span>${t("console")}</span></a></header>
    <${Side} open=${open} current=${current} onDone=${() => setOpen(false)} />
    <main id="main" tabindex="-1" ref=${main}>${!me.changes
      && html`<p class="notice reading">${t("You can read everything here and change nothing: your role is auditor.")}
        </p>`}<div class="screen">${body}</div></main>
  </div>`;
}

/** What stands here for those who cannot come in. @param {{ error?: any }} props */
function Closed({ error }) {
  return html`<main class="closed"><div class="card">
    <img src="/icon.svg" width="40" height="40" alt="" /><h1>${t("Freehold console")}</h1>
    ${error ? html`<${Trouble} error=${error} retry=${() => location.reload()} />`
      : me.member ? html`<p>${t("Your role does not open the console. An administrator can make you an auditor or an administrator.")}</p>
        <a class="button primary" href="/">${t("Back to chat")}</a>`
        : html`<p>${t("Here the models, keys, budgets and records of this server are looked after. Sign in to see them.")}</p>
        <a class="button primary" href=${signIn()}>${t("Sign in")}</a>`}
  </div></main>`;
}

async function start() {
  const root = /** @type {HTMLElement} */ (document.getElementById("console"));
  try {
    const here = await refresh();
    me.member = here.member;
    me.version = here.version;
    const { theme, locale } = here.member?.settings ?? {};
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    await setLocale(locale ?? navigator.language);
    document.title = t("Freehold console");
    document.addEventListener("click", follow);
    render(html`<${me.reads ? Console : Closed} />`, root);
  } catch (error) {
    render(html`<${Closed} error=${error} />`, root);
  }
}

void start();
