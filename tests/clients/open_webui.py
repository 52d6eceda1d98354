# SPDX-License-Identifier: MIT
"""Open WebUI, unchanged, in front of GLM_TEST_URL: models, chat whole and streamed, tools, a title, going away, an error.

    open_webui.py FOLDER-OF-ITS-ENVIRONMENT

Its own API is asked, as its page does. Prints a line a case.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

URL = os.environ["GLM_TEST_URL"]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}},
    {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}]


class Page:
    """What its page in a browser does."""

    def __init__(self, url):
        self.url, self.token = url, None
        self.token = json.load(self.ask("/api/v1/auths/signin", {"email": "", "password": ""}))["token"]

    def ask(self, path, body=None):
        headers = {"Content-Type": "application/json", **({"Authorization": "Bearer " + self.token} if self.token else {})}
        data = None if body is None else json.dumps(body).encode()
        return urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=120)

    def chat(self, messages, stream=False, **more):
        messages = messages if isinstance(messages, list) else [{"role": "user", "content": messages}]
        return self.ask("/api/chat/completions", {"model": "glm-test", "messages": messages, "stream": stream, **more})


def events(answer):
    for line in answer:
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])


def cases(page):
    models = [m["id"] for m in json.load(page.ask("/api/models"))["data"]]
    assert "glm-test" in models, models
    print("ok models", flush=True)

    message = json.load(page.chat("Say hello."))["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("Hello there.", "A greeting."), message
    print("ok plain", flush=True)

    deltas = [e["choices"][0]["delta"] for e in events(page.chat("Say hello.", True)) if e.get("choices")]
    assert "".join(d.get("content") or "" for d in deltas) == "Hello there.", deltas
    assert "".join(d.get("reasoning_content") or "" for d in deltas) == "A greeting.", deltas
    print("ok streamed", flush=True)

    history = [{"role": "user", "content": "What is the weather in Oslo?"}]
    message = json.load(page.chat(history, tools=TOOLS))["choices"][0]["message"]
    assert [c["function"]["name"] for c in message["tool_calls"]] == ["get_weather", "now"], message
    history += [message] + [{"role": "tool", "tool_call_id": c["id"], "content": "4 C"} for c in message["tool_calls"]]
    message = json.load(page.chat(history, tools=TOOLS))["choices"][0]["message"]
    assert message["content"] == "It is 4 C in Oslo.", message
    print("ok tools", flush=True)

    title = json.load(page.ask("/api/v1/tasks/title/completions", {
        "model": "glm-test", "messages": [{"role": "user", "content": "Say hello."}, {"role": "assistant", "content": "Hello."}]}))
    assert title["choices"][0]["message"]["content"], title
    print("ok title", flush=True)

    stream = page.chat("Count slowly.", True)
    for _, _ in zip(range(12), stream):
        pass
    stream.close()
    print("ok cancel", flush=True)

    try:
        text = page.chat("a" * 300000).read().decode()
        raise AssertionError("a prompt longer than the context was taken: " + text[:500])
    except urllib.error.HTTPError as e:
        text = e.read().decode()
        assert e.code == 400 and "maximum context length is" in text, (e.code, text)
    print("ok error", flush=True)


def main():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        environment = {k: os.environ[k] for k in ("PATH", "LANG") if k in os.environ}
        environment.update(HOME=folder, DATA_DIR=folder, WEBUI_AUTH="False", OFFLINE_MODE="True", ENABLE_OLLAMA_API="False",
                           WEBUI_SECRET_KEY="secret", OPENAI_API_BASE_URL=URL + "/v1", OPENAI_API_KEY="none",
                           RAG_EMBEDDING_ENGINE="openai", no_proxy="*")
        log = open(os.path.join(folder, "log"), "wb")
        process = subprocess.Popen([os.path.join(sys.argv[1], "bin", "open-webui"), "serve", "--host", "127.0.0.1", "--port",
                                    str(port)], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            until = time.monotonic() + 240
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).read()
                    break
                except OSError:
                    assert time.monotonic() < until and process.poll() is None, "Open WebUI did not start"
                    time.sleep(1)
            cases(Page(f"http://127.0.0.1:{port}"))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


main()
