# SPDX-License-Identifier: MIT
"""Between a client and the server: passes bytes on unchanged and afterwards tells what was asked and what the cache gave.

    with Recorder(server.url) as recorder:
        ...                              # the client talks to recorder.url
    for turn in recorder.turns(): ...    # requests for answers, in order

Only the standard library is used.
"""
import json
import select
import socket
import socketserver
import threading
import time


class Turn:
    """One request for an answer, and what came."""

    def __init__(self, path, body, status, answer, started):
        self.path, self.body, self.status, self.answer, self.started = path, body, status, answer, started
        self.is_streamed = bool(body.get("stream"))
        self.has_tools = bool(body.get("tools"))
        self.n_prompt, self.n_cached, self.n_answer = usage_of(answer)

    def messages(self):
        """The conversation as the client wrote it, without marks for caches."""
        system = self.body.get("system") or self.body.get("instructions")
        items = self.body.get("messages") or self.body.get("input") or []
        items = [{"role": "user", "content": items}] if isinstance(items, str) else list(items)
        return [unmarked(i) for i in ([{"role": "system", "content": system}] if system else []) + items]

    def returns_reasoning(self):
        """Whether an earlier answer's reasoning came back."""
        text = json.dumps([m for m in self.messages() if m.get("role") in ("assistant", None)])
        return any(f'"{key}": "' in text for key in ("reasoning_content", "reasoning", "thinking")) or \
            '"type": "reasoning_text"' in text


def unmarked(value):
    if isinstance(value, dict):
        return {k: unmarked(v) for k, v in value.items() if k != "cache_control"}
    return [unmarked(v) for v in value] if isinstance(value, list) else value


def usage_of(answer):
    """(prompt tokens, of these from cache, answer tokens) of a whole answer or a stream; None where it does not say."""
    objects = [answer] if answer.lstrip().startswith(b"{") else \
        [line[5:].strip() for line in answer.split(b"\n") if line.startswith(b"data:") and line[5:].strip().startswith(b"{")]
    prompt = cached = made = None
    for text in objects:
        try:
            thing = json.loads(text)
        except ValueError:
            continue  # cut off in the middle
        for holder in (thing, thing.get("message"), thing.get("response")):
            usage = holder.get("usage") if isinstance(holder, dict) else None
            if not usage:
                continue
            details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
            if "cache_read_input_tokens" in usage:
                cached = usage["cache_read_input_tokens"]
                prompt = usage["input_tokens"] + cached + usage.get("cache_creation_input_tokens", 0)
            elif "prompt_tokens" in usage or "input_tokens" in usage:
                prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
                cached = details.get("cached_tokens", 0)
            made = usage.get("completion_tokens", usage.get("output_tokens", made))
    return prompt, cached, made


def first_message(data, is_answer, method="GET"):
    """(first line, body, rest) of the first HTTP message in data; None when it is not whole (an answer may be cut off)."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    if not separator:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    if is_answer and (method == "HEAD" or first.split()[1] in ("100", "204", "304")):
        return first, b"", rest
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while True:
            size, separator, after = rest.partition(b"\r\n")
            n = int(size.split(b";")[0], 16) if separator else -1
            if n < 0 or len(after) < n + 2:
                return (first, body + after, b"") if is_answer else None
            body, rest = body + after[:n], after[n + 2:]
            if n == 0:
                return first, body, rest
    n = int(headers.get("content-length", len(rest) if is_answer else 0))
    if len(rest) < n and not is_answer:
        return None
    return first, rest[:n], rest[n:]


class Recorder:
    def __init__(self, url):
        host, port = url.split("//")[1].split(":")
        self.exchanges = []  # [time, bytes to the server, bytes from it] a connection
        recorder = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                entry = [time.monotonic(), bytearray(), bytearray()]
                recorder.exchanges.append(entry)
                with socket.create_connection((host, int(port))) as upstream:
                    ends = {self.request: (upstream, entry[1]), upstream: (self.request, entry[2])}
                    while True:
                        for end in select.select(list(ends), [], [])[0]:
                            other, record = ends[end]
                            try:
                                data = end.recv(65536)
                                if not data:
                                    return
                                record += data
                                other.sendall(data)
                            except OSError:
                                return

        class Listener(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.listener.server_address[1]}"
        self.thread = threading.Thread(target=self.listener.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown()
        self.listener.server_close()

    def requests(self):
        """[(time, method, path, body, status, answer)] in the order of asking."""
        found = []
        for started, asked, answered in list(self.exchanges):
            asked, answered = bytes(asked), bytes(answered)
            while asked and (message := first_message(asked, False)):
                line, body, asked = message
                method, path = line.split()[:2]
                answer = first_message(answered, True, method)
                while answer and answer[0].split()[1] == "100":
                    answer = first_message(answer[2], True, method)
                status, text, answered = (int(answer[0].split()[1]), answer[1], answer[2]) if answer else (0, b"", b"")
                found.append((started, method, path, body, status, text))
        return sorted(found, key=lambda f: f[0])

    def turns(self):
        turns = []
        for started, method, path, body, status, answer in self.requests():
            if method == "POST" and not path.split("?")[0].endswith("count_tokens") and body.lstrip().startswith(b"{"):
                turns.append(Turn(path.split("?")[0], json.loads(body), status, answer, started))
        return turns


def difference(before, after):
    """What of one request is not in the next, in words."""
    if before.body.get("tools") != after.body.get("tools"):
        return "the tools"
    old, new = before.messages(), after.messages()
    for i, message in enumerate(old):
        if i >= len(new):
            return f"message {i} of {len(old)} is gone"
        if message != new[i]:
            a, b = json.dumps(message), json.dumps(new[i])
            at = next((j for j, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            return f"message {i} of {len(old)} ({message.get('role', message.get('type'))}): " \
                   f"{a[max(at - 30, 0):at + 30]!r} became {b[max(at - 30, 0):at + 30]!r}"
    return "nothing: messages were added"


def report(name, turns):
    """A line a turn of the main conversation (those with tools, or all), then the share from cache from turn 2 on."""
    main = [t for t in turns if t.has_tools] or turns
    prompts = cached = 0
    for i, turn in enumerate(main):
        text = f"  {name} turn {i + 1}: {turn.n_cached} of {turn.n_prompt} prompt tokens from cache"
        if i > 0 and turn.n_prompt:
            prompts, cached = prompts + turn.n_prompt, cached + turn.n_cached
        if i > 0:
            text += f"; reasoning returned: {'yes' if turn.returns_reasoning() else 'no'}; changed: {difference(main[i - 1], turn)}"
        print(text, flush=True)
    if prompts:
        print(f"  {name}: {100.0 * cached / prompts:.1f} % of prompt tokens from cache from turn 2 on", flush=True)
    return cached / prompts if prompts else None
