# SPDX-License-Identifier: MIT
"""Judges one answer against the check of its dialogue. Needs no torch.

An answer is what a server returns: content, tool calls with typed arguments, and whether a stop token ended it. `parse`
makes one from raw text the way the chat reference describes, for a backend that only yields text.
"""

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from .skills.pages import SIZES


@dataclass
class Answer:
    """content and calls ([name, arguments]); `stop` is the token that ended it, None when it was cut."""

    content: str
    calls: list = field(default_factory=list)
    reasoning: str = ""
    stop: str | None = None


def parse(text, tools, think, stop):
    """Raw output to an Answer; argument types come from the schemas."""
    reasoning = ""
    if think:
        reasoning, closed, text = text.partition("</think>")
        if not closed:
            return Answer("", [], reasoning, stop)
    properties = {t["name"]: t["parameters"].get("properties", {}) for t in tools}
    calls = []
    for body in re.findall(r"<tool_call>(.*?)</tool_call>", text, re.S):
        name = body.partition("<arg_key>")[0].strip()
        args = {}
        for key, shown in re.findall(r"<arg_key>(.*?)</arg_key><arg_value>(.*?)</arg_value>", body, re.S):
            args[key] = _typed(shown, properties.get(name, {}).get(key, {}).get("type", "string"))
        calls.append([name, args])
    content = re.sub(r"<tool_call>.*?</tool_call>", "", text, flags=re.S)
    return Answer(content.strip(), calls, reasoning, stop)


def _typed(shown, json_type):
    if json_type == "string":
        return shown
    try:
        return json.loads(shown)
    except ValueError:
        return shown


def judge(check, answer):
    """Whether the answer passes; every answer must also end with the right stop token."""
    wanted_stop = "<|observation|>" if check["kind"] == "calls" else "<|user|>"
    if answer.stop != wanted_stop:
        return False
    if check["kind"] == "calls":
        return [list(c) for c in answer.calls] == [list(c) for c in check["calls"]] and _same_types(answer.calls, check["calls"])
    if answer.calls:
        return False
    if check["kind"] == "text":
        return answer.content == check["text"]
    if check["kind"] == "last line":
        return answer.content.rpartition("\n")[2] == check["text"]
    if check["kind"] == "html":
        return html_ok(check, answer.content)
    return code_ok(check, answer.content)


def _same_types(got, wanted):
    """1 and True and 1.0 are equal in Python but not in JSON."""
    return all(
        type(a[1][key]) is type(b[1][key]) or {type(a[1][key]), type(b[1][key])} <= {int, float}
        for a, b in zip(got, wanted) for key in b[1]
    )


def fenced(content, language):
    """The inside of the one fenced block of `language`, or None."""
    found = re.findall(rf"```{language}\n(.*?)\n?```", content, re.S)
    return found[0] if len(found) == 1 else None


class _Page(HTMLParser):
    """Elements of the body with their text, and the balance of tags."""

    VOID = {"meta", "input", "br", "img", "link", "hr"}

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.style, self.balanced = [], [], "", True

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "attrs": dict(attrs), "text": ""}
        self.elements.append(element)
        if tag not in self.VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1]["tag"] != tag:
            self.balanced = False
        else:
            self.open.pop()

    def handle_data(self, data):
        if not self.open:
            return
        if self.open[-1]["tag"] == "style":
            self.style += data
        else:
            self.open[-1]["text"] += data


TAGS = {"button": "button", "heading": "h1", "paragraph": "p", "link": "a", "list": "ul", "box": "div", "input": "input"}


def html_ok(check, content):
    """Whether the document is whole and has exactly the wanted elements, styles and click handlers."""
    text = fenced(content, "html")
    if text is None or not text.lower().startswith("<!doctype html>"):
        return False
    page = _Page()
    page.feed(text)
    page.close()
    if not page.balanced or page.open:
        return False
    rules = dict(re.findall(r"([#\w]+)\s*\{([^}]*)\}", page.style))
    if check["background"] and _rule(rules.get("body", "")).get("background") != check["background"]:
        return False
    visible = [e for e in page.elements if e["tag"] in TAGS.values()]
    if len(visible) != len(check["elements"]):
        return False
    items = [e["text"] for e in page.elements if e["tag"] == "li"]
    if items != [item for e in check["elements"] for item in e["items"]]:
        return False
    return all(_element_ok(want, got, rules) for want, got in zip(check["elements"], visible))


def _rule(text):
    return {k.strip(): v.strip() for k, _, v in (part.partition(":") for part in text.split(";")) if k.strip()}


def _element_ok(want, got, rules):
    if got["tag"] != TAGS[want["kind"]]:
        return False
    shown = got["attrs"].get("placeholder") if want["kind"] == "input" else got["text"]
    if want["kind"] != "list" and shown != want["text"]:
        return False
    rule = _rule(rules.get("#" + (got["attrs"].get("id") or ""), ""))
    if want["colour"] and rule.get("background" if want["kind"] in ("button", "box") else "color") != want["colour"]:
        return False
    if want["size"] and rule.get("font-size") != SIZES[want["size"]]:
        return False
    click = got["attrs"].get("onclick", "")
    wanted_click = {
        None: "", "alert": f"alert('{want['click_text']}')", "text": f"this.textContent = '{want['click_text']}'",
        "hide": "this.style.display = 'none'", "colour": f"this.style.background = '{want['click_colour']}'",
        "count": "this.textContent = this.n = (this.n || 0) + 1",
    }[want["click"]]
    return click == wanted_click


def code_ok(check, content):
    """Runs the function on the check's calls (Python in an isolated process, C through `cc`)."""
    source = fenced(content, "python" if check["language"] == "Python" else "c")
    if source is None or len(source) > 400:
        return False
    run = _run_python if check["language"] == "Python" else _run_c
    return run(source, check["function"], check["calls"])


def _run_python(source, name, calls):
    tests = "\n".join(f"assert {name}(*{args!r}) == {want!r}" for args, want in calls)
    return _passes([sys.executable, "-I", "-S", "-c", f"{source}\n{tests}\n"])


def _run_c(source, name, calls):
    tests = " ".join(f"if ({name}({', '.join(map(str, args))}) != {int(want)}) return 1;" for args, want in calls)
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "f"
        path = Path(folder) / "f.c"
        path.write_text(f"{source}\nint main(void) {{ {tests} return 0; }}\n", encoding="utf-8")
        return _passes(["cc", "-o", str(binary), str(path)]) and _passes([str(binary)])


def _passes(command):
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
