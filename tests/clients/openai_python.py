# SPDX-License-Identifier: MIT
"""openai-python against GLM_TEST_URL: Chat Completions, Responses, Completions, Models. Prints a line a case."""
import json
import os

import openai

client = openai.OpenAI(base_url=os.environ["GLM_TEST_URL"] + "/v1", api_key="none", max_retries=0, timeout=120)
MODEL = "glm-test"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}},
         {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}]


def user(text):
    return [{"role": "user", "content": text}]


def chat_whole():
    answer = client.chat.completions.create(model=MODEL, messages=user("Say hello."))
    message = answer.choices[0].message
    assert message.content == "Hello there.", message
    assert message.reasoning_content == "A greeting.", message
    assert message.tool_calls is None and answer.choices[0].finish_reason == "stop"
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert 0 < usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens


def collect(stream):
    """Text, reasoning, calls, finish reasons and usage of a chat stream."""
    text, reasoning, calls, finishes, usage = "", "", {}, [], None
    for chunk in stream:
        if chunk.usage:
            usage = chunk.usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasoning += getattr(choice.delta, "reasoning_content", None) or ""
            for call in choice.delta.tool_calls or []:
                entry = calls.setdefault(call.index, {"id": None, "name": None, "arguments": ""})
                if call.id:
                    assert entry["id"] is None, "an id came twice"
                    entry["id"], entry["name"] = call.id, call.function.name
                entry["arguments"] += call.function.arguments or ""
            if choice.finish_reason:
                finishes.append(choice.finish_reason)
    return text, reasoning, calls, finishes, usage


def chat_stream():
    text, reasoning, calls, finishes, usage = collect(client.chat.completions.create(
        model=MODEL, messages=user("Say hello."), stream=True, stream_options={"include_usage": True}))
    assert (text, reasoning, calls, finishes) == ("Hello there.", "A greeting.", {}, ["stop"])
    assert usage.completion_tokens > 0


def chat_without_thinking():
    answer = client.chat.completions.create(model=MODEL, messages=user("Hello without thought."), reasoning_effort="none")
    message = answer.choices[0].message
    assert message.content == "Hello again." and not getattr(message, "reasoning_content", None), message


def tool_round_trip(stream):
    messages = user("What is the weather in Oslo?")
    if stream:
        text, reasoning, calls, finishes, _ = collect(client.chat.completions.create(
            model=MODEL, messages=messages, tools=TOOLS, stream=True))
        calls = [calls[i] for i in sorted(calls)]
        assert finishes == ["tool_calls"], finishes
    else:
        answer = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
        message = answer.choices[0].message
        text, reasoning = message.content, message.reasoning_content
        calls = [{"id": c.id, "name": c.function.name, "arguments": c.function.arguments} for c in message.tool_calls]
        assert answer.choices[0].finish_reason == "tool_calls"
    assert (text, reasoning) == ("Checking.", "Ask the tool."), (text, reasoning)
    assert [c["name"] for c in calls] == ["get_weather", "now"] and calls[0]["id"] != calls[1]["id"]
    assert json.loads(calls[0]["arguments"]) == {"city": "Oslo", "days": 3} and calls[1]["arguments"] == "{}", calls
    messages.append({"role": "assistant", "content": text, "reasoning_content": reasoning, "tool_calls": [
        {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": c["arguments"]}} for c in calls]})
    messages += [{"role": "tool", "tool_call_id": c["id"], "content": "4 C"} for c in calls]
    answer = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    assert answer.choices[0].message.content == "It is 4 C in Oslo.", answer.choices[0].message


def stop_string():
    answer = client.chat.completions.create(model=MODEL, messages=user("Count slowly."), stop=["k tick"])
    assert answer.choices[0].message.content == "tic" and answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.reasoning_content == "I count."


def limit():
    answer = client.chat.completions.create(model=MODEL, messages=user("Count slowly."), max_completion_tokens=4)
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 4


def log_probabilities():
    answer = client.chat.completions.create(model=MODEL, messages=user("Say hello."), logprobs=True, top_logprobs=3)
    entries = answer.choices[0].logprobs.content
    assert len(entries) == answer.usage.completion_tokens
    assert all(len(e.top_logprobs) == 3 and e.logprob <= 0 for e in entries)
    assert "Hello there." in b"".join(bytes(e.bytes) for e in entries).decode()


def cancel():
    stream = client.chat.completions.create(model=MODEL, messages=user("Count slowly."), stream=True)
    for _, _ in zip(range(12), stream):
        pass
    stream.close()


def error():
    try:
        client.chat.completions.create(model=MODEL, messages=user("Say hello."), temperature=9)
    except openai.BadRequestError as e:
        assert e.param == "temperature" and e.type == "invalid_request_error", e.body
    else:
        raise AssertionError("a temperature of 9 was taken")
    try:
        client.chat.completions.create(model=MODEL, messages=user("a" * 300000))
    except openai.BadRequestError as e:
        assert e.code == "context_length_exceeded" and "maximum context length is" in str(e), e.body
    else:
        raise AssertionError("a prompt longer than the context was taken")


def responses_whole():
    answer = client.responses.create(model=MODEL, input="Say hello.", store=False)
    assert answer.output_text == "Hello there." and answer.status == "completed"
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output[0].content[0].text == "A greeting."
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def responses_tools():
    tools = [{"type": "function", "name": t["function"]["name"], "parameters": t["function"]["parameters"],
              "strict": False} for t in TOOLS]
    items = user("What is the weather in Oslo?")
    seen = []
    with client.responses.stream(model=MODEL, input=items, tools=tools) as stream:
        for number, event in enumerate(stream):
            seen.append(event.type)
            assert event.sequence_number == number, event
        answer = stream.get_final_response()
    assert seen[0] == "response.created" and seen[-1] == "response.completed"
    assert [item.type for item in answer.output] == ["reasoning", "message", "function_call", "function_call"]
    assert json.loads(answer.output[2].arguments) == {"city": "Oslo", "days": 3}
    items += [item.model_dump(exclude_none=True) for item in answer.output]
    items += [{"type": "function_call_output", "call_id": item.call_id, "output": "4 C"}
              for item in answer.output if item.type == "function_call"]
    answer = client.responses.create(model=MODEL, input=items, tools=tools)
    assert answer.output_text == "It is 4 C in Oslo.", answer.output


def completions():
    answer = client.completions.create(model=MODEL, prompt="once", max_tokens=3, temperature=0, echo=True, logprobs=1)
    choice = answer.choices[0]
    assert choice.text.startswith("once") and choice.logprobs.token_logprobs[0] is None
    assert len(choice.logprobs.tokens) == len(choice.logprobs.token_logprobs) == answer.usage.total_tokens


def models():
    assert [m.id for m in client.models.list().data] == [MODEL] and client.models.retrieve(MODEL).id == MODEL


for case in (chat_whole, chat_stream, chat_without_thinking, lambda: tool_round_trip(False),
             lambda: tool_round_trip(True), stop_string, limit, log_probabilities, cancel, error, responses_whole,
             responses_tools, completions, models):
    name = case.__name__ if case.__name__ != "<lambda>" else "tool_round_trip"
    case()
    print("ok", name, flush=True)
