// The map of the keys. Shows what app.js does; does nothing itself but turn single keys off.

import { html, useState } from "./vendor/preact.mjs";
import { session } from "./door.js";
import { t } from "./i18n.js";
import { saveSettings } from "./app.js";
import { Head, openDialog } from "./ui.js";

export function openKeys() {
  return openDialog((close) => html`<${Keys} close=${close} />`, { label: t("Keyboard") });
}

/** @param {{close: () => void}} given */
function Keys({ close }) {
  const [single, setSingle] = useState(session.member?.settings.single_keys !== false);
  const mac = /Mac|iPhone|iPad/.test(navigator.platform);
  const ctrl = mac ? "⌘" : t("Ctrl");
  const [shift, alt] = mac ? ["⇧", "⌥"] : [t("Shift"), t("Alt")];
  const wide = session.member?.settings.send === "ctrl-enter";
  /** @type {[string, string[]][]} */
  const all = [
    [t("Send"), wide ? [ctrl, "Enter"] : ["Enter"]],
    [t("A new line"), wide ? ["Enter"] : [shift, "Enter"]],
    [t("Stop the answer"), ["Esc"]],
    [t("New chat"), [ctrl, shift, "O"]],
    [t("Search"), [ctrl, "K"]],
    [t("To the message box"), single ? ["/"] : [shift, "Esc"]],
    [t("Conversation before, after"), [alt, "↑", "↓"]],
    [t("Copy the last answer"), [ctrl, shift, ";"]],
    [t("Show or hide the conversations"), [ctrl, "B"]],
    [t("This map"), single ? ["?"] : [ctrl, "/"]],
  ];
  const turn = (/** @type {any} */ event) => {
    setSingle(event.target.checked);
    saveSettings({ single_keys: event.target.checked ? null : false });
  };
  return html`<${Head} title=${t("Keyboard")} close=${close} /><div class="body stack">
    <dl class="keys">${all.map(([what, keys]) => html`<div key=${what}><dt>${what}</dt><dd>${keys.map((key) => html`<kbd>${key}</kbd>`)}</dd></div>`)}</dl>
    <label class="field inline"><span>${t("Single keys without Ctrl")}</span><input type="checkbox" role="switch" class="switch" checked=${single} onChange=${turn} /></label></div>`;
}
