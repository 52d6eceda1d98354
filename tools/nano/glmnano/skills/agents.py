# SPDX-License-Identifier: MIT
"""Coding agents: long system prompts, many tools with long descriptions, short requests.

What such clients send is mostly instructions to skip over; the task is to find the one tool that fits, call it, and report in a
line. Tool and parameter names vary as they do among clients. A request may be for a small web page, written to a file.
"""

from .. import words
from ..dialogue import Dialogue, to_json
from . import manners, pages, tools
from .actions import COMMANDS, file_name, value

# key: (names, what it does, {parameter: (names, type, about, is_required)})
TOOLS = {
    "bash": ("bash Bash shell run_command exec_command run_shell_command", "Runs a command in a shell and returns its output.",
             {"command": ("command cmd", "string", "The command to run.", True),
              "timeout": ("timeout timeout_ms", "integer", "Time limit in milliseconds.", False),
              "note": ("description", "string", "What the command does, in a few words.", False)}),
    "read": ("read Read read_file view cat open_file", "Reads a file and returns its text.",
             {"path": ("file_path path filePath filename", "string", "Path of the file.", True),
              "offset": ("offset start_line", "integer", "First line to read.", False),
              "limit": ("limit max_lines", "integer", "Number of lines to read.", False)}),
    "write": ("write Write write_file create_file save_file", "Writes a file and replaces what is there.",
              {"path": ("file_path path filePath filename", "string", "Path of the file.", True),
               "content": ("content contents text", "string", "The whole text of the file.", True)}),
    "edit": ("edit Edit replace str_replace edit_file", "Replaces a text in a file.",
             {"path": ("file_path path filePath filename", "string", "Path of the file.", True),
              "old": ("old_string oldString old_str old_text", "string", "The text to replace.", True),
              "new": ("new_string newString new_str new_text", "string", "The text to put there.", True),
              "all": ("replace_all replaceAll", "boolean", "Whether to replace every occurrence.", False)}),
    "list": ("ls LS list list_directory list_files", "Lists the files of a folder.",
             {"path": ("path dir_path directory folder", "string", "Path of the folder.", True),
              "ignore": ("ignore exclude", "array", "Patterns to leave out.", False)}),
    "grep": ("grep Grep search_files search_file_content", "Searches the text of files for a regular expression.",
             {"pattern": ("pattern regex query", "string", "The expression.", True),
              "path": ("path dir_path directory", "string", "Folder to search in.", False),
              "glob": ("glob include", "string", "Only files whose name fits.", False)}),
    "glob": ("glob Glob find_files", "Finds files by a pattern of their names.", {"pattern": ("pattern glob_pattern", "string", "Such as *.py.", True)}),
    "fetch": ("webfetch WebFetch fetch web_fetch", "Fetches a page from the web.", {"url": ("url", "string", "Address of the page.", True)}),
    "todo": ("todowrite TodoWrite update_plan write_todos", "Writes the list of things to do.",
             {"todos": ("todos plan items", "array", "The things to do.", True)}),
    "task": ("task Task agent Agent", "Starts another agent on a task.",
             {"about": ("description", "string", "A few words.", True), "prompt": ("prompt", "string", "The task.", True)}),
    "ask": ("question AskUserQuestion ask_user", "Asks the user a question.", {"questions": ("questions", "array", "The questions.", True)}),
}
SENTENCES = [
    "Use this tool to {v} the {n}.", "Always {v} the {n} before you {w} it.", "Never {v} a {n} unless the user asks for it.", "The {n} must be {a}.",
    "If the {n} is {a}, {w} it first.", "- {v} the {n} and keep it {a}.", "Returns the {n} as text.", "Do not {v} more than {k} {n}s at once.",
    "You should {v} the {n} with care.", "Prefer a {a} {n} to a {b} one.", "Output longer than {k} characters is cut.", "IMPORTANT: the {n} is {a}.",
    "When the {n} fails, {v} it again.", "Keep your answers short.", "Follow the conventions of the project.", "Paths must be absolute.", "- Be concise and direct.",
]
OPENERS = ["You are {n}, a coding agent that runs in a terminal.", "You are {n}, an interactive CLI tool that helps users with software engineering.",
           "You are {n}, a coding assistant. Use the tools below to help the user.", "You are {n}, an expert software engineer working in a shared workspace."]
ASK = {
    "bash": ["Run {x}", "Run the command {x}", "Please execute {x}", "运行 {x}"],
    "read": ["Read {x}", "Show me {x}.", "What is in {x}?", "Open the file {x}.", "读取 {x}"],
    "list": ["List the files in {x}.", "Which files are in {x}?", "ls {x}"],
    "grep": ["Search for {x}.", "grep {x}", "Find {x} in the code.", "Where is {x} used?"],
    "glob": ["Find the files that match {x}.", "Find {x}", "Which files match {x}?"],
    "fetch": ["Fetch {x}", "Get the page {x}.", "What is on {x}?"],
}
PARAMETER = {"bash": "command", "read": "path", "list": "path", "grep": "pattern", "glob": "pattern", "fetch": "url"}


def _prose(rng, n_chars):
    """About `n_chars` characters of instructions that matter for nothing."""
    out, size = [], 0
    while size < n_chars:
        n = rng.choice(words.NOUNS)
        v, w = rng.sample(words.VERBS, 2)
        a, b = rng.sample(words.ADJECTIVES, 2)
        text = rng.choice(SENTENCES).format(n=n, v=v, w=w, a=a, b=b, k=rng.randint(2, 9000))
        out.append(text[0].upper() + text[1:])
        size += len(text) + 1
    return rng.choice((" ", "\n", "\n")).join(out)


class Kit:
    """The tools of one client: schemas, and the names behind each key."""

    def __init__(self, split, rng, n_chars):
        keys = ["bash", "read", "write", "edit"] + rng.sample(["list", "grep", "glob", "fetch", "todo", "task", "ask"], rng.randint(1, 7 if n_chars > 600 else 2))
        rng.shuffle(keys)
        self.names, self.params, self.schemas = {}, {}, []
        snake = rng.random() < 0.5
        for key in keys:
            self._add(split, rng, key, n_chars // len(keys), snake)

    def _add(self, split, rng, key, n_chars, snake):
        names, about, params = TOOLS[key]
        while True:
            name = rng.choice(names.split())
            chosen = {p: (rng.choice(alternatives.split()), *rest) for p, (alternatives, *rest) in params.items()}
            chosen = {p: c for p, c in chosen.items() if c[3] or rng.random() < 0.7}
            signature = name + "(" + ",".join(c[0] for c in chosen.values()) + ")"
            if split.owns(f"signature:{signature}") or len(names.split()) * len(params) < 12:
                break
        self.names[key] = name
        self.params[key] = {p: c[0] for p, c in chosen.items()}
        properties = {}
        for p, (shown, json_type, told, _) in chosen.items():
            properties[shown] = {"description": told, "type": json_type} if snake else {"type": json_type, "description": told}
            if json_type == "array":
                properties[shown]["items"] = {"type": "string"}
        description = about + ("\n\n" if rng.random() < 0.5 else " ") + _prose(rng, rng.randint(0, 2 * n_chars)) if n_chars > 40 else about
        body = {"type": "object", "properties": properties, "required": [c[0] for c in chosen.values() if c[3]]}
        if rng.random() < 0.4:
            body["additionalProperties"] = False
        self.schemas.append({"name": name, "description": description, "parameters": body})


def _subject(split, rng, key):
    if key == "bash":
        return rng.choice(COMMANDS).format(f=file_name(split, rng), w=words.pseudo_word(rng), n=rng.randint(2, 99))
    if key == "read":
        return file_name(split, rng)
    if key == "list":
        return value(split, rng, "folder")
    if key == "grep":
        return words.pseudo_word(rng) + rng.choice(("", "", "_" + rng.choice(words.NOUNS), "()"))
    if key == "glob":
        return rng.choice(("*", "**/*", "src/*", words.pseudo_word(rng) + "*")) + "." + rng.choice(("py", "c", "h", "md", "js", "html", "txt"))
    return f"https://{words.pseudo_word(rng)}.{rng.choice(('com', 'org', 'net', 'io'))}/{rng.choice(words.NOUNS)}"


def _task(split, rng, kit):
    """One request: (text, tool key, arguments, tool result, final reply)."""
    keys = [k for k in ("bash", "read", "write", "write", "write", "edit", "list", "grep", "glob", "fetch") if k in kit.names]
    key = rng.choice(keys)
    names = kit.params[key]
    if key == "write":
        if rng.random() < 0.6:
            request, content, _ = pages.sample(split, rng)
            path = split.draw("file", lambda: f"{rng.choice(words.NOUNS)}.html")
            text = rng.choice(("{r} Save it as {p}.", "Create the file {p}. {r}", "Write {p}: {r}", "{r} Put it in {p}.")).format(r=request, p=path)
        else:
            path, content = file_name(split, rng), words.phrase(split, rng, 1, 6)
            text = rng.choice(("Create {p} with the text {c}", "Write {c} to {p}", "Make a file {p} that says {c}")).format(p=path, c=content)
        args = {names["path"]: path, names["content"]: content}
        return text, key, args, rng.choice(("ok", f"Wrote {path}", "File written successfully.", "")), f"Done. I wrote {path}."
    if key == "edit":
        path, old, new = file_name(split, rng), words.phrase(split, rng, 1, 2), words.phrase(split, rng, 1, 2)
        text = rng.choice(("In {p} replace {o} with {n}", "Change {o} to {n} in {p}", "Edit {p}: {o} becomes {n}")).format(p=path, o=old, n=new)
        args = {names["path"]: path, names["old"]: old, names["new"]: new}
        return text, key, args, rng.choice(("ok", "1 replacement", f"The file {path} has been updated.")), f"Done. I changed {path}."
    subject = _subject(split, rng, key)
    text = rng.choice(ASK[key]).format(x=subject)
    result = words.phrase(split, rng, 1, 5) if key in ("bash", "read", "fetch") else " ".join(file_name(split, rng) for _ in range(rng.randint(1, 3)))
    return text, key, {names[PARAMETER[key]]: subject}, result, f"Done. The result is: {result}"


def make(split, rng, n_chars=3000):
    """A session of an agent with about `n_chars` characters of instructions and schemas; it may end with a call or a report."""
    for _ in range(1000):
        kit = Kit(split, rng, n_chars // 2)
        name = words.person(split, rng) if rng.random() < 0.5 else words.pseudo_word(rng).capitalize()
        system = rng.choice(OPENERS).format(n=name) + "\n" + _prose(rng, n_chars // 3)
        if rng.random() < 0.5:
            system += f"\n<env>\nWorking directory: /home/{words.pseudo_word(rng)}/{rng.choice(words.NOUNS)}\nPlatform: linux\n</env>"
        messages = [{"role": "system", "content": system}]
        for _ in range(rng.choice((1, 2, 3))):
            if rng.random() < 0.2:
                intent = rng.choice(("greet", "who", "thanks", "how"))
                reply = f"I am {name}." if intent == "who" else manners.REPLY[intent]["en"]
                messages += [{"role": "user", "content": rng.choice(manners.WORDINGS[intent]["en"])},
                             {"role": "assistant", "content": reply, "why": manners.THOUGHT[intent]["en"]}]
                continue
            text, key, args, result, reply = _task(split, rng, kit)
            tool = kit.names[key]
            messages += [{"role": "user", "content": text},
                         {"role": "assistant", "content": "", "tool_calls": [(tool, args)], "working": tools.working([TOOLS[key][1].rstrip(".")], [tool])},
                         {"role": "tool", "content": result if rng.random() < 0.8 else to_json({"output": result})},
                         {"role": "assistant", "content": reply, "why": "I have the result. I tell the user."}]
        if messages[-2]["role"] == "tool" and rng.random() < 0.5:
            messages = messages[:-2]
        think = rng.random() < 0.6
        for message in messages:
            why = message.pop("why", None)
            if why and think:
                message["reasoning_content"] = why
            tools.show_working(message, think)
        last = messages[-1]
        if "tool_calls" in last:
            check = {"kind": "calls", "calls": [list(c) for c in last["tool_calls"]], "turn": "call"}
        else:
            check = {"kind": "text", "text": last["content"], "turn": "reply"}
        dialogue = Dialogue("agents", messages, tools=kit.schemas, think=think, effort=rng.choice(("max", "high")),
                            keep=rng.random() < 0.85, check=check)
        if split.owns(dialogue.prompt_key()):
            return dialogue
    raise RuntimeError("no dialogue of this side found")
