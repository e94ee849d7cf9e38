// The page: a key, a model, a conversation. Keeps the key for this tab alone; keeps no conversation.

import { h, render } from "./vendor/preact.mjs";
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import htm from "./vendor/htm.mjs";
import { chat, models } from "./door.js";

const html = htm.bind(h);
const KEY = "freehold.key";

function App() {
  const [key, setKey] = useState(sessionStorage.getItem(KEY) ?? "");
  const [listed, setListed] = useState(null);
  const [problem, setProblem] = useState("");

  async function enter(candidate) {
    try {
      setListed(await models(candidate));
      sessionStorage.setItem(KEY, candidate);
      setKey(candidate);
      setProblem("");
    } catch (error) {
      if (error.status === 401) sessionStorage.removeItem(KEY);
      setProblem(error.message);
    }
  }
  function leave() {
    sessionStorage.removeItem(KEY);
    setKey("");
    setListed(null);
  }
  useEffect(() => {
    if (key) enter(key);
  }, []);

  if (!listed) return html`<${Enter} onKey=${enter} problem=${problem} />`;
  return html`<${Conversation} secret=${key} listed=${listed} onLeave=${leave} />`;
}

function Enter({ onKey, problem }) {
  const submit = (event) => {
    event.preventDefault();
    onKey(new FormData(event.target).get("key").trim());
  };
  return html`<form class="key" onSubmit=${submit}>
    <h1>Freehold</h1>
    <label for="key">Your key. It was shown when it was made; it stays in this tab.</label>
    <input id="key" name="key" type="password" autocomplete="off" required autofocus />
    ${problem && html`<p class="error" role="alert">${problem}</p>`}
    <button class="go">Open</button>
  </form>`;
}

function Conversation({ secret, listed, onLeave }) {
  const [model, setModel] = useState(listed[0]?.id ?? "");
  const [turns, setTurns] = useState([]);
  const [stop, setStop] = useState(null);
  const end = useRef(null);
  useEffect(() => end.current?.scrollIntoView({ block: "end" }), [turns]);

  async function ask(text) {
    const before = [...turns.filter((turn) => !turn.error), { role: "user", content: text }];
    const controller = new AbortController();
    let content = "";
    const show = (more) => setTurns([...before, { role: "assistant", content, ...more }]);
    setStop(() => () => controller.abort());
    show({});
    try {
      const messages = before.map(({ role, content }) => ({ role, content }));
      const onText = (piece) => {
        content += piece;
        show({});
      };
      const facts = await chat({ key: secret, model, messages, signal: controller.signal, onText });
      show({ facts: { ...facts, maker: listed.find(({ id }) => id === model)?.maker } });
    } catch (error) {
      // What was stopped stays in the conversation; what failed does not go to the model again.
      show(error.name === "AbortError" ? { note: "stopped" } : { error: error.message });
    }
    setStop(null);
  }

  return html`
    <header>
      <h1>Freehold</h1>
      <select aria-label="model" value=${model} onChange=${(event) => setModel(event.target.value)}>
        ${listed.map(({ id }) => html`<option key=${id} value=${id}>${id}</option>`)}
      </select>
      <button onClick=${() => setTurns([])} disabled=${Boolean(stop) || !turns.length}>New</button>
      <button onClick=${onLeave} disabled=${Boolean(stop)}>Leave</button>
    </header>
    <main aria-live="polite" aria-busy=${Boolean(stop)}>
      ${!turns.length && html`<p class="empty">${listed.length ? "Ask something." : "This key reaches no chat model."}</p>`}
      ${turns.map((turn, index) => html`<${Turn} key=${index} turn=${turn} />`)}
      <div ref=${end}></div>
    </main>
    <footer><${Ask} onAsk=${ask} stop=${stop} ready=${Boolean(model)} /></footer>
  `;
}

function Ask({ onAsk, stop, ready }) {
  const [text, setText] = useState("");
  const send = (event) => {
    event.preventDefault();
    if (stop || !ready || !text.trim()) return;
    onAsk(text.trim());
    setText("");
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  return html`<form onSubmit=${send}>
    <textarea aria-label="message" rows="1" placeholder="Message" value=${text} autofocus
      onInput=${(event) => setText(event.target.value)} onKeyDown=${onKeyDown}></textarea>
    ${stop
      ? html`<button type="button" key="stop" onClick=${stop}>Stop</button>`
      : html`<button class="go" key="send" disabled=${!ready || !text.trim()}>Send</button>`}
  </form>`;
}

function Turn({ turn }) {
  return html`<article class=${turn.role}>
    ${turn.content}
    ${turn.error && html`<p class="error" role="alert">${turn.error}</p>`}
    ${turn.note && html`<small>${turn.note}</small>`}
    ${turn.facts && html`<small>${describe(turn.facts)}</small>`}
  </article>`;
}

function describe({ deployment, maker, model, usage, cost, seconds, first }) {
  const parts = [deployment ?? model];
  if (model && model !== deployment) parts.push(model);
  if (maker) parts.push(`made by ${maker}`);
  if (usage) parts.push(`${usage.prompt_tokens} + ${usage.completion_tokens} tokens`);
  if (usage && seconds > 0) parts.push(`${(usage.completion_tokens / seconds).toFixed(1)} a second`);
  if (first !== undefined) parts.push(`first after ${(first / 1000).toFixed(2)} s`);
  if (cost) parts.push(cost);
  return parts.join(" · ");
}

render(html`<${App} />`, document.getElementById("app"));
