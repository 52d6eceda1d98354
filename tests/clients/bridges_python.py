# SPDX-License-Identifier: MIT
"""litellm and LangChain against GLM_TEST_URL. Prints a line a case."""
import asyncio
import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # nothing is fetched
import litellm  # noqa: E402
import openai  # noqa: E402
from langchain_core.messages import HumanMessage, ToolMessage  # noqa: E402
from langchain_openai import ChatOpenAI  # noqa: E402

URL = os.environ["GLM_TEST_URL"] + "/v1"
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Weather of a city.", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}},
    {"type": "function", "function": {"name": "now", "description": "The time.",
                                      "parameters": {"type": "object", "properties": {}}}}]


def lite(prompt, **more):
    return litellm.completion(model="hosted_vllm/glm-test", api_base=URL, api_key="none", num_retries=0,
                              messages=prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}], **more)


def lite_plain():
    message = lite("Say hello.").choices[0].message
    assert message.content == "Hello there." and message.reasoning_content == "A greeting.", message


def lite_stream():
    text = "".join(chunk.choices[0].delta.content or "" for chunk in lite("Say hello.", stream=True) if chunk.choices)
    assert text == "Hello there.", text


def lite_tools():
    message = lite("What is the weather in Oslo?", tools=TOOLS).choices[0].message
    assert json.loads(message.tool_calls[0].function.arguments) == {"city": "Oslo", "days": 3}, message
    history = [{"role": "user", "content": "What is the weather in Oslo?"}, message.model_dump()]
    history += [{"role": "tool", "tool_call_id": c.id, "content": "4 C"} for c in message.tool_calls]
    assert lite(history, tools=TOOLS).choices[0].message.content == "It is 4 C in Oslo."


def lite_error():
    try:
        lite("a" * 300000)
    except litellm.ContextWindowExceededError:
        return
    raise AssertionError("a prompt longer than the context was taken")


def lang_plain_and_stream():
    chat = ChatOpenAI(model="glm-test", base_url=URL, api_key="none", max_retries=0)
    assert chat.invoke("Say hello.").content == "Hello there."
    assert "".join(chunk.content for chunk in chat.stream("Say hello.")) == "Hello there."


def lang_tools():
    chat = ChatOpenAI(model="glm-test", base_url=URL, api_key="none", max_retries=0).bind_tools(TOOLS)
    messages = [HumanMessage("What is the weather in Oslo?")]
    answer = chat.invoke(messages)
    assert [c["name"] for c in answer.tool_calls] == ["get_weather", "now"], answer
    messages += [answer] + [ToolMessage("4 C", tool_call_id=c["id"]) for c in answer.tool_calls]
    assert chat.invoke(messages).content == "It is 4 C in Oslo."


def lite_cancel():
    async def leave():
        stream = await litellm.acompletion(model="hosted_vllm/glm-test", api_base=URL, api_key="none", num_retries=0, stream=True,
                                           messages=[{"role": "user", "content": "Count slowly."}])
        n = 0
        async for _ in stream:
            n += 1
            if n == 12:
                break
        await stream.aclose()
    asyncio.run(leave())


def lang_responses():
    chat = ChatOpenAI(model="glm-test", base_url=URL, api_key="none", max_retries=0, use_responses_api=True)
    blocks = chat.invoke("Say hello.").content_blocks
    assert [b["type"] for b in blocks] == ["reasoning", "text"] and blocks[1]["text"] == "Hello there.", blocks


def lang_cancel():
    stream = ChatOpenAI(model="glm-test", base_url=URL, api_key="none", max_retries=0).stream("Count slowly.")
    for _, _ in zip(range(12), stream):
        pass
    stream.close()


def lang_error():
    chat = ChatOpenAI(model="glm-test", base_url=URL, api_key="none", max_retries=0)
    try:
        chat.invoke("a" * 300000)
    except openai.BadRequestError as e:
        assert e.code == "context_length_exceeded", e
        return
    raise AssertionError("a prompt longer than the context was taken")


for case in (lite_plain, lite_stream, lite_tools, lite_cancel, lite_error, lang_plain_and_stream, lang_tools, lang_responses,
             lang_cancel, lang_error):
    case()
    print("ok", case.__name__, flush=True)
