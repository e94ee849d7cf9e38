// The place beside the talk where something that a model made is opened. Knows which talk it is of; refuses to know how it is shown.

import { html, useEffect, useRef } from "./vendor/preact.mjs";
import { branch, change, state, textOf, useStore } from "./store.js";
import { collect, find } from "./artifacts.js";

/** @typedef {import("./artifacts.js").ArtifactPanel} Panel */

/** All that the shown branch says, answers side by side as well. */
function said() {
  const steps = state.open ? branch(state.open.messages, state.open.leaf) : [];
  return steps.flatMap(({ message, beside }) => (beside.length ? beside : [message])).map((message) => ({ id: message.id, text: textOf(message) }));
}

export function Beside() {
  const shown = useStore((now) => now.beside);
  const talk = useStore((now) => now.open?.id ?? "");
  const box = useRef(/** @type {Panel | null} */ (null));
  const before = useRef(/** @type {{talk: string, focus: Element | null}} */ ({ talk, focus: document.activeElement }));
  const close = () => {
    change({ beside: null });
    const { focus } = before.current;
    if (focus instanceof HTMLElement && focus.isConnected) focus.focus();
  };
  useEffect(() => {
    const { artifact, at } = find(shown, collect(said()));
    before.current.focus = document.activeElement;
    box.current?.show(artifact, at);
    /** @type {HTMLElement | null | undefined} */ (box.current?.querySelector(".artifact-close"))?.focus();
  }, [shown]);
  useEffect(() => {
    if (talk !== before.current.talk) change({ beside: null });
  }, [talk]);
  useEffect(() => {
    const node = box.current;
    node?.addEventListener("close", close);
    return () => node?.removeEventListener("close", close);
  }, []);
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    close();
  };
  return html`<fh-artifact class="beside" ref=${box} onKeyDown=${key}></fh-artifact>`;
}
