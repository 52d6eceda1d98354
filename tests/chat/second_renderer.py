#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A second chat renderer, written from the words of the format's description and not from the C code, and
a comparison of the two on random requests.

    second_renderer.py COMMAND [ARGUMENT...] [--count N] [--seed S]

COMMAND reads one request (JSON) a line and writes one JSON string a line: the test driver chat_lines, which
renders for the generation that a request's "generation" names. Exit code 0 when all prompts are equal; else the first difference is printed.
`second_renderer.py --show` renders requests from stdin itself.
"""
import argparse
import json
import random
import subprocess
import sys

MEDIA = {"image": "image", "image_url": "image", "video": "video", "video_url": "video", "audio": "audio",
         "audio_url": "audio", "input_audio": "audio"}
BILLING = "x-anthropic-billing-header:"


# ------------------------------------------------------------------------------------ normalisation


def role_of(message):
    role = message["role"]
    if role in ("system", "developer"):
        return "system"
    if role in ("tool", "function"):
        return "tool"
    return role if role in ("user", "assistant") else "user"


def without_billing(content):
    """Content of a system message without billing lines, or None when nothing else was there."""
    def cut(text):
        if not text.startswith(BILLING):
            return text
        return text.split("\n", 1)[1] if "\n" in text else ""

    if isinstance(content, str):
        left = cut(content)
        return left if left or left == content else None
    parts, seen = [], False
    for part in content:
        text = part if isinstance(part, str) else part.get("text", "") if part.get("type") == "text" else None
        if isinstance(text, str) and text.startswith(BILLING):
            seen = True
            if cut(text):
                parts.append(cut(text))
        elif text != "" or not seen:
            parts.append(part)
    parts_left = [p for p in parts if p != "" and not (isinstance(p, dict) and p.get("type") == "text"
                                                       and not p.get("text"))]
    return None if seen and not parts_left else parts


def arguments_of(raw):
    if isinstance(raw, dict):
        return raw
    if raw is None:
        return {}
    if not isinstance(raw, str):
        return {"arguments": dumps(raw)}
    if not raw.strip():
        return {}

    def no_constant(word):
        raise ValueError(word)

    try:
        value = json.loads(raw, parse_constant=no_constant)
    except ValueError:
        return {"arguments": raw}
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"arguments": raw}


def reasoning_of(message):
    for key in ("reasoning_content", "reasoning"):
        if isinstance(message.get(key), str):
            return message[key]
    content = message.get("content")
    if not isinstance(content, list):
        return None
    blocks = [p for p in content if isinstance(p, dict)]
    thinking = [p["thinking"] for p in blocks if p.get("type") == "thinking"]
    if thinking:
        return "".join(thinking)
    texts = []
    for item in blocks:
        if item.get("type") == "reasoning":
            found = [t["text"] for t in item.get("content") or []]
            texts += found or [t["text"] for t in item.get("summary") or []]
    return "".join(texts) if texts else None


def normalise_message(message):
    out = {"role": role_of(message), "content": message.get("content"), "answers": message.get("tool_call_id") or ""}
    if out["content"] is None:
        out["content"] = ""
    if out["role"] == "system":
        out["content"] = without_billing(out["content"])
        if out["content"] is None:
            return None
    if out["role"] == "assistant":
        out["reasoning_content"] = reasoning_of(message)
        out["tool_calls"] = []
        for call in message.get("tool_calls") or []:
            function = call.get("function", call)
            out["tool_calls"].append((function["name"], arguments_of(function.get("arguments")), call.get("id") or ""))
    return out


def normalise_tool(tool):
    """(name, is deferred, shown object, the object around it)"""
    if "function" in tool:
        inner = tool["function"]
    elif "type" in tool or "input_schema" in tool:
        inner = {"name": tool["name"]}
        if tool.get("description") is not None:
            inner["description"] = tool["description"]
        schema = tool.get("parameters") if tool.get("parameters") is not None else tool.get("input_schema")
        if schema is not None:
            inner["parameters"] = schema
        if "defer_loading" in tool:
            inner["defer_loading"] = tool["defer_loading"]
    else:
        inner = tool
    shown = {k: v for k, v in inner.items() if k not in ("strict", "defer_loading")}
    whole = tool if "function" in tool else {"type": "function", "function": shown}
    return inner["name"], inner.get("defer_loading") is True, shown, whole


# ------------------------------------------------------------------------------------------ rendering


def dumps(value):
    return json.dumps(value, ensure_ascii=False)


def visible_text(content):
    if isinstance(content, str):
        return content
    out = ""
    for part in content:
        if isinstance(part, str):
            out += part
        elif part.get("type") == "text":
            out += part.get("text") or ""
        elif part.get("type") in MEDIA:
            out += ("<reminder>You are unable to process this %s because you don't have multi-modal input "
                    "ability. Try different methods.</reminder>" % MEDIA[part["type"]])
    return out


def switch(request, name):
    value = (request.get("chat_template_kwargs") or {}).get(name)
    return request.get(name) if value is None else value


def render_assistant(message, keeps_reasoning):
    content = visible_text(message["content"])
    reasoning = message["reasoning_content"]
    if reasoning is None and "</think>" in content:
        reasoning = content.split("</think>")[0].split("<think>")[-1]
        content = content.split("</think>")[-1]
    out = "<|assistant|><think>" + (reasoning if reasoning is not None and keeps_reasoning else "") + "</think>"
    out += content.strip()
    for name, arguments, _ in message["tool_calls"]:
        out += "<tool_call>" + name
        for key, value in arguments.items():
            text = value if isinstance(value, str) else dumps(value)
            out += "<arg_key>" + key + "</arg_key><arg_value>" + text + "</arg_value>"
        out += "</tool_call>"
    return out


def output_text(element):
    if isinstance(element, dict) and "output" in element:
        return element["output"] if isinstance(element["output"], str) else dumps(element["output"])
    return visible_text([element])


def render_tool_result(message, tools):
    content = message["content"]
    first = content[0] if isinstance(content, list) and content else None
    if isinstance(first, dict) and first.get("type") == "tool_reference":
        out = "<tool_response><tools>\n"
        for reference in content:
            if not isinstance(reference, dict) or reference.get("type") != "tool_reference":
                continue
            name = reference.get("name") if reference.get("name") is not None else reference.get("tool_name")
            for tool_name, _, shown, _ in tools:
                if tool_name == name:
                    out += dumps(shown) + "\n"
        return out + "</tools></tool_response>"
    if isinstance(first, dict) and "output" in first:
        return "".join("<tool_response>" + output_text(e) + "</tool_response>" for e in content)
    return "<tool_response>" + visible_text(content) + "</tool_response>"


def render(request):
    messages = [m for m in map(normalise_message, request["messages"]) if m is not None]
    tools = [normalise_tool(t) for t in request.get("tools") or []]
    thinking = switch(request, "enable_thinking") is not False
    clears = switch(request, "clear_thinking") is not False
    effort = "High" if switch(request, "reasoning_effort") == "high" else "Max"

    out = "[gMASK]<sop>"
    if thinking:
        out += "<|system|>Reasoning Effort: " + effort
    if tools:
        out += ("<|system|>\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
                "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n")
        for _, is_deferred, shown, _ in tools:
            if not is_deferred:
                out += dumps(shown) + "\n"
        out += ("</tools>\n\nFor each function call, output the function name and arguments within the "
                "following XML format:\n<tool_call>{function-name}<arg_key>{arg-key-1}</arg_key>"
                "<arg_value>{arg-value-1}</arg_value><arg_key>{arg-key-2}</arg_key>"
                "<arg_value>{arg-value-2}</arg_value>...</tool_call>")
    last_user = max([i for i, m in enumerate(messages) if m["role"] == "user"], default=-1)
    for i, message in enumerate(messages):
        if message["role"] in ("user", "system"):
            out += "<|%s|>" % message["role"] + visible_text(message["content"])
        elif message["role"] == "assistant":
            out += render_assistant(message, not clears or i > last_user)
        else:
            if i == 0 or messages[i - 1]["role"] != "tool":
                out += "<|observation|>"
            out += render_tool_result(message, tools)
    if switch(request, "add_generation_prompt") is not False:
        out += "<|assistant|>" + ("<think>" if thinking else "<think></think>")
    return out


# ---------------------------------------------------------------------------------- other generations


def without_media(content):
    if isinstance(content, str):
        return content
    return "".join(p if isinstance(p, str) else p.get("text") or "" if p.get("type") == "text" else "" for p in content)


def responses(message, show, before, after):
    content = message["content"]
    if isinstance(content, list) and content and isinstance(content[0], dict) and "output" in content[0]:
        texts = [output_text(e) if isinstance(e, dict) and "output" in e else show([e]) for e in content]
    else:
        texts = [show(content)]
    return "".join(before + text + after for text in texts)


def render_old(request, generation):
    """GLM-4.6 and 4.7, whose templates are of one make."""
    is_46 = generation == "4.6"
    nl = "\n" if is_46 else ""
    messages = [m for m in map(normalise_message, request["messages"]) if m is not None]
    thinking = switch(request, "enable_thinking") is not False
    keeps = not is_46 and switch(request, "clear_thinking") is False
    out = "[gMASK]<sop>"
    tools = [normalise_tool(t) for t in request.get("tools") or []]
    if tools:
        out += ("<|system|>\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
                "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n")
        out += "".join(dumps(whole) + "\n" for _, _, _, whole in tools)
        lines = ["<tool_call>{function-name}", "<arg_key>{arg-key-1}</arg_key>", "<arg_value>{arg-value-1}</arg_value>",
                 "<arg_key>{arg-key-2}</arg_key>", "<arg_value>{arg-value-2}</arg_value>", "...", "</tool_call>"]
        out += ("</tools>\n\nFor each function call, output the function name and arguments within the "
                "following XML format:\n" + nl.join(lines))
    last_user = max([i for i, m in enumerate(messages) if m["role"] == "user"], default=-1)
    for i, message in enumerate(messages):
        role, shown = message["role"], without_media(message["content"])
        if role == "user":
            out += "<|user|>" + nl + shown
            out += "/nothink" if is_46 and not thinking and not shown.endswith("/nothink") else ""
        elif role == "system":
            out += "<|system|>" + nl + shown
        elif role == "tool":
            out += "" if i and messages[i - 1]["role"] == "tool" else "<|observation|>"
            out += responses(message, without_media, nl + "<tool_response>" + nl, nl + "</tool_response>")
        else:
            reasoning, text = message["reasoning_content"], shown
            if reasoning is None and "</think>" in shown:
                reasoning = shown.split("</think>")[0].split("<think>")[-1].strip("\n")
                text = shown.split("</think>")[-1]
            if reasoning and (keeps or i > last_user):
                out += "<|assistant|>" + nl + "<think>" + reasoning.strip() + "</think>"
            else:
                out += "<|assistant|>" + ("\n<think></think>" if is_46 else "</think>")
            out += nl + text.strip() if text.strip() else ""
            for name, arguments, _ in message["tool_calls"]:
                out += nl + "<tool_call>" + name + nl
                for key, value in arguments.items():
                    value = value if isinstance(value, str) else dumps(value)
                    out += "<arg_key>" + key + "</arg_key>" + nl + "<arg_value>" + value + "</arg_value>" + nl
                out += "</tool_call>"
    if switch(request, "add_generation_prompt") is not False:
        tail = {("4.6", True): "", ("4.6", False): "\n<think></think>", ("4.7", True): "<think>", ("4.7", False): "</think>"}
        out += "<|assistant|>" + tail[generation, thinking]
    return out


def sorted_by_call(messages):
    """GLM-5.3: results behind an answer stand in the order of its calls, those of no call at the end."""
    out, i = [], 0
    while i < len(messages):
        out.append(messages[i])
        i += 1
        if out[-1]["role"] != "assistant":
            continue
        ids = [c[2] for c in out[-1]["tool_calls"]]
        end = i
        while end < len(messages) and messages[end]["role"] == "tool":
            end += 1
        run = messages[i:end]
        out += sorted(run, key=lambda m, ids=ids: ids.index(m["answers"]) if m["answers"] and m["answers"] in ids else len(ids))
        i = end
    return out


def render_other(request, generation):
    """GLM-5.1 and 5.3, as differences to what GLM-5.2's renderer prints for the same request."""
    messages = [m for m in map(normalise_message, request["messages"]) if m is not None]
    last_user = max([i for i, m in enumerate(messages) if m["role"] == "user"], default=-1)
    tools = [normalise_tool(t) for t in request.get("tools") or []]
    thinking = switch(request, "enable_thinking") is not False
    is_53 = generation == "5.3"
    clears = switch(request, "clear_thinking")
    clears = (not is_53) if clears is None else clears
    show = visible_text if is_53 else without_media
    head = render({"messages": [], "tools": request.get("tools"), "add_generation_prompt": False, "enable_thinking": False})
    out = head
    if is_53:
        effort = switch(request, "reasoning_effort")
        out = ("[gMASK]<sop><|system|>Reasoning Effort: " + {"low": "Low", "high": "High"}.get(effort, "Max")
               + head[len("[gMASK]<sop>"):])
    previous = None
    for i, message in enumerate(sorted_by_call(messages) if is_53 else messages):
        if message["role"] in ("user", "system"):
            out += "<|%s|>" % message["role"] + show(message["content"])
        elif message["role"] == "assistant":
            content = show(message["content"])
            reasoning = message["reasoning_content"]
            if reasoning is None and "</think>" in content:
                reasoning = content.split("</think>")[0].split("<think>")[-1]
                content = content.split("</think>")[-1]
            blank = "<think></think>" if is_53 else "</think>"
            is_shown = reasoning is not None and (not clears or i > last_user)
            out += "<|assistant|>" + ("<think>" + reasoning + "</think>" if is_shown else blank)
            out += render_assistant({**message, "content": content, "reasoning_content": ""}, True)[len("<|assistant|><think></think>"):]
        else:
            out += "" if previous == "tool" else "<|observation|>"
            first = message["content"][0] if isinstance(message["content"], list) and message["content"] else None
            if isinstance(first, dict) and first.get("type") == "tool_reference":
                out += render_tool_result(message, tools)
            else:
                out += responses(message, show, "<tool_response>", "</tool_response>")
        previous = message["role"]
    if switch(request, "add_generation_prompt") is not False:
        out += "<|assistant|>" + ("<think>" if thinking or is_53 else "</think>")
    return out


GENERATIONS = ["5.2", "4.6", "4.7", "5.1", "5.3"]


def render_as(request, generation):
    if generation == "5.2":
        return render(request)
    return (render_old if generation.startswith("4") else render_other)(request, generation)


# ----------------------------------------------------------------------------------- random requests


class Number(str):
    """A number with its spelling."""


class Pairs(list):
    """An object as a list of pairs, so that a key may come twice."""


def encode(value):
    """JSON text of a random request, with spellings json.dumps would not choose."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Pairs):
        return "{" + ",".join(encode(k) + ":" + encode(v) for k, v in value) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(encode(k) + ": " + encode(v) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(encode(v) for v in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=len(value) % 2 == 0)
    return json.dumps(value)


PIECES = ["a", "Hello", " ", "\n", "  \n", "é", "漢字", "😀", "\t", "\u00a0", "\u2028", "\u0085", "\u200b",
          "\ufeff", "\x1c", "\x1f", "\x00", "\x7f", "\u3000", '"', "\\", "/", "<", ">", "&", "'", "<think>",
          "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<arg_key>",
          "</arg_key>", "<arg_value>", "</arg_value>", "<|user|>", "<|assistant|>", "<|system|>",
          "<|observation|>", "<|endoftext|>", "[gMASK]", "<sop>", "/nothink", "<thi", "nk>", "None", "null",
          "<reminder>", "{", "}", "def f(x):\n    return x\n"]
NUMBERS = ["0", "-0", "1", "-17", "123456789012345678901234567890", "1.0", "1.50", "-0.0", "1E5", "1e16",
           "1e-7", "0.1", "1e22", "123456789.125", "5e-324", "1.7976931348623157e308", "1e400", "-1e999",
           "0.30000000000000004", "9007199254740993", "9007199254740993.0", "1e15", "1e21", "0.0001", "0.00001"]
NAMES = ["get_weather", "now", "write", "Tool.Search", "a-b:c/d", "опт"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def chance(self, p):
        return self.r.random() < p

    def text(self, most=6):
        return "".join(self.r.choice(PIECES) for _ in range(self.r.randrange(most + 1)))

    def number(self):
        if self.chance(0.6):
            return Number(self.r.choice(NUMBERS))
        if self.chance(0.5):
            return Number(self.r.randrange(-10 ** self.r.randrange(1, 30), 10 ** 20))
        return Number(repr(self.r.choice([1, -1]) * self.r.random() * 10.0 ** self.r.randrange(-30, 30)))

    def value(self, depth=0):
        kind = self.r.randrange(8 if depth < 4 else 5)
        if kind == 0:
            return self.r.choice([None, True, False])
        if kind in (1, 2):
            return self.number()
        if kind in (3, 4):
            return self.text()
        if kind == 5:
            return [self.value(depth + 1) for _ in range(self.r.randrange(4))]
        return self.object(depth + 1)

    def object(self, depth=0):
        keys = [self.r.choice(["a", "b", "c", "strict", "defer_loading", "name", self.text(2)])
                for _ in range(self.r.randrange(5))]
        return Pairs((k, self.value(depth)) for k in keys)

    def part(self):
        kind = self.r.randrange(10)
        if kind < 4:
            return {"type": "text", "text": self.text()}
        if kind == 4:
            return self.text()
        if kind == 5:
            name = self.r.choice(list(MEDIA))
            return {"type": name, name: {"url": "x"}}
        if kind == 6:
            return {"type": "text", "text": None} if self.chance(0.5) else {"type": "text"}
        if kind == 7:
            return {"type": self.r.choice(["file", "thing"]), "text": self.text()}
        if kind == 8:
            return {"type": "thinking", "thinking": self.text(), "signature": "s"}
        item = {"type": "reasoning"}
        if self.chance(0.5):
            item["content"] = [{"type": "reasoning_text", "text": self.text()} for _ in range(self.r.randrange(3))]
        if self.chance(0.5):
            item["summary"] = [{"type": "summary_text", "text": self.text()} for _ in range(self.r.randrange(3))]
        return item

    def content(self):
        kind = self.r.randrange(10)
        if kind == 0:
            return None
        if kind < 6:
            return self.text()
        return [self.part() for _ in range(self.r.randrange(5))]

    def tool_content(self):
        kind = self.r.randrange(6)
        if kind == 0:
            return [{"type": "tool_reference", self.r.choice(["name", "tool_name"]): self.r.choice(NAMES)}
                    for _ in range(1 + self.r.randrange(3))] + ([self.part()] if self.chance(0.2) else [])
        if kind == 1:
            return [{"output": self.text() if self.chance(0.8) else self.value()}] + [
                self.r.choice([{"output": self.text()}, self.text(), self.part()])
                for _ in range(self.r.randrange(3))]
        return self.content()

    def call(self):
        function = {"name": self.r.choice(NAMES)}
        kind = self.r.randrange(10)
        if kind < 4:
            function["arguments"] = self.object()
        elif kind < 7:
            function["arguments"] = encode(self.object())
        elif kind == 7:
            function["arguments"] = self.r.choice(["", "null", " ", "\n\u00a0", "{}", " {} ", "{", "[1]", "7",
                                                   '"x"', "{'a':1}", '{"a":NaN}', '{"a":1,"a":2}', "true"])
        elif kind == 8:
            function["arguments"] = self.r.choice([None, [1, "x"], Number("1.50"), True])
        if self.chance(0.2):
            return function
        return {"id": self.r.choice("abcd"), "type": "function", "function": function}

    def message(self):
        role = self.r.choice(["user"] * 3 + ["assistant"] * 4 + ["tool"] * 3 + ["system", "developer",
                                                                                "function", "ctx"])
        message = {"role": role}
        content = self.tool_content() if role in ("tool", "function") else self.content()
        if role in ("system", "developer") and self.chance(0.3):
            line = BILLING + " v=1;" + self.r.choice(["", "\n", "\n" + self.text()])
            content = line if self.chance(0.5) else [{"type": "text", "text": line}] + [
                {"type": "text", "text": self.text()} for _ in range(self.r.randrange(3))]
        if content is not None or self.chance(0.5):
            message["content"] = content
        if role in ("tool", "function") and self.chance(0.7):
            message["tool_call_id"] = self.r.choice("abcde")
        if role == "assistant":
            for key in ("reasoning_content", "reasoning"):
                if self.chance(0.3):
                    message[key] = self.text() if self.chance(0.8) else None
            if self.chance(0.5):
                message["tool_calls"] = [self.call() for _ in range(self.r.randrange(4))]
        return message

    def tool(self):
        inner = {"name": self.r.choice(NAMES)}
        for key, value in (("description", self.text()), ("parameters", self.object()), ("strict", True),
                           ("defer_loading", self.chance(0.5)), ("x", self.value())):
            if self.chance(0.5):
                inner[key] = value
        items = list(inner.items())
        self.r.shuffle(items)
        inner = dict(items)
        kind = self.r.randrange(4)
        if kind == 0:
            flat = {"type": "function"} if self.chance(0.5) else {}
            flat.update(inner)
            if self.chance(0.5) or not flat.get("type"):
                flat["input_schema"] = self.object()
            return flat
        if kind == 1:
            return inner
        return {"type": "function", "function": inner}

    def request(self):
        request = {"generation": self.r.choice(GENERATIONS) if self.chance(0.5) else "5.2",
                   "messages": [self.message() for _ in range(self.r.randrange(8))]}
        if self.chance(0.5):
            request["tools"] = [self.tool() for _ in range(self.r.randrange(5))]
        target = request
        if self.chance(0.3):
            request["chat_template_kwargs"] = target = {}
        for key, values in (("enable_thinking", [True, False, None]), ("clear_thinking", [True, False, None]),
                            ("add_generation_prompt", [True, False]),
                            ("reasoning_effort", ["high", "High", "low", "max", "none", None])):
            for level in (request, target):
                if self.chance(0.3):
                    level[key] = self.r.choice(values)
        return request


# ------------------------------------------------------------------------------------------ comparison


def compare(command, count, seed):
    maker = Maker(seed)
    lines = [encode(maker.request()) for _ in range(count)]
    run = subprocess.run(command, input="".join(line + "\n" for line in lines).encode(),
                         stdout=subprocess.PIPE, check=False)
    answers = run.stdout.decode().split("\n")
    if run.returncode != 0:
        print("exit code", run.returncode)
        return 1
    if len(answers) != count + 1 or answers[-1] != "":
        print("expected %d lines, got %d" % (count, len(answers) - 1))
        return 1
    for number, (line, answer) in enumerate(zip(lines, answers)):
        request = json.loads(line)
        expected = render_as(request, request["generation"])
        if json.loads(answer) != expected:
            print("request %d (seed %d): %s" % (number, seed, line))
            print("expected %s" % json.dumps(expected, ensure_ascii=False))
            print("got      %s" % answer)
            return 1
    print("%d requests, seed %d: all prompts are equal" % (count, seed))
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("command", nargs="*")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true")
    options, rest = parser.parse_known_args()
    if options.show:
        for line in sys.stdin:
            request = json.loads(line)
            print(json.dumps(render_as(request, request.get("generation", "5.2")), ensure_ascii=False))
        return 0
    return compare(options.command + rest, options.count, options.seed)


if __name__ == "__main__":
    sys.exit(main())
