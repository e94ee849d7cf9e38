// Talks to the door as any other client does. Knows the API; refuses to know the page.

export class DoorError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function refuse(response) {
  let message = `the door answered ${response.status}`;
  try {
    message = (await response.json()).error.message;
  } catch {
    // no error object of ours: the status says it
  }
  throw new DoorError(message, response.status);
}

/** The models that `key` may chat with: `{id, maker}` each. */
export async function models(key) {
  const response = await fetch("/v1/models", { headers: { authorization: `Bearer ${key}` } });
  if (!response.ok) await refuse(response);
  const listed = (await response.json()).data;
  return listed
    .filter(({ id, freehold }) => !id.endsWith("/*") && (!freehold?.capabilities || freehold.capabilities.includes("chat")))
    .map(({ id, freehold }) => ({ id, maker: freehold?.maker }));
}

/** Streams one answer: calls `onText(piece)` as it arrives and returns what is known of it afterwards. */
export async function chat({ key, model, messages, signal, onText }) {
  const began = performance.now();
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    signal,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", "x-freehold-comments": "1" },
    body: JSON.stringify({ model, messages, stream: true, stream_options: { include_usage: true } }),
  });
  if (!response.ok) await refuse(response);
  const facts = { deployment: response.headers.get("x-freehold-deployment") };
  let whole = false;
  for await (const { data, cost } of events(response.body)) {
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
    const piece = event.choices?.[0]?.delta?.content;
    if (piece) {
      facts.first ??= performance.now() - began;
      onText(piece);
    }
  }
  if (!whole) throw new DoorError("the answer broke off", 502);
  facts.seconds = (performance.now() - began) / 1000;
  return facts;
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
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
