# SPDX-License-Identifier: MIT
"""What the tests of clients share: `glm serve` with written answers, on a model made wide enough for agents.

The program is named by GLM_TEST_PROGRAM, the checkout by GLM_TEST_SOURCE. The model is the golden nano52 with its context
widened: its weights are random, so the answers of script.json stand in for its wit; tokenizer, template, parser, engine and
server are the real ones. Only the standard library is used.
"""
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import time
import urllib.request

PROGRAM = shlex.split(os.environ["GLM_TEST_PROGRAM"])
SOURCE = os.environ["GLM_TEST_SOURCE"]
HERE = os.path.dirname(os.path.abspath(__file__))
CONTEXT = 262144  # the tokens are bytes: an agent's tools and instructions take a hundred thousand


def wide_model(folder):
    """A copy of nano52 in `folder` that takes CONTEXT tokens."""
    source = os.path.join(SOURCE, "tests", "data", "golden", "nano52")
    model = os.path.join(folder, "nano-wide")
    os.mkdir(model)
    for name in os.listdir(source):
        if not name.startswith("golden"):
            shutil.copy(os.path.join(source, name), model)
    path = os.path.join(model, "config.json")
    with open(path) as file:
        config = json.load(file)
    config["max_position_embeddings"] = CONTEXT
    with open(path, "w") as file:
        json.dump(config, file)
    return model


def written_answers(folder):
    """script.json, with the long answer of "Count slowly." spelled out."""
    with open(os.path.join(HERE, "script.json")) as file:
        rules = json.load(file)
    for rule in rules:
        rule["answer"] = rule["answer"].replace("TICKS", "tick " * 20000)
    path = os.path.join(folder, "answers.json")
    with open(path, "w") as file:
        json.dump(rules, file)
    return path


class Server:
    """A running `glm serve`, with written answers or a model that answers itself; use as a context manager."""

    def __init__(self, folder, *options, ctx=None, model=None):
        self.log = open(os.path.join(folder, "serve.log"), "wb")
        script = [] if model else ["--script", written_answers(folder)]
        model = model or wide_model(folder)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GLM_")}
        environment["HOME"] = "/nonexistent"
        self.process = subprocess.Popen(
            [*PROGRAM, "serve", model, "--port", "0", "--model-name", "glm-test", *script,
             "--max-active", "4", "--ctx", str(ctx or CONTEXT), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, env=environment)
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        line = self.process.stdout.readline().decode() if ready else ""
        if not line.startswith("listening on "):
            self.process.kill()
            raise RuntimeError(f"glm serve did not start: {line!r}")
        self.url = line.split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """End it as a service manager would; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                return -signal.SIGKILL
        self.process.stdout.close()
        self.log.close()
        return self.process.returncode

    def metric(self, name):
        """The value of a metric without labels."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=30) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + " "):
                    return float(line.split()[-1])
        raise KeyError(name)

    def becomes(self, name, value, seconds=20):
        """Wait until a metric has a value."""
        until = time.monotonic() + seconds
        while self.metric(name) != value:
            if time.monotonic() > until:
                raise AssertionError(f"{name} is {self.metric(name)}, expected {value}")
            time.sleep(0.05)
