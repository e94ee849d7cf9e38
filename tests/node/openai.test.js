// The official openai package for Node, unchanged, against the door at FREEHOLD_URL.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { AzureOpenAI } from "openai";

const url = process.env.FREEHOLD_URL;
const apiKey = process.env.FREEHOLD_KEY;
const model = process.env.FREEHOLD_MODEL;
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, timeout: 20_000 });
const messages = [{ role: "user", content: "hello from node" }];
const said = "You said: hello from node";
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

test("whole", async () => {
  const reply = await client.chat.completions.create({ model, messages });
  assert.equal(reply.choices[0].message.content, said);
  assert.ok(reply.usage.total_tokens > 0);
  assert.ok(reply._request_id);
});

test("streamed, with usage", async () => {
  const stream = await client.chat.completions.create({
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, said);
  assert.ok(usage.completion_tokens > 0);
});

test("stream helper", async () => {
  const runner = client.chat.completions.stream({ model, messages });
  let deltas = 0;
  runner.on("content", () => (deltas += 1));
  const final = await runner.finalChatCompletion();
  assert.equal(final.choices[0].message.content, said);
  assert.ok(deltas > 2);
});

test("tools, streamed in fragments and run by the helper", async () => {
  const runner = client.chat.completions.runTools({
    model,
    stream: true,
    messages: [{ role: "user", content: "get_weather" }],
    tools: [
      {
        type: "function",
        function: {
          ...weather.function,
          parse: JSON.parse,
          function: ({ city }) => `sunny in ${city}`,
        },
      },
    ],
  }, { maxChatCompletions: 1 });
  const result = await runner.finalFunctionToolCallResult();
  assert.equal(result, "sunny in get_weather");
});

test("abort ends the stream at once", async () => {
  const stream = await client.chat.completions.create({ model: "paced", messages, stream: true });
  let chunks = 0;
  const began = performance.now();
  try {
    for await (const _ of stream) {
      chunks += 1;
      if (chunks === 4) stream.controller.abort();
    }
  } catch (error) {
    assert.equal(error.name, "APIUserAbortError");
  }
  assert.ok(chunks >= 4 && chunks < 8, `${chunks} chunks`);
  assert.ok(performance.now() - began < 1500);
});

test("errors by class", async () => {
  const cases = [
    ["no-such-model", OpenAI.NotFoundError, "model_not_found"],
    ["limited", OpenAI.RateLimitError, null],
    ["too-long", OpenAI.BadRequestError, "context_length_exceeded"],
    ["broken", OpenAI.InternalServerError, null],
  ];
  for (const [name, kind, code] of cases) {
    await assert.rejects(client.chat.completions.create({ model: name, messages }), (error) => {
      assert.ok(error instanceof kind, `${name}: ${error}`);
      if (code) assert.equal(error.code, code);
      return true;
    });
  }
  const stranger = new OpenAI({ baseURL: `${url}/v1`, apiKey: "sk-nobody", maxRetries: 0 });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});

test("an error in mid-stream rejects", async () => {
  const stream = await client.chat.completions.create({ model: "midway", messages, stream: true });
  let text = "";
  await assert.rejects(async () => {
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  }, OpenAI.APIError);
  assert.ok(text.length > 0 && said.startsWith(text));
});

test("embeddings and models", async () => {
  const made = await client.embeddings.create({ model, input: ["one house", "two"] });
  assert.equal(made.data.length, 2);
  assert.equal(made.data[0].embedding.length, 32);
  const names = [];
  for await (const card of client.models.list()) names.push(card.id);
  assert.ok(names.includes(model));
});

test("AzureOpenAI", async () => {
  const azure = new AzureOpenAI({
    endpoint: url,
    apiKey,
    apiVersion: process.env.FREEHOLD_API_VERSION,
    deployment: model,
    maxRetries: 0,
  });
  const reply = await azure.chat.completions.create({ model: "", messages });
  assert.equal(reply.choices[0].message.content, said);
  assert.ok(reply.choices[0].content_filter_results);
});
