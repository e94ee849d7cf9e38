// Signing in: by password, by a provider of identities, by an invitation; and making the owner. Refuses to know what comes after.

import { html, useEffect, useState } from "./vendor/preact.mjs";
import { call, refresh, session } from "./door.js";
import { t } from "./i18n.js";
import { house } from "./ui.js";

/** @param {{again: boolean, done: () => void, name?: string}} given again: over a page whose session has ended; name: whose that was */
export function SignIn({ again, done, name = "" }) {
  const invitation = /^#invite=(.+)$/.exec(location.hash)?.[1];
  if (session.setup && !again) return html`<${Setup} done=${done} />`;
  if (invitation && !again) return html`<${Invitation} token=${decodeURIComponent(invitation)} done=${done} />`;
  return html`<${Enter} again=${again} known=${name} done=${done} />`;
}

/** A form that is sent once, with its refusal in words.
 * @param {{title: string, about?: any, yes: string, send: (data: Record<string, string>) => Promise<void>, children?: any, below?: any}} given */
function Ask(given) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (/** @type {any} */ event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem("");
    try {
      await given.send(/** @type {Record<string, string>} */ (Object.fromEntries(new FormData(event.target))));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      /** @type {HTMLElement | null} */ (event.target.querySelector("input[type=password]"))?.focus();
    }
    setBusy(false);
  };
  return html`<form class="door" onSubmit=${submit}>
    ${house(40)}<h1>${given.title}</h1>
    ${given.about && html`<p class="faint">${given.about}</p>`}
    ${problem && html`<p class="error" role="alert">${problem}</p>`}
    ${given.children}
    ${given.yes && html`<button class="button primary" disabled=${busy}>${busy && html`<span class="spinner"></span>`}${given.yes}</button>`}
    ${given.below}</form>`;
}

/** @param {{name: string, label: string, hint?: string, value?: string, more?: Record<string, any>}} given */
function Field({ name, label, hint, value, more }) {
  return html`<div class="field"><label for=${`in-${name}`}>${label}</label>
    <input class="input" id=${`in-${name}`} name=${name} value=${value ?? ""} aria-describedby=${hint ? `in-${name}-hint` : undefined} required ...${more} />
    ${hint && html`<span class="hint" id=${`in-${name}-hint`}>${hint}</span>`}</div>`;
}

/** An address of this server, or null for one that leads elsewhere. @param {string | null} address */
export function inside(address) {
  if (!address?.startsWith("/")) return null;
  const url = new URL(address, location.origin);
  return url.origin === location.origin ? url.pathname + url.search + url.hash : null;
}

/** What is said of a sign-in at a provider that failed. @param {string | null} code */
function refused(code) {
  if (!code) return "";
  /** @type {Record<string, string>} */
  const known = {
    oidc_expired: t("That sign-in took too long, or was begun elsewhere. Begin it again."),
    oidc_denied: t("The sign-in was declined."),
    oidc_unreachable: t("The provider of sign-ins does not answer. Try again later, or ask whoever runs this server."),
    oidc_not_allowed: t("This account may not come in here. Ask whoever runs this server to let it."),
    oidc_taken: t("That account belongs to somebody else here."),
    member_disabled: t("This account is disabled. Ask an owner to enable it."),
    signin_throttled: t("Too many sign-ins were begun. Wait a minute, then try again."),
  };
  return known[code] ?? t("The sign-in failed. Begin it again; if it fails once more, ask whoever runs this server.");
}

/** @param {{again: boolean, known: string, done: () => void}} given */
function Enter({ again, known, done }) {
  const query = new URLSearchParams(location.search);
  const wanted = inside(query.get("next"));
  const next = wanted ?? location.pathname;
  const failed = refused(query.get("signin"));
  const send = async (/** @type {Record<string, string>} */ data) => {
    await refresh("POST", "/api/session", data);
    if (wanted && !again) return location.replace(wanted);
    if (query.has("signin")) history.replaceState(null, "", location.pathname);
    done();
  };
  const others = session.oidc.map(({ id, name }) => html`<a class="button" key=${id} href=${`/api/signin/${encodeURIComponent(id)}?next=${encodeURIComponent(next)}`}>
    ${t("Sign in with {name}", { name })}</a>`);
  const about = failed ? html`<span class="error" role="alert">${failed}</span>` : again ? t("Your session has ended. What you wrote is kept.") : "";
  return html`<${Ask} title=${again ? t("Sign in again") : t("Sign in to Freehold")} about=${about} yes=${session.password ? t("Sign in") : ""} send=${send}
    below=${html`${session.password && others.length > 0 && html`<span class="or">${t("or")}</span>`}${others}`}>
    ${session.password && html`<${Field} name="name" label=${t("Name")} value=${known} more=${{ autocomplete: "username", autocapitalize: "none", spellcheck: false, autofocus: !known }} />
      <${Field} name="password" label=${t("Password")} more=${{ type: "password", autocomplete: "current-password", autofocus: Boolean(known) }} />`}<//>`;
}

/** @param {{done: () => void}} given */
function Setup({ done }) {
  const code = decodeURIComponent(/^#setup=(.+)$/.exec(location.hash)?.[1] ?? ""); // the address that the server printed has it
  const send = async (/** @type {Record<string, string>} */ data) => {
    await refresh("POST", "/api/setup", { ...data, display: data.display ?? "", ...(code ? { code } : {}) });
    history.replaceState(null, "", "/");
    done();
  };
  return html`<${Ask} title=${t("Welcome to Freehold")} yes=${t("Make this house mine")} send=${send}
    about=${t("Nobody owns this server yet. You will: you add the models, the people and the budgets, and you can chat at once.")}>
    ${session.code && !code && html`<${Field} name="code" label=${t("Code")}
      hint=${t("It stands where the server was started, and shows that you may do this.")} more=${{ autocomplete: "one-time-code", autofocus: true }} />`}
    <${Field} name="display" label=${t("Your name")} hint=${t("As the others see it")} more=${{ autocomplete: "name", dir: "auto", autofocus: !session.code || Boolean(code) }} />
    <${Field} name="name" label=${t("Name to sign in with")} more=${{ autocomplete: "username", autocapitalize: "none", spellcheck: false }} />
    <${Field} name="password" label=${t("Password")} hint=${t("Twelve characters or more; a short sentence is good")} more=${{ type: "password", autocomplete: "new-password", minlength: 12 }} /><//>`;
}

/** @param {{token: string, done: () => void}} given */
function Invitation({ token, done }) {
  const [who, setWho] = useState(/** @type {{name: string, display: string} | null} */ (null));
  const [problem, setProblem] = useState("");
  useEffect(() => {
    call("POST", "/api/invitations/open", { token }, { quiet: true }).then(setWho, (error) => setProblem(error.message));
  }, []);
  const send = async (/** @type {Record<string, string>} */ data) => {
    await refresh("POST", "/api/invitations/accept", { token, password: data.password, display: data.display });
    history.replaceState(null, "", "/");
    done();
  };
  if (problem) return html`<div class="empty"><h1>${t("This invitation does not open")}</h1><p role="alert">${problem}</p></div>`;
  if (!who) return html`<div class="empty"><span class="spinner" role="status" aria-label=${t("Loading")}></span></div>`;
  return html`<${Ask} title=${t("Welcome, {name}", { name: who.display || who.name })} about=${t("Choose a password, and you are in.")} yes=${t("Begin")} send=${send}>
    <input type="hidden" name="username" autocomplete="username" value=${who.name} />
    <${Field} name="display" label=${t("Your name")} value=${who.display} hint=${t("As the others see it")} more=${{ autocomplete: "name", dir: "auto" }} />
    <${Field} name="password" label=${t("Password")} hint=${t("Twelve characters or more; a short sentence is good")}
      more=${{ type: "password", autocomplete: "new-password", minlength: 12, autofocus: true }} /><//>`;
}
