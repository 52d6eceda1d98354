# SPDX-License-Identifier: MIT
"""Coding agents, unchanged, against `glm serve`: a tool round trip, a second question, going away, two errors.

    agents.py FOLDER-WITH-node_modules FOLDER-OF-AIDER [NAME...]

Each has a home of its own; nothing but the server is reached, through a recorder that tells what the cache gave. The answers
are written (script.json). Prints a line a case; an agent that is not installed is skipped by name.
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import recorder
import serving

TASK, TOLD = "Run the shell command: echo glm-client-works", "The command printed glm-client-works."
AGAIN, TOLD_AGAIN = "Say hello.", "Hello there."
SLOW = "Count slowly."
REFUSED_CTX = 1024  # less than any agent's instructions
NODE, AIDER = sys.argv[1], sys.argv[2]


def write(home, name, content):
    path = os.path.join(home, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content)
    return path


class Agent:
    """How one agent is pointed at a server and asked; ask() gives (arguments, environment)."""

    def __init__(self, home, url, key="none"):
        self.home, self.url, self.key = home, url, key
        self.work = os.path.join(home, "work")
        os.makedirs(self.work, exist_ok=True)
        self.set_up()

    def set_up(self):
        pass

    def binary(self):
        return os.path.join(NODE, "node_modules", ".bin", type(self).__name__.lower())

    def start(self, prompt, is_further=False, stdin=subprocess.DEVNULL):
        arguments, more = self.ask(prompt, is_further)
        clean = {k: os.environ[k] for k in ("PATH", "LANG") if k in os.environ}
        clean.update(HOME=self.home, XDG_CONFIG_HOME=os.path.join(self.home, "config"), TERM="dumb", NO_COLOR="1", **more)
        return subprocess.Popen([self.binary(), *arguments], cwd=self.work, env=clean, stdin=stdin,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def run(self, prompt, is_further=False, seconds=240, typed=None):
        """(exit code, output); `typed` comes on its standard input."""
        process = self.start(prompt, is_further, subprocess.PIPE if typed else subprocess.DEVNULL)
        try:
            text = process.communicate(typed, timeout=seconds)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            text = process.communicate()[0].decode(errors="replace")
            raise AssertionError(f"no end within {seconds} s\n{text[-3000:]}") from None
        return process.returncode, text

    def converse(self):
        """A tool round trip, then a further question in the same conversation; the output of both."""
        return [self.run(TASK), self.run(AGAIN, is_further=True)]


class Claude(Agent):
    def ask(self, prompt, is_further):
        more = ["--continue"] if is_further else []
        return ["-p", prompt, "--output-format", "json", "--allowedTools", "Bash", *more], {
            "ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_AUTH_TOKEN": self.key, "ANTHROPIC_MODEL": "glm-test",
            "ANTHROPIC_SMALL_FAST_MODEL": "glm-test", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}


class Codex(Agent):
    def set_up(self):
        write(self.home, ".codex/config.toml", f'''model = "glm-test"
model_provider = "glm"
[model_providers.glm]
name = "glm"
base_url = "{self.url}/v1"
wire_api = "responses"
env_key = "GLM_KEY"
''')

    def ask(self, prompt, is_further):
        more = ["resume", "--last"] if is_further else []
        return ["exec", *more, "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json", prompt], {
            "GLM_KEY": self.key}


class OpenCode(Agent):
    def set_up(self):
        config = {"provider": {"glm": {
            "npm": "@ai-sdk/openai-compatible", "name": "glm", "options": {"baseURL": self.url + "/v1", "apiKey": self.key},
            "models": {"glm-test": {"name": "glm-test", "interleaved": {"field": "reasoning_content"}}}}},
            "model": "glm/glm-test", "autoupdate": False, "share": "disabled"}
        self.config = write(self.home, "opencode.json", json.dumps(config))

    def ask(self, prompt, is_further):
        return ["run", *(["--continue"] if is_further else []), prompt], {
            "OPENCODE_CONFIG": self.config, "OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"}


class Cline(Agent):
    def set_up(self):
        environment = {"HOME": self.home, "PATH": os.environ["PATH"], "XDG_CONFIG_HOME": os.path.join(self.home, "config")}
        subprocess.run([self.binary(), "auth", "-p", "openai", "-k", self.key, "-m", "glm-test", "-b", self.url + "/v1"],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120, env=environment)

    def ask(self, prompt, is_further):
        return ["-P", "openai", "--json", prompt], {}

    def converse(self):
        return [self.run(TASK)]  # it takes an earlier conversation up only on a terminal


class Aider(Agent):
    """It offers the model no tools; a conversation is one run with two questions typed in, the answers not streamed."""

    def set_up(self):
        # Its table of known models, else fetched from outside.
        window = {"max_input_tokens": 200000, "max_output_tokens": 32000, "litellm_provider": "openai", "mode": "chat"}
        write(self.home, ".aider/caches/model_prices_and_context_window.json", json.dumps({"openai/glm-test": window}))

    def binary(self):
        return os.path.join(AIDER, "bin", "aider")

    def ask(self, prompt, is_further):
        more = ["--message", prompt] if prompt else ["--no-stream"]
        return ["--model", "openai/glm-test", "--openai-api-base", self.url + "/v1", "--openai-api-key", self.key,
                "--no-show-model-warnings", "--no-check-update", "--analytics-disable", "--no-git", "--yes-always",
                "--no-pretty", "--no-fancy-input", *more], {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}

    def converse(self):
        both = self.run("", typed=f"{TASK}\n{AGAIN}\n".encode())
        return [both, both]


AGENTS = {"claude": Claude, "codex": Codex, "opencode": OpenCode, "cline": Cline, "aider": Aider}


def expect(result, text):
    code, output = result
    assert code == 0 and text in output, f"exit code {code}\n{output[-3000:]}"


def converse(kind, home, server):
    """A tool round trip, then a further question in the same conversation."""
    with recorder.Recorder(server.url) as wire:
        agent = kind(home, wire.url)
        try:
            for result, text in zip(agent.converse(), (TOLD, TOLD_AGAIN)):
                expect(result, text)
                print("  told:", text, flush=True)
        finally:
            turns = wire.turns()
            if os.environ.get("GLM_TEST_KEEP"):  # a file for looking into what went over the wire
                with open(os.environ["GLM_TEST_KEEP"] + "." + kind.__name__, "w") as file:
                    json.dump([[m, p, b.decode(errors="replace"), s, a.decode(errors="replace")]
                               for _, m, p, b, s, a in wire.requests()], file)
        recorder.report(kind.__name__, turns)
        return turns


def go_away(kind, home, server):
    """Ended in the middle of a long answer, it costs the server nothing any more."""
    process = kind(home, server.url).start(SLOW)
    before = server.metric("glm_generated_tokens_total")
    until = time.monotonic() + 120
    while server.metric("glm_generated_tokens_total") < before + 200 and process.poll() is None:
        assert time.monotonic() < until, "no long answer began"
        time.sleep(0.1)
    was_running = process.poll() is None
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        pass
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.communicate()
    assert was_running, "it ended before it was interrupted"
    server.becomes("glm_requests_running", 0)
    print("  going away: fine", flush=True)


def refuse(kind, home, server, key, words):
    """Refused, it says so and ends by itself."""
    with recorder.Recorder(server.url) as wire:
        code, output = kind(home, wire.url, key).run(TASK, seconds=180)
        n = len(wire.turns())
    lines = [line for line in output.lower().splitlines() if any(word in line for word in words)]
    assert lines, f"exit code {code}, {n} requests, none of {words} in\n{output[-3000:]}"
    print(f"  {words[0]}: told after {n} requests, exit code {code}: {lines[-1].strip()[:160]}", flush=True)


def main():
    failed = []
    for name in sys.argv[3:] or AGENTS:
        kind = AGENTS[name]
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            probe = kind.binary(kind.__new__(kind))
            if not os.path.exists(probe):
                print("skipped", name, "(not installed)", flush=True)
                continue
            print(name, flush=True)
            homes = [os.path.join(folder, f"home{i}") for i in range(4)]
            data = [os.path.join(folder, f"server{i}") for i in range(3)]
            for path in homes + data:
                os.mkdir(path)
            keys = write(folder, "keys", "a-right-key\n")
            try:
                with serving.Server(data[0]) as server:
                    converse(kind, homes[0], server)
                    go_away(kind, homes[1], server)
                with serving.Server(data[1], ctx=REFUSED_CTX) as server:
                    refuse(kind, homes[2], server, "none", ("context", "too long", "out of room", "token limit"))
                with serving.Server(data[2], "--key-file", keys) as server:
                    refuse(kind, homes[3], server, "a-wrong-key", ("key", "401", "authenticat", "unauthorized"))
                print("ok", name, flush=True)
            except (AssertionError, OSError, KeyError, ValueError, subprocess.SubprocessError) as e:
                failed.append(name)
                print("failed", name, type(e).__name__, e, flush=True)
    return len(failed) > 0


if __name__ == "__main__":
    sys.exit(main())
