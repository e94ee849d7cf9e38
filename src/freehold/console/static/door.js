// Talks to the door as any other client does. Knows the API; refuses to know the page.

const LOOK = "See that the server runs (`freehold status`) and that this machine is online, then try again.";

export class DoorError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** `fetch`, with a refusal of the network said in words; an abort stays what it is. */
async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new DoorError(`There is no answer. ${LOOK}`, 0);
  }
}

async function refuse(response) {
  let message = `Something between this page and the server answered ${response.status}. Ask whoever runs it.`;
  try {
    message = (await response.json()).error.message;
  } catch {
    // no error object of ours: a proxy's page, say
  }
  throw new DoorError(message, response.status);
}

/** The models that `key` may chat with: `{id, maker, own}` each; `own` runs on the server's own machine. */
export async function models(key) {
  const response = await reach("/v1/models", { headers: { authorization: `Bearer ${key}` } });
  if (!response.ok) await refuse(response);
  const listed = (await response.json()).data;
  return listed
    .filter(({ id, freehold }) => !id.endsWith("/*") && (!freehold?.capabilities || freehold.capabilities.includes("chat")))
    .map(({ id, freehold }) => ({ id, maker: freehold?.maker, own: freehold?.host === "own" }));
}

/**
 * Streams one answer: calls `onText(piece)` as it arrives, and writes what is known of it into `facts` as it becomes
 * known, so that something is known of an answer that was stopped as well.
 */
export async function chat({ key, model, messages, bound, signal, facts, onText }) {
  const began = performance.now();
  facts.pieces = 0;
  signal.addEventListener("abort", () => (facts.seconds = (performance.now() - began) / 1000));
  const response = await reach("/v1/chat/completions", {
    method: "POST",
    signal,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", "x-freehold-comments": "1" },
    body: JSON.stringify({ model, messages, max_tokens: bound, stream: true, stream_options: { include_usage: true } }),
  });
  if (!response.ok) await refuse(response);
  facts.deployment = response.headers.get("x-freehold-deployment");
  let whole = false;
  for await (const { data, cost } of events(response.body)) {
    facts.seconds = (performance.now() - began) / 1000;
    if (cost !== undefined) {
      facts.cost = cost;
      continue;
    }
    if (data === "[DONE]") {
      whole = true;
      break;
    }
    const event = JSON.parse(data);
    if (event.error) throw new DoorError(event.error.message, 502);
    facts.model = event.model ?? facts.model;
    if (event.usage) facts.usage = event.usage;
    const choice = event.choices?.[0];
    if (choice?.finish_reason === "length") facts.cut = true;
    const piece = choice?.delta?.content;
    if (piece) {
      facts.first ??= performance.now() - began;
      facts.pieces += 1;
      onText(piece);
    }
  }
  if (!whole) throw new DoorError(`The answer broke off. ${LOOK}`, 502);
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await piece(reader);
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r/);
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data:")) yield { data: line.slice(5).trim() };
      // The price of a stream is known at its end, in a comment that other clients pass over.
      else if (line.startsWith(": x-freehold-cost ")) yield { cost: line.slice(18).trim() };
    }
  }
}

async function piece(reader) {
  try {
    return await reader.read();
  } catch (error) {
    throw error.name === "AbortError" ? error : new DoorError(`The answer broke off: the connection is gone. ${LOOK}`, 0);
  }
}
