# SPDX-License-Identifier: MIT
"""Tool calls: choose among the given schemas, fill typed arguments, use the answer, or make no call.

Schemas come from `actions` under many names (a tool's name with its parameters' names is one signature, and a signature
belongs to one side of the split), and from invented tools whose meaning is only in their schema.

Before a call or a refusal the model says what is wanted and which tool does it, in the words of the schemas: "Send an email to a
person: mail_to." or "...: none." It is thought where thinking is on and written where it is off. Without these words a model this small
picks well among tools but never finds that none fits (measured: 0 of 20, after 10 million tokens with thousands of such turns).
"""

from .. import words
from ..dialogue import Dialogue, to_json
from . import manners, pages
from .actions import ACTIONS, NO_ARGUMENT, value


def _styled(rng, verb, noun):
    snake = f"{verb}_{noun}"
    kind = rng.random()
    if kind < 0.6:
        return snake
    parts = snake.split("_")
    if kind < 0.75:
        return parts[0] + "".join(p.capitalize() for p in parts[1:])
    if kind < 0.85:
        return "".join(p.capitalize() for p in parts)
    return verb if kind < 0.92 else verb.capitalize()


class Parameter:
    """One parameter of a concrete schema: its name, type, and the kind of value requests give it."""

    def __init__(self, name, json_type, about, kind, required):
        self.name, self.about, self.kind, self.required = name, about, kind, required
        self.choices = json_type if isinstance(json_type, list) else None
        self.json_type = "string" if self.choices else json_type

    def schema(self, rng):
        out = {"type": self.json_type}
        if self.choices:
            out["enum"] = self.choices
        if rng.random() < 0.8:
            out["description"] = self.about
        return out

    def value(self, split, rng):
        return rng.choice(self.choices) if self.choices else value(split, rng, self.kind)


class Tool:
    """One schema and how users ask for it: `request(split, rng)` gives (text, arguments)."""

    def __init__(self, name, about, params, result, asks, optional):
        self.name, self.about, self.params, self.result = name, about, params, result
        self.asks, self.optional = asks, optional

    def schema(self, rng):
        params = {p.name: p.schema(rng) for p in self.params.values()}
        required = [p.name for p in self.params.values() if p.required]
        body = {"type": "object", "properties": params}
        if required:
            body["required"] = required
        if rng.random() < 0.15:
            body["additionalProperties"] = False
        return {"name": self.name, "description": self.about, "parameters": body}

    def request(self, split, rng, lang):
        """A user's request, the arguments it means, and what it wants as the schema has it."""
        asks = self.asks[lang] or self.asks["en"]
        shown, args = {}, {}
        for key, p in self.params.items():
            if p.required:
                args[p.name] = p.value(split, rng)
                shown[key] = _shown(rng, p, args[p.name], lang)
        text = rng.choice(asks).format(**shown)
        for key, (ask, ask_zh) in self.optional.items():
            p = self.params[key]
            if rng.random() < 0.3:
                args[p.name] = p.value(split, rng)
                text += (" " if lang == "en" else "") + (ask if lang == "en" else ask_zh).format(**{key: args[p.name]})
        named = text.startswith((f"Call {self.name} ", f"Use {self.name}:"))
        return text, args, self.name if named else self.goal()

    def goal(self):
        """What the tool does, without the full stop."""
        return self.about.rstrip(".")


def _shown(rng, parameter, given, lang):
    if parameter.kind == "onoff":
        return {"en": ("off", "on"), "zh": ("关掉", "打开")}[lang][given]
    if parameter.kind == "phrase" and rng.random() < 0.6:
        return rng.choice(("'{}'", '"{}"')).format(given)
    return str(given)


def _from_action(split, rng, action):
    """One concrete tool of an action whose signature this side owns."""
    while True:
        name = _styled(rng, rng.choice(action["verbs"].split()), rng.choice(action["nouns"].split()))
        params, optional = {}, {}
        for key, (names, json_type, about, kind, required) in action["params"].items():
            params[key] = Parameter(rng.choice(names.split()), json_type, about, kind, required)
        for key, (names, json_type, about, kind, ask, ask_zh) in action["extra"].items():
            if rng.random() < 0.6:
                params[key] = Parameter(rng.choice(names.split()), json_type, about, kind, False)
                optional[key] = (ask, ask_zh)
        names = [p.name for p in params.values()]
        if len(set(names)) < len(names):
            continue
        signature = name + "(" + ",".join(names) + ")"
        if split.owns(f"signature:{signature}"):
            if split.used is not None:
                split.used.add(("signature", signature))
            asks = {"en": action["asks"], "zh": action["asks_zh"]}
            return Tool(name, action["about"], params, action["result"], asks, optional)


_INVENTED_KINDS = [("string", "word"), ("string", "phrase"), ("string", "path"), ("string", "person"), ("integer", "count"), ("integer", "big"),
                   ("number", "decimal"), ("boolean", "onoff"), ("string", "code")]


def _invented(split, rng):
    """A tool nobody knows: its name, its parameters and the request have only the schema in common."""

    def signature():
        verb = rng.choice(words.VERBS) if rng.random() < 0.6 else words.pseudo_word(rng)
        noun = rng.choice(words.NOUNS) if rng.random() < 0.6 else words.pseudo_word(rng)
        return _styled(rng, verb, noun), verb, noun

    name, verb, noun = split.draw("tool", signature)
    params = {}
    keys = rng.sample(words.NOUNS + words.ADJECTIVES, rng.choice((1, 2, 2, 3)))
    for key in keys:
        if rng.random() < 0.2:
            json_type, kind = rng.sample(words.ADJECTIVES, rng.randint(2, 4)), "enum"
        else:
            json_type, kind = rng.choice(_INVENTED_KINDS)
        params[key] = Parameter(key, json_type, f"The {key}.", kind, True)
    parts = [f"{key} {{{key}}}" for key in keys]
    listed = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    spoken = f"{verb} the {noun}"
    asks = [f"{spoken.capitalize()} with {listed}.", f"Please {spoken}: {', '.join(parts)}.", f"Call {name} with {listed}.", f"Use {name}: {', '.join(parts)}"]
    return Tool(name, f"{spoken.capitalize()}.", params, (rng.choice(words.NOUNS), "code"), {"en": asks, "zh": []}, {})


def _no_argument(rng):
    names, about, asks, asks_zh, result = rng.choice(NO_ARGUMENT)
    return Tool(rng.choice(names.split()), about, {}, result, {"en": asks, "zh": asks_zh}, {})


def toolbox(split, rng, count):
    """`count` tools of different actions and names."""
    actions = rng.sample(ACTIONS, min(count, len(ACTIONS)))
    tools, names = [], set()
    for i in range(count):
        kind = rng.random()
        if kind < 0.25 or i >= len(actions):
            tool = _invented(split, rng)
        elif kind < 0.3:
            tool = _no_argument(rng)
        else:
            tool = _from_action(split, rng, actions[i])
        if tool.name not in names and all(tool.about != t.about for t in tools):
            names.add(tool.name)
            tools.append(tool)
    return tools


def _answer_of(split, rng, tool, lang):
    """(result text, reply that uses it)."""
    key, kind = tool.result
    if rng.random() < 0.1:
        problem = rng.choice(("not found", "permission denied", "timeout", "no connection", "invalid value", words.phrase(split, rng, 2, 3)))
        text = to_json({"error": problem}) if rng.random() < 0.6 else f"Error: {problem}"
        return text, (f"The tool failed: {problem}." if lang == "en" else f"工具出错：{problem}。")
    given = value(split, rng, kind)
    shape = rng.random()
    if shape < 0.55:
        text = to_json({key: given})
    elif shape < 0.75:
        pairs = [(key, given), (rng.choice(words.NOUNS), rng.randint(0, 99))]
        rng.shuffle(pairs)
        text = to_json(dict(pairs))
    else:
        text = f"{key}: {given}"
    return text, (f"Done. The {key} is {given}." if lang == "en" else f"完成。{key} 是 {given}。")


NONE_FITS = {"en": "None of my tools can do that.", "zh": "我的工具都做不了这个。"}
JOIN = {"en": " Then: ", "zh": "然后："}


def working(goals, names):
    """What is wanted and which tool does it, for every call."""
    return " ".join(f"{goal}: {name}." for goal, name in zip(goals, names))


def show_working(message, think):
    """Put the message's working where it belongs: thought, or written above the answer."""
    text = message.pop("working", None)
    if text and think:
        message["reasoning_content"] = text
    elif text:
        message["content"] = text + ("\n" + message["content"] if message["content"] else "")


def _page_request(split, rng, writer):
    """"Create FILE with a red button ..." for a tool that writes files."""
    request, page, _ = pages.sample(split, rng)
    name = split.draw("file", lambda: rng.choice(words.NOUNS) + ".html")
    args = {}
    for key, p in writer.params.items():
        args[p.name] = name if key == "path" else page
    wording = rng.choice(("{r} Save it as {n}.", "Create the file {n}. {r}", "Write {n}: {r}", "{r} Put it in {n}."))
    return wording.format(r=request, n=name), args


NONE_SHARE = 0.2  # of the turns ask for what no tool does


def _turn(split, rng, tools, absent, lang, none_share):
    """One user turn: the messages after it up to the final reply, without reasoning; and the kind of the turn."""
    kind = rng.random()
    if kind < none_share and absent:
        text, _, goal = rng.choice(absent).request(split, rng, lang)
        return [{"role": "user", "content": text}, {"role": "assistant", "content": NONE_FITS[lang], "working": working([goal], ["none"])}], "none"
    if kind < none_share + 0.08:
        intent = rng.choice(("greet", "who", "can", "thanks", "how", "bye"))
        text = rng.choice(manners.WORDINGS[intent][lang])
        return [{"role": "user", "content": text},
                {"role": "assistant", "content": manners.REPLY[intent][lang], "why": manners.THOUGHT[intent][lang]}], "chat"
    count = 2 if rng.random() < 0.25 and len(tools) > 1 else 1
    chosen = rng.sample(tools, count)
    texts, calls, goals, results, replies = [], [], [], [], []
    for tool in chosen:
        if tool.about == "Write text to a file on disk." and rng.random() < 0.25:
            text, args = _page_request(split, rng, tool)
            goal = tool.goal()
        else:
            text, args, goal = tool.request(split, rng, lang if tool.asks[lang] else "en")
        result, reply = _answer_of(split, rng, tool, lang)
        texts.append(text)
        calls.append((tool.name, args))
        goals.append(goal)
        results.append(result)
        replies.append(reply)
    out = [{"role": "user", "content": JOIN[lang].join(texts)},
           {"role": "assistant", "content": "", "tool_calls": calls, "working": working(goals, [name for name, _ in calls])}]
    out += [{"role": "tool", "content": r} for r in results]
    out.append({"role": "assistant", "content": (" " if lang == "en" else "").join(replies), "why": "I have the result. I tell the user." if lang == "en" else "有结果了，告诉用户。"})
    return out, "call" if count == 1 else "two calls"


def make(split, rng, n_tools=None, n_turns=None, none_share=NONE_SHARE):
    """A conversation of 1 to 4 turns with 1 to 4 tools (more when asked for); it may end with a call or with a reply."""
    for _ in range(1000):
        lang = "zh" if rng.random() < 0.2 else "en"
        count = n_tools or rng.choice((1, 2, 3, 4))
        box = toolbox(split, rng, count + 2)
        tools, absent = box[:count], box[count:]
        if not tools:
            continue
        think = rng.random() < 0.5
        messages = []
        if rng.random() < 0.3:
            messages.append({"role": "system", "content": rng.choice(manners.PLAIN).format(x=words.phrase(split, rng, 1, 2), y=rng.randint(1, 365))})
        kind = ""
        for _ in range(n_turns or rng.choice((1, 2, 3, 4))):
            turn, kind = _turn(split, rng, tools, absent, lang, none_share)
            messages += turn
        if kind in ("call", "two calls") and rng.random() < 0.5:
            while not messages[-1].get("tool_calls"):
                messages.pop()
        elif kind in ("call", "two calls"):
            kind = "reply"
        for message in messages:
            why = message.pop("why", None)
            if why and think:
                message["reasoning_content"] = why
            show_working(message, think)
        last = messages[-1]
        if "tool_calls" in last:
            check = {"kind": "calls", "calls": [list(c) for c in last["tool_calls"]], "turn": kind}
        else:
            check = {"kind": "last line" if kind == "none" else "text", "text": last["content"].rpartition("\n")[2], "turn": kind}
        dialogue = Dialogue("tools", messages, tools=[t.schema(rng) for t in tools], think=think,
                            effort=rng.choice(("max", "max", "high")), keep=rng.random() < 0.85, check=check)
        if split.owns(dialogue.prompt_key()):
            return dialogue
    raise RuntimeError("no dialogue of this side found")
