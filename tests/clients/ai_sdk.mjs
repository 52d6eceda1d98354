// SPDX-License-Identifier: MIT
// The AI SDK against GLM_TEST_URL, by both of its providers; opencode and Cline stand on it. Prints a line a case.
import assert from 'node:assert/strict';
import { generateText, streamText, stepCountIs, tool, jsonSchema } from 'ai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { createAnthropic } from '@ai-sdk/anthropic';

const url = process.env.GLM_TEST_URL;
const models = {
  openai: createOpenAICompatible({ name: 'glm', baseURL: url + '/v1', includeUsage: true })('glm-test'),
  anthropic: createAnthropic({ baseURL: url + '/v1', apiKey: 'none' })('glm-test'),
};
const tools = {
  get_weather: tool({
    inputSchema: jsonSchema({ type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } }),
    execute: async ({ city, days }) => (assert.deepEqual([city, days], ['Oslo', 3]), '4 C'),
  }),
  now: tool({ inputSchema: jsonSchema({ type: 'object', properties: {} }), execute: async () => '12:00' }),
};
const common = { maxRetries: 0, maxOutputTokens: 1000 };

for (const [provider, model] of Object.entries(models)) {
  const whole = await generateText({ model, prompt: 'Say hello.', ...common });
  assert.deepEqual([whole.text, whole.reasoningText, whole.finishReason], ['Hello there.', 'A greeting.', 'stop']);
  const stream = streamText({ model, prompt: 'Say hello.', ...common });
  assert.equal(await stream.text, 'Hello there.');
  assert.equal(await stream.reasoningText, 'A greeting.');
  assert.ok((await stream.usage).outputTokens > 0);
  console.log('ok', provider, 'plain');

  const steps = await generateText({ model, tools, prompt: 'What is the weather in Oslo?', stopWhen: stepCountIs(3), ...common });
  assert.equal(steps.text, 'It is 4 C in Oslo.');
  const streamed = streamText({ model, tools, prompt: 'What is the weather in Oslo?', stopWhen: stepCountIs(3), ...common });
  assert.equal((await streamed.text).endsWith('It is 4 C in Oslo.'), true);
  assert.equal((await streamed.steps).length, 2);
  console.log('ok', provider, 'tools');

  const control = new AbortController();
  const slow = streamText({ model, prompt: 'Count slowly.', abortSignal: control.signal, onError() {}, ...common, maxOutputTokens: 30000 });
  let n = 0;
  for await (const part of slow.fullStream) {
    if (part.type === 'abort') break;
    if (++n === 12) control.abort();
  }
  console.log('ok', provider, 'cancel');

  await assert.rejects(generateText({ model, prompt: 'a'.repeat(300000), ...common }), (e) => e.statusCode === 400);
  console.log('ok', provider, 'error');
}
