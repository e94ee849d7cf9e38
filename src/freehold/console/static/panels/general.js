// The person's own preferences: name, language, looks, how a message is sent.

import { html, useState } from "/vendor/preact.mjs";
import { call } from "/door.js";
import { t } from "/i18n.js";
import { Field, Problem } from "/panels/pieces.js";

const LOCALES = { "": "", en: "English", de: "Deutsch", fr: "Français", ar: "العربية" };

/** @param {import("./panels.js").Panel} given */
export default function General({ context }) {
  const member = context.session.member ?? {};
  const [settings, setSettings] = useState({ ...member.settings });
  const [display, setDisplay] = useState(member.display ?? "");
  const [error, setError] = useState("");
  const save = async (/** @type {any} */ body) => {
    try {
      const answer = await call("PATCH", "/api/me", body);
      Object.assign(member, answer);
      setError("");
      context.changed?.("settings");
    } catch (problem) {
      setError(/** @type {Error} */ (problem).message);
    }
  };
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) => {
    const value = event.target.value || null;
    setSettings({ ...settings, [name]: value });
    save({ settings: { [name]: value } });
  };
  return html`<div class="stack">
    <${Field} label=${t("Your name, as it is shown")} id="general-name">
      <input class="input" id="general-name" maxlength="100" dir="auto" value=${display} onInput=${(/** @type {any} */ e) => setDisplay(e.target.value)}
        onBlur=${() => display.trim() && display !== member.display && save({ display: display.trim() })} /><//>
    <${Field} label=${t("Language")} id="general-locale">
      <select class="select" id="general-locale" value=${settings.locale ?? ""} onChange=${set("locale")}>
        ${Object.entries(LOCALES).map(([code, name]) => html`<option key=${code} value=${code} lang=${code || undefined}>${name || t("as the browser says")}</option>`)}
      </select><//>
    <${Field} label=${t("Colours")} id="general-theme">
      <select class="select" id="general-theme" value=${settings.theme ?? ""} onChange=${set("theme")}>
        <option value="">${t("as the system says")}</option><option value="light">${t("light")}</option><option value="dark">${t("dark")}</option>
      </select><//>
    <${Field} label=${t("A message is sent by")} id="general-send">
      <select class="select" id="general-send" value=${settings.send ?? "enter"} onChange=${set("send")}>
        <option value="enter">${t("Enter; Shift+Enter makes a line")}</option>
        <option value="ctrl-enter">${t("Ctrl+Enter; Enter makes a line")}</option>
      </select><//>
    <${Problem} error=${error} />
  </div>`;
}
