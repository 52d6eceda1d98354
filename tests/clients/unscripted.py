# SPDX-License-Identifier: MIT
"""Clients, unchanged, in front of the bundled model itself: nothing is written for it. What it makes of them, told.

    unscripted.py FOLDER [NAME...]      FOLDER: where run --install put the agents (default of run: build/clients)

For each agent and task: the prompt's length, the call the model made, whether the tool's output came back, what the agent showed at
the end. NAME-lean: the same agent with a short system prompt and few tools, by its own settings. sdks:
tool loops of three SDKs (unscripted_sdks.py). The model's wit decides how that goes; only a server that answers with an error or does not end is a failure. GLM_TEST_MODEL: the
model, default models/nano of the checkout.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

FOLDER, NAMES = os.path.abspath(sys.argv[1]), sys.argv[2:]
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
os.environ.setdefault("GLM_TEST_SOURCE", ROOT)
os.environ.setdefault("GLM_TEST_PROGRAM", os.path.join(ROOT, "build", "release", "glm"))
MODEL = os.environ.get("GLM_TEST_MODEL", os.path.join(ROOT, "models", "nano"))
sys.argv[1:] = [os.path.join(FOLDER, "agents"), os.path.join(FOLDER, "aider")]
import agents  # noqa: E402: reads its folders from the command line
import recorder  # noqa: E402
import serving  # noqa: E402

NOTE = "The blue lantern hangs above the door.\n"
# What is asked, and what of the tool's output the last answer must show for the round trip to count.
TASKS = (("Run the shell command: echo glm-client-works", "glm-client-works"), ("Run pwd", "work"), ("Run ls", "note.txt"))


SYSTEM = "You are glm, a coding agent that runs in a terminal."


class LeanClaude(agents.Claude):
    """With its own flags for a short system prompt and one tool."""

    def binary(self):
        return os.path.join(agents.NODE, "node_modules", ".bin", "claude")

    def ask(self, prompt, is_further):
        arguments, more = super().ask(prompt, is_further)
        return [*arguments, "--tools", "Bash", "--system-prompt", SYSTEM], more


class LeanOpenCode(agents.OpenCode):
    """With an agent of its configuration that has a short prompt and one tool."""

    def binary(self):
        return os.path.join(agents.NODE, "node_modules", ".bin", "opencode")

    def set_up(self):
        super().set_up()
        with open(self.config) as file:
            config = json.load(file)
        config["agent"] = {"build": {"prompt": SYSTEM, "tools": {"*": False, "bash": True}, "permission": {"bash": "allow"}}}
        agents.write(self.home, "opencode.json", json.dumps(config))


class LeanCodex(agents.Codex):
    """With instructions from a file and without the tools its configuration can switch off."""

    def binary(self):
        return os.path.join(agents.NODE, "node_modules", ".bin", "codex")

    def set_up(self):
        super().set_up()
        path = agents.write(self.home, "instructions.md", SYSTEM)
        with open(os.path.join(self.home, ".codex/config.toml")) as file:
            config = file.read()
        agents.write(self.home, ".codex/config.toml", f'model_instructions_file = "{path}"\nweb_search = "disabled"\n' + config)


KINDS = {**agents.AGENTS, "claude-lean": LeanClaude, "opencode-lean": LeanOpenCode, "codex-lean": LeanCodex}


def calls_of(answer):
    """Names and arguments of the calls in a stream of any of the APIs, as one text each."""
    calls, current = [], {}
    for line in answer.decode(errors="replace").split("\n"):
        if not line.startswith("data: {"):
            continue
        e = json.loads(line[6:])
        for choice in e.get("choices") or []:
            for c in choice.get("delta", {}).get("tool_calls") or []:
                f = c.get("function", {})
                calls += [""] if f.get("name") else []
                calls[-1] += (f.get("name") or "") + (f.get("arguments") or "")
        block, item = e.get("content_block") or {}, e.get("item") or {}
        if block.get("type") == "tool_use":
            calls.append(block["name"])
            current[e["index"]] = len(calls) - 1
        if e.get("delta") and isinstance(e["delta"], dict) and e["delta"].get("type") == "input_json_delta":
            calls[current[e["index"]]] += e["delta"]["partial_json"]
        if e.get("type") == "response.output_item.done" and "call" in item.get("type", ""):
            calls.append(item.get("name", "") + (item.get("arguments") or item.get("input") or ""))
    return calls


def has_output(turn, text):
    """Whether a tool's output in this request shows the text."""
    for m in turn.body.get("messages") or turn.body.get("input") or []:
        if not isinstance(m, dict):
            continue
        parts = m.get("content") if isinstance(m.get("content"), list) else []
        outputs = [p for p in parts if isinstance(p, dict) and p.get("type") == "tool_result"]
        if m.get("role") == "tool" or m.get("type", "").endswith("call_output"):
            outputs.append(m)
        if any(text in json.dumps(o) for o in outputs):
            return True
    return False


def try_one(kind, server, task, expected):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, recorder.Recorder(server.url) as wire:
        agent = kind(home, wire.url)
        agents.write(agent.work, "note.txt", NOTE)
        try:
            code, shown = agent.run(task, seconds=150)
        except AssertionError as e:
            code, shown = "none", str(e)
        turns = [t for t in wire.turns() if t.has_tools]
    calls = [c for t in turns for c in calls_of(t.answer)]
    came_back = any(has_output(t, expected) for t in turns)
    tail = re.sub(r"\s+", " ", shown)[-160:]
    print(f"  {task!r}: {len(turns)} requests with tools, prompt {turns[0].n_prompt if turns else 0} tokens; calls: "
          f"{[c[:100] for c in calls[:4]]}; output came back: {'yes' if came_back else 'no'}; exit {code}; ... {tail}", flush=True)
    return came_back, [t.status for t in turns if t.status >= 500]


def try_agent(name, server):
    """True when the server did its part."""
    results = [try_one(KINDS[name], server, *task) for task in TASKS]
    print(f"  {name}: {sum(r[0] for r in results)} of {len(results)} round trips", flush=True)
    return not any(r[1] for r in results)


def try_sdks(server):
    command = [os.path.join(FOLDER, "py", "bin", "python"), "-B", os.path.join(HERE, "unscripted_sdks.py")]
    return subprocess.run(command, env=dict(os.environ, GLM_TEST_URL=server.url, no_proxy="*"), timeout=300).returncode == 0


def main():
    failed = []
    for name in NAMES or ["sdks", *(n for n in KINDS if n != "aider")]:  # which offers no tools
        print(name, flush=True)
        with tempfile.TemporaryDirectory() as data, serving.Server(data, ctx=65536, model=MODEL) as server:
            is_fine = try_sdks(server) if name == "sdks" else try_agent(name, server)
            server.becomes("glm_requests_running", 0)
            if not is_fine or server.stop() != 0:
                failed.append(name)
    print("failed: " + ", ".join(failed) if failed else "the server was fine")
    return len(failed) > 0


if __name__ == "__main__":
    sys.exit(main())
