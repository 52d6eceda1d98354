# SPDX-License-Identifier: MIT
"""A `glm serve` to talk to, for the tests of this folder: Python's standard library only.

Each test program is called with GLM MODEL [TEST...]. The model has random weights: where an answer must say something, a
script gives the ids (--script), and the real engine, tokenizer, parser and server carry them.
"""
import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

GLM, MODEL = sys.argv[1], sys.argv[2]
PATIENCE = 120  # seconds: only a server that hangs, not one that is slow, makes a test fail by time
LIBC = ctypes.CDLL(None)
FILE_TEXT = "say \"hi\"\\n \t tab\n{\"not\": \"an object\"} é 漢字 😀 \u2028 </div> " + "and on and on. " * 12
RULES = [
    {"all": ["say hello"], "answer": "They greet me.</think>Hello from glm.<|user|>"},
    {"all": ["weather in Oslo"], "none": ["It rains"],
     "answer": "Need the tool.</think>Checking.<tool_call>get_weather<arg_key>city</arg_key><arg_value>Oslo</arg_value>"
               "<arg_key>days</arg_key><arg_value>3</arg_value></tool_call><|observation|>"},
    {"all": ["weather in Oslo", "It rains"], "answer": "I know.</think>It rains in Oslo.<|user|>"},
    {"all": ["two calls"], "answer": "Both.</think><tool_call>get_weather<arg_key>city</arg_key><arg_value>Rome</arg_value>"
     "</tool_call><tool_call>now</tool_call><|observation|>"},
    {"all": ["stop here"], "answer": "END is not seen here.</think>one two END three<|user|>"},
    {"all": ["write a file"],
     "answer": "</think><tool_call>write<arg_key>path</arg_key><arg_value>a \"b\".txt</arg_value><arg_key>lines</arg_key><arg_value>[1, 2.50, "
               "{\"k\": null}]</arg_value><arg_key>text</arg_key><arg_value>" + FILE_TEXT + "</arg_value></tool_call><|observation|>"},
    {"all": ["patch it"], "answer": "</think><tool_call>patch<arg_key>input</arg_key><arg_value>" + FILE_TEXT + "</arg_value></tool_call>"
     "<tool_call>patch<arg_key>text</arg_key><arg_value>x</arg_value></tool_call><|observation|>"},
    {"all": ["only thought"], "answer": "The answer came as thought.<|user|>"},
    {"all": ["no thought"], "answer": "Plain.<|user|>"},
]
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "weather", "parameters": WEATHER}},
         {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}]


def end_with_parent():
    """In the server: do not outlive a test that is killed."""
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Server:
    def __init__(self, *options):
        self.folder = tempfile.TemporaryDirectory()
        script = os.path.join(self.folder.name, "script.json")
        with open(script, "w", encoding="utf-8") as f:
            json.dump(RULES, f)
        self.said = tempfile.TemporaryFile("w+")  # not a pipe, which nobody would empty
        self.process = subprocess.Popen([GLM, "serve", MODEL, "--port", "0", *([] if "--ctx" in options else ["--ctx", "1000"]),
                                         "--script", script, *options],
                                        stdout=subprocess.PIPE, stderr=self.said, text=True, preexec_fn=end_with_parent)
        line = self.process.stdout.readline()
        if not line.startswith(("listening on http://", "listening on https://")):
            raise RuntimeError("no start-up line: " + line + self.ended())
        self.port = int(line.rsplit(":", 1)[1])

    def stop(self, signum=signal.SIGTERM):
        self.process.send_signal(signum)
        code = self.process.wait(PATIENCE)
        self.close()
        return code

    def ended(self):
        """Wait for the end of a server that was told to; all it said behind its start-up line."""
        self.process.wait(PATIENCE)
        self.said.seek(0)
        said = self.process.stdout.read() + self.said.read()
        self.close()
        return said

    def close(self):
        """What is left of a server that has ended."""
        self.process.stdout.close()
        self.said.close()
        self.folder.cleanup()

    def call(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        c.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        r = c.getresponse()
        text = r.read()
        c.close()
        return r.status, r.headers, text

    def post(self, path, body, headers=None):
        status, _, text = self.call("POST", path, body, headers)
        return status, json.loads(text)

    def events(self, path, body):
        """[(event name or None, data)] of a stream; data is JSON, or the text [DONE]."""
        status, headers, text = self.call("POST", path, {**body, "stream": True})
        assert status == 200, text
        assert headers["Content-Type"].startswith("text/event-stream"), headers
        out = []
        for block in text.decode().split("\n\n"):
            name, data = None, None
            for line in block.split("\n"):
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    data = line[6:]
            if data is not None:
                out.append((name, data if data == "[DONE]" else json.loads(data)))
        return out

    def metric(self, name):
        """The value of a metric without labels."""
        text = self.call("GET", "/metrics")[2].decode()
        return float(next(line.split()[1] for line in text.splitlines() if line.split()[0] == name))

    def raw(self, data, timeout=10):
        with socket.create_connection(("127.0.0.1", self.port), timeout) as s:
            s.sendall(data)
            out = b""
            try:
                while piece := s.recv(65536):
                    out += piece
            except (ConnectionResetError, socket.timeout):
                pass
            return out


def eventually(is_so):
    """Whether a condition comes true while one has patience; it is looked at 50 times a second."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def user(text):
    return [{"role": "user", "content": text}]


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.s.stop() == 0


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
