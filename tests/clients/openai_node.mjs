// SPDX-License-Identifier: MIT
// openai (npm) against GLM_TEST_URL: its accumulators must give what the whole answers are. Prints a line a case.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.env.GLM_TEST_URL + '/v1', apiKey: 'none', maxRetries: 0 });
const model = 'glm-test';
const parameters = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } };
const empty = { type: 'object', properties: {} };
const tools = [
  { type: 'function', function: { name: 'get_weather', parameters } },
  { type: 'function', function: { name: 'now', parameters: empty } },
];
const user = (content) => [{ role: 'user', content }];
const essence = (completion) => {
  const { message, finish_reason } = completion.choices[0];
  const calls = (message.tool_calls ?? []).map((c) => [c.function.name, c.function.arguments]);
  return { content: message.content, calls, finish_reason };
};

const cases = {
  async chat_stream_is_whole() {
    for (const [text, more] of [['Say hello.', {}], ['What is the weather in Oslo?', { tools }]]) {
      const whole = await client.chat.completions.create({ model, messages: user(text), ...more });
      const stream = client.chat.completions.stream({ model, messages: user(text), ...more });
      let reasoning = ''; // the accumulator does not know of it
      for await (const chunk of stream) reasoning += chunk.choices[0]?.delta.reasoning_content ?? '';
      assert.deepEqual(essence(await stream.finalChatCompletion()), essence(whole));
      assert.equal(reasoning, whole.choices[0].message.reasoning_content);
    }
  },
  async responses_stream_is_whole() {
    const flat = tools.map((t) => ({ type: 'function', strict: false, ...t.function }));
    const strip = (r) => r.output.map((i) => ({ type: i.type, content: i.content?.map((p) => p.text), name: i.name, arguments: i.arguments }));
    const body = { model, input: 'What is the weather in Oslo?', tools: flat };
    const whole = await client.responses.create(body);
    const stream = client.responses.stream(body);
    const items = [];
    for await (const event of stream) {
      assert.notEqual(event.type, 'error');
      if (event.type === 'response.output_item.done') items.push(event.item.id);
    }
    const final = await stream.finalResponse();
    assert.deepEqual(strip(final), strip(whole));
    assert.deepEqual(final.output.map((i) => i.id), items);
  },
  async cancel() {
    const stream = await client.chat.completions.create({ model, messages: user('Count slowly.'), stream: true });
    let n = 0;
    for await (const chunk of stream) if (chunk && ++n === 12) break;
  },
  async error() {
    await assert.rejects(client.chat.completions.create({ model, messages: [] }),
      (e) => e.status === 400 && e.error.type === 'invalid_request_error');
    await assert.rejects(client.embeddings.create({ model, input: 'x' }), (e) => e.status === 501);
  },
};

for (const [name, run] of Object.entries(cases)) {
  await run();
  console.log('ok', name);
}
