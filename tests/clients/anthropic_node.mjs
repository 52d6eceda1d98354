// SPDX-License-Identifier: MIT
// @anthropic-ai/sdk against GLM_TEST_URL: its accumulator must give what the whole answer is. Prints a line a case.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic({ baseURL: process.env.GLM_TEST_URL, apiKey: 'none', maxRetries: 0 });
const model = 'glm-test';
const tools = [
  { name: 'get_weather', input_schema: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } } },
  { name: 'now', input_schema: { type: 'object', properties: {} } },
];
const user = (content) => [{ role: 'user', content }];
const strip = (m) => ({ content: m.content.map(({ id, ...block }) => block), stop: m.stop_reason, output: m.usage.output_tokens });

const cases = {
  async stream_is_whole() {
    for (const [text, more] of [['Say hello.', {}], ['What is the weather in Oslo?', { tools }]]) {
      const body = { model, max_tokens: 1000, messages: user(text), ...more };
      const whole = await client.messages.create(body);
      const streamed = await client.messages.stream(body).finalMessage();
      assert.deepEqual(strip(streamed), strip(whole));
      assert.notEqual(streamed.id, whole.id);
    }
  },
  async counting() {
    const counted = await client.messages.countTokens({ model, messages: user('Say hello.'), tools });
    assert.ok(counted.input_tokens > 0);
  },
  async cancel() {
    const stream = client.messages.stream({ model, max_tokens: 30000, messages: user('Count slowly.') });
    let n = 0;
    for await (const event of stream) if (event && ++n === 12) break;
  },
  async error() {
    await assert.rejects(client.messages.create({ model, max_tokens: 10, messages: user('a'.repeat(300000)) }),
      (e) => e.status === 400 && e.message.includes('prompt is too long: '));
  },
};

for (const [name, run] of Object.entries(cases)) {
  await run();
  console.log('ok', name);
}
