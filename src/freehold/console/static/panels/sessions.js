// Where one is signed in, tokens for programs, and the password.

import { html, useState } from "/vendor/preact.mjs";
import { call } from "/door.js";
import { date, t } from "/i18n.js";
import { Field, Problem, Sure, useItems, Waiting } from "/panels/pieces.js";

/** @param {import("./panels.js").Panel} given */
export default function Sessions({ context }) {
  const list = useItems("/api/me/sessions");
  return html`
    <h3>${t("Signed in")}</h3>
    <${Problem} error=${list.error} />
    ${!list.items && !list.error && html`<${Waiting} />`}
    <ul class="lines">${list.items?.map((each) => html`<li key=${each.id}>
      <span><strong dir="auto">${each.name || t("a browser")}</strong> ${each.kind === "token" && html`<span class="badge">${t("token")}</span>`}
        ${each.current && html`<span class="badge">${t("this one")}</span>`}
        <small>${[each.peer, t("last used {when}", { when: date(each.seen_at) }), t("ends {when}", { when: date(each.expires_at) })].filter(Boolean).join(" · ")}</small></span>
      ${!each.current && html`<${Sure} label=${t("End")} question=${t("End this sign-in?")} act=${() => list.remove(each.id)} />`}
    </li>`)}</ul>
    <h3>${t("Tokens for programs")}</h3>
    <${Token} list=${list} />
    ${context.session.oidc?.length > 0 && html`<h3>${t("Sign-in elsewhere")}</h3><${Elsewhere} session=${context.session} />`}
    ${context.session.member?.has_password !== false && html`<h3>${t("Password")}</h3><${Password} name=${context.session.member.name} />`}`;
}

/** @param {any} given */
function Token({ list }) {
  const [name, setName] = useState("");
  const [made, setMade] = useState("");
  const make = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const answer = await list.change(() => call("POST", "/api/me/tokens", { name: name.trim(), days: 90 }));
    if (answer) {
      setMade(answer.token);
      setName("");
    }
  };
  return html`
    <p class="aside">${t("A token does what you may do, through /api, for 90 days. It is shown once.")}</p>
    <form class="row" onSubmit=${make}>
      <label class="visually-hidden" for="token-name">${t("What the token is for")}</label>
      <input class="input" id="token-name" maxlength="64" placeholder=${t("What the token is for")} value=${name} onInput=${(/** @type {any} */ e) => setName(e.target.value)} />
      <button class="button" disabled=${!name.trim() || list.busy}>${t("Make a token")}</button>
    </form>
    ${made && html`<p role="status">${t("Keep it now; it is not shown again:")} <code class="secret">${made}</code></p>`}`;
}

/** Ties the account to an identity at a provider, so that one may come in by it; or unties it. @param {any} given */
function Elsewhere({ session }) {
  const [linked, setLinked] = useState(session.member.linked);
  const [error, setError] = useState("");
  const act = async (/** @type {() => Promise<void>} */ work) => {
    try {
      await work();
      setError("");
    } catch (problem) {
      setError(/** @type {Error} */ (problem).message);
    }
  };
  const untie = () => act(async () => {
    await call("DELETE", "/api/me/identity");
    setLinked(false);
  });
  const tie = (/** @type {string} */ provider) => act(async () => {
    const { url } = await call("POST", "/api/me/identity", { provider, next: location.pathname });
    location.assign(url);
  });
  return html`<div class="toolbar">
      ${linked
        ? html`<span>${t("Your account is tied to an identity elsewhere.")}</span> <${Sure} label=${t("Untie")} question=${t("Untie it?")} act=${untie} />`
        : session.oidc.map((/** @type {any} */ each) => html`<button type="button" class="button" key=${each.id} onClick=${() => tie(each.id)}>${t("Sign in by {name} as well", { name: each.name })}</button>`)}
    </div>
    <${Problem} error=${error} />`;
}

/** @param {any} given */
function Password({ name }) {
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [said, setSaid] = useState({ error: "", done: false });
  const change = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      await call("POST", "/api/me/password", { old, new: fresh });
      setOld("");
      setFresh("");
      setSaid({ error: "", done: true });
    } catch (problem) {
      setSaid({ error: /** @type {Error} */ (problem).message, done: false });
    }
  };
  return html`<form class="stack" onSubmit=${change}>
    <input class="visually-hidden" autocomplete="username" value=${name} readonly tabindex="-1" aria-hidden="true" />
    <${Field} label=${t("The one you have")} id="password-old"><input class="input" id="password-old" type="password" autocomplete="current-password" required value=${old} onInput=${(/** @type {any} */ e) => setOld(e.target.value)} /><//>
    <${Field} label=${t("The new one")} id="password-new" hint=${t("At least 12 characters; a few words do well.")}><input class="input" id="password-new" type="password" autocomplete="new-password" minlength="12" required aria-describedby="password-new-hint" value=${fresh} onInput=${(/** @type {any} */ e) => setFresh(e.target.value)} /><//>
    <${Problem} error=${said.error} />
    ${said.done && html`<p role="status">${t("Changed. Your other sign-ins have ended.")}</p>`}
    <div class="toolbar"><button class="button">${t("Change the password")}</button></div>
  </form>`;
}
