// The page: a key, a model, a conversation. Keeps the key for this tab alone; keeps no conversation.

import { h, render } from "./vendor/preact.mjs";
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import htm from "./vendor/htm.mjs";
import { chat, models } from "./door.js";

const html = htm.bind(h);
const KEY = "freehold.key";
const OWN_BOUND = 1024; // tokens: small models of one's own do not always find an end

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
    <label for="key">Your key. It was shown once, when it was made; it stays in this tab.</label>
    <input id="key" name="key" type="password" autocomplete="off" required autofocus />
    ${problem && html`<p class="error" role="alert">${problem}</p>`}
    <button class="go">Open</button>
    <p class="aside">Lost it? It is kept nowhere. Whoever runs this server makes another
      with <code>freehold keys create NAME</code> and ends the old one with <code>freehold keys revoke</code>.</p>
  </form>`;
}

function Conversation({ secret, listed, onLeave }) {
  const [model, setModel] = useState(listed[0]?.id ?? "");
  const [turns, setTurns] = useState([]);
  const [stop, setStop] = useState(null);
  const end = useRef(null);
  useEffect(() => end.current?.scrollIntoView({ block: "end" }), [turns]);

  const answer = (turn, more) => setTurns((all) => [...all.slice(0, -1), { ...turn, ...more }]);

  async function ask(text, earlier = turns) {
    const { id, maker, own } = listed.find(({ id }) => id === model);
    const question = { role: "user", content: text };
    const turn = { role: "assistant", content: "", model, text };
    const facts = { asked: id, maker };
    const controller = new AbortController();
    setTurns([...earlier, question, turn]);
    setStop(() => () => controller.abort());
    const onText = (piece) => {
      turn.content += piece;
      answer(turn);
    };
    try {
      const messages = [...sound(earlier), question].map(({ role, content }) => ({ role, content }));
      const bound = own ? OWN_BOUND : undefined;
      await chat({ key: secret, model, messages, bound, signal: controller.signal, facts, onText });
      answer(turn, { facts });
    } catch (error) {
      // What was stopped stays in the conversation; what failed is shown, and does not go to the model again.
      answer(turn, error.name === "AbortError" ? { facts: { ...facts, stopped: true } } : { error: error.message });
    }
    setStop(null);
  }
  const again = () => ask(turns.at(-1).text, turns.slice(0, -2));

  return html`
    <header>
      <h1>Freehold</h1>
      <select aria-label="model" value=${model} disabled=${Boolean(stop)} onChange=${(event) => setModel(event.target.value)}>
        ${listed.map(({ id }) => html`<option key=${id} value=${id}>${id}</option>`)}
      </select>
      <button onClick=${() => setTurns([])} disabled=${Boolean(stop) || !turns.length}>New</button>
      <button onClick=${onLeave} disabled=${Boolean(stop)}>Leave</button>
    </header>
    <main aria-live="polite" aria-busy=${Boolean(stop)}>
      ${!turns.length && html`<p class="empty">${listed.length ? "Ask something." : "This key reaches no chat model."}</p>`}
      ${turns.map((turn, index) => html`<${Turn} key=${index} turn=${turn}
        waiting=${Boolean(stop) && index === turns.length - 1} again=${!stop && index === turns.length - 1 && again} />`)}
      <div ref=${end}></div>
    </main>
    <footer><${Ask} onAsk=${ask} stop=${stop} ready=${Boolean(model)} /></footer>
  `;
}

/** The turns without the questions that got no answer, and what came instead of one. */
function sound(turns) {
  const failed = (turn) => turn && (turn.error || (turn.role === "assistant" && !turn.content));
  return turns.filter((turn, index) => !failed(turn) && !(turn.role === "user" && failed(turns[index + 1])));
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

function Turn({ turn, waiting, again }) {
  return html`<article class=${turn.role}>
    ${turn.content || (waiting && turn.role === "assistant" && html`<span class="wait" role="status">…</span>`)}
    ${turn.error && html`<div class="error" role="alert">
      <p>${turn.error}</p>
      ${again && html`<button onClick=${again}>Try again</button>`}
    </div>`}
    ${turn.facts && html`<small>${describe(turn.facts)}</small>`}
  </article>`;
}

function describe({ asked, deployment, maker, model, usage, cost, seconds, first, pieces, cut, stopped }) {
  const parts = [...new Set([deployment ?? asked, model].filter(Boolean))];
  if (maker) parts.push(`made by ${maker}`);
  if (usage) parts.push(`${usage.prompt_tokens} tokens in, ${usage.completion_tokens} out`);
  if (usage && seconds > 0) parts.push(`${(usage.completion_tokens / seconds).toFixed(1)} a second`);
  if (first !== undefined) parts.push(`first after ${(first / 1000).toFixed(2)} s`);
  if (stopped) parts.push(`stopped after ${seconds.toFixed(1)} s`, pieces ? `about ${pieces} tokens out` : "nothing had come");
  // "0.000123000 USD": what is free is not worth a word, and zeros at the end say nothing
  if (Number.parseFloat(cost) > 0) parts.push(cost.replace(/(\.\d*?)0+(?= |$)/, "$1").replace(/\.(?= |$)/, ""));
  if (cut) parts.push("cut at its longest: ask it to go on");
  return parts.join(" · ");
}

render(html`<${App} />`, document.getElementById("app"));
