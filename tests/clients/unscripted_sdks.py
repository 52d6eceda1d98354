# SPDX-License-Identifier: MIT
"""Tool loops of openai, anthropic and langchain against GLM_TEST_URL, where the bundled model answers itself, greedily.

A round trip: one call of the shell tool with the command that was asked for, its output sent back, an answer that ends by itself. Prints
a line a client. unscripted.py calls this.
"""
import os
import subprocess

import anthropic
import openai
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI

URL, MODEL = os.environ["GLM_TEST_URL"], "glm-test"
SYSTEM = "You are glm, a coding agent that runs in a terminal."
ABOUT = "Runs a command in a shell and returns its output."
SCHEMA = {"type": "object", "properties": {"command": {"type": "string", "description": "The command to run."}}, "required": ["command"]}
TOOL = {"type": "function", "function": {"name": "bash", "description": ABOUT, "parameters": SCHEMA}}
COMMANDS = ("pwd", "ls", "git status", "date", "whoami", "ls -l", "echo glm-client-works", "cat README.md")


def run(command):
    return subprocess.run(command, shell=True, capture_output=True, text=True, timeout=20).stdout[:300]


def with_openai(command):
    client = openai.OpenAI(base_url=URL + "/v1", api_key="none", max_retries=0, timeout=60)
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Run " + command}]
    message = client.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL], temperature=0, max_tokens=300).choices[0].message
    calls = message.tool_calls or []
    if len(calls) != 1 or calls[0].function.name != "bash" or f'"{command}"' not in calls[0].function.arguments:
        return None
    messages += [message, {"role": "tool", "tool_call_id": calls[0].id, "content": run(command)}]
    last = client.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL], temperature=0, max_tokens=300).choices[0]
    return last.message.content if last.finish_reason == "stop" else None


def with_anthropic(command):
    client = anthropic.Anthropic(base_url=URL, api_key="none", max_retries=0, timeout=60)
    more = {"model": MODEL, "system": SYSTEM, "tools": [{"name": "bash", "description": ABOUT, "input_schema": SCHEMA}],
            "max_tokens": 300, "extra_body": {"temperature": 0}}
    messages = [{"role": "user", "content": "Run " + command}]
    answer = client.messages.create(messages=messages, **more)
    calls = [b for b in answer.content if b.type == "tool_use"]
    if len(calls) != 1 or calls[0].name != "bash" or calls[0].input != {"command": command}:
        return None
    messages += [{"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in answer.content]},
                 {"role": "user", "content": [{"type": "tool_result", "tool_use_id": calls[0].id, "content": run(command)}]}]
    last = client.messages.create(messages=messages, **more)
    return last.content[-1].text if last.stop_reason == "end_turn" else None


def with_langchain(command):
    chat = ChatOpenAI(model=MODEL, base_url=URL + "/v1", api_key="none", max_retries=0, temperature=0).bind_tools([TOOL])
    messages = [SystemMessage(SYSTEM), HumanMessage("Run " + command)]
    answer = chat.invoke(messages)
    if [(c["name"], c["args"]) for c in answer.tool_calls] != [("bash", {"command": command})]:
        return None
    messages += [answer, ToolMessage(run(command), tool_call_id=answer.tool_calls[0]["id"])]
    return chat.invoke(messages).content or None


for client in (with_openai, with_anthropic, with_langchain):
    told = {command: client(command) for command in COMMANDS}
    good = {c: t for c, t in told.items() if t}
    print(f"  {client.__name__[5:]}: {len(good)} of {len(told)} round trips: {good}", flush=True)
