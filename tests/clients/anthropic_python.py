# SPDX-License-Identifier: MIT
"""anthropic-python against GLM_TEST_URL: Messages, streamed and whole, and count_tokens. Prints a line a case."""
import os

import anthropic

client = anthropic.Anthropic(base_url=os.environ["GLM_TEST_URL"], api_key="none", max_retries=0, timeout=120)
MODEL = "glm-test"
TOOLS = [{"name": "get_weather", "description": "Weather of a city.", "input_schema": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}},
    {"name": "now", "input_schema": {"type": "object", "properties": {}}}]


def user(text):
    return [{"role": "user", "content": text}]


def ask(messages, stream=False, **more):
    more.setdefault("max_tokens", 1000)
    if not stream:
        return client.messages.create(model=MODEL, messages=messages, **more)
    with client.messages.stream(model=MODEL, messages=messages, **more) as events:
        for _ in events:
            pass
        return events.get_final_message()


def plain(stream):
    answer = ask(user("Say hello."), stream)
    assert [b.type for b in answer.content] == ["thinking", "text"], answer.content
    assert answer.content[0].thinking == "A greeting." and answer.content[0].signature
    assert answer.content[1].text == "Hello there." and answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0


def without_thinking():
    answer = ask(user("Hello without thought."), thinking={"type": "disabled"})
    assert [b.type for b in answer.content] == ["text"] and answer.content[0].text == "Hello again."


def tool_round_trip(stream):
    messages = user("What is the weather in Oslo?")
    answer = ask(messages, stream, tools=TOOLS)
    assert [b.type for b in answer.content] == ["thinking", "text", "tool_use", "tool_use"], answer.content
    calls = [b for b in answer.content if b.type == "tool_use"]
    assert calls[0].input == {"city": "Oslo", "days": 3} and calls[1].input == {} and answer.stop_reason == "tool_use"
    messages += [{"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in answer.content]},
                 {"role": "user", "content": [{"type": "tool_result", "tool_use_id": c.id, "content": "4 C"}
                                              for c in calls]}]
    answer = ask(messages, stream, tools=TOOLS)
    assert answer.content[-1].text == "It is 4 C in Oslo.", answer.content


def stop_sequence():
    answer = ask(user("Count slowly."), stop_sequences=["zzz", "k tick"])
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "k tick"), answer
    assert answer.content[-1].text == "tic"


def limit():
    answer = ask(user("Count slowly."), max_tokens=4)
    assert answer.stop_reason == "max_tokens" and answer.usage.output_tokens == 4


def counting():
    counted = client.messages.count_tokens(model=MODEL, messages=user("Say hello."), system="Be brief.", tools=TOOLS)
    usage = ask(user("Say hello."), system="Be brief.", tools=TOOLS).usage
    read = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
    assert counted.input_tokens == read, (counted, usage)


def cancel():
    with client.messages.stream(model=MODEL, max_tokens=30000, messages=user("Count slowly.")) as events:
        for _, _ in zip(range(12), events):
            pass


def error():
    for more, text in (({"temperature": 9}, "temperature"), ({"messages": user("a" * 300000)}, "prompt is too long: ")):
        try:
            ask(**{"messages": user("Say hello."), **more}) if "messages" in more else \
                ask(user("Say hello."), extra_body=more)
        except anthropic.BadRequestError as e:
            assert e.body["type"] == "error" and e.body["error"]["type"] == "invalid_request_error", e.body
            assert text in e.body["error"]["message"] and e.request_id, e.body
        else:
            raise AssertionError(f"taken: {text}")


for name, case in (("plain", lambda: plain(False)), ("plain_stream", lambda: plain(True)),
                   ("without_thinking", without_thinking), ("tools", lambda: tool_round_trip(False)),
                   ("tools_stream", lambda: tool_round_trip(True)), ("stop_sequence", stop_sequence), ("limit", limit),
                   ("counting", counting), ("cancel", cancel), ("error", error)):
    case()
    print("ok", name, flush=True)
