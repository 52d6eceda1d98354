# SPDX-License-Identifier: MIT
"""The conversation on a terminal, through a pseudo-terminal."""
import os
import pty
import re
import select
import signal
import time
import unittest

from glm_cli import Case, NANO52, PROGRAM, environment


class Terminal:
    """glm on a pseudo-terminal."""

    def __init__(self, *args, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(PROGRAM[0], [*PROGRAM, *args],
                           environment(**{"TERM": "xterm", "LC_ALL": "C.UTF-8", **(env or {})}))
            finally:
                os._exit(99)
        self.output = b""

    def wait_for(self, pattern, timeout=60):
        """Read until the output not yet consumed matches; returns and consumes what was read."""
        deadline = time.monotonic() + timeout
        while True:
            match = re.search(pattern.encode(), self.output, re.S)
            if match:
                text, self.output = self.output[:match.end()], self.output[match.end():]
                return text.decode(errors="replace")
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for {pattern!r}, got {self.output!r}")
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    data = b""
                if not data:
                    raise AssertionError(f"the terminal closed before {pattern!r}: {self.output!r}")
                self.output += data

    def type(self, text):
        os.write(self.fd, text.encode() if isinstance(text, str) else text)

    def leave(self):
        """Wait for the end; the exit code, or minus the signal."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.output += os.read(self.fd, 65536)
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError(f"did not leave: {self.output!r}")


PROMPT = r"> "
ANSWERED = r"tokens/s[^\]]*\]"


class Conversation(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            for fd in os.openpty():
                os.close(fd)
        except OSError as error:
            print(f"SKIP: no pseudo-terminal on this machine: {error}")
            raise unittest.SkipTest(str(error))

    def open(self, *args, **env):
        terminal = Terminal("run", NANO52, "--seed", "1", *args, env=env)
        terminal.wait_for("/help lists the commands")
        terminal.wait_for(PROMPT)
        return terminal

    def test_answers_and_leaves_with_ctrl_d(self):
        terminal = self.open("-n", "8", "--think", "off")
        for _ in range(2):
            terminal.type("Hello\r")
            terminal.wait_for(ANSWERED)
            terminal.wait_for(PROMPT)
        terminal.type("\x04")
        self.assertEqual(terminal.leave(), 0)

    def test_commands(self):
        terminal = self.open("-n", "4")
        terminal.type("/help\r")
        text = terminal.wait_for(r"goes on\.")
        for name in ("/clear", "/system", "/think", "/effort", "/show", "/stats", "/quit"):
            self.assertIn(name, text)
        for line, answer in [("/think off", "think: off"), ("/think", "think: off"), ("/effort high", "effort: high"),
                             ("/show on", "show: on"), ("/system Be brief.", "new conversation"),
                             ("/clear", "new conversation"), ("/frob", "expected a command"),
                             ("/think maybe", "on or off"), ("/stats off", "stats: off")]:
            terminal.type(line + "\r")
            terminal.wait_for(re.escape(answer))
        terminal.type("/quit\r")
        self.assertEqual(terminal.leave(), 0)

    def test_ctrl_c_stops_the_answer_and_keeps_the_conversation(self):
        terminal = self.open("--think", "off", "--logit-bias", ",".join(f"{i}=-100" for i in range(348, 384)))
        for _ in range(2):
            terminal.type("Hello\r")
            terminal.wait_for(r"Hello\r\n.*\w.*\w")
            time.sleep(0.2)
            terminal.type("\x03")
            terminal.wait_for("stopped")
            terminal.wait_for(PROMPT)
            terminal.type("/effort\r")
            self.assertNotIn(PROMPT, terminal.wait_for("effort: max"))  # one Ctrl-C is answered once
            terminal.wait_for(PROMPT)
        # At the prompt it takes the line away.
        terminal.type("half a line\x03")
        terminal.wait_for(PROMPT)
        terminal.type("\x04")
        self.assertEqual(terminal.leave(), 0)

    def test_thinking_is_hidden_or_dimmed(self):
        hidden = self.open("-n", "12")
        hidden.type("Hello\r")
        self.assertNotIn("\x1b[2mx", hidden.wait_for(ANSWERED))
        close(hidden)
        shown = self.open("-n", "12", "--show-thinking")
        shown.type("Hello\r")
        text = shown.wait_for(ANSWERED)
        self.assertGreaterEqual(text.count("\x1b[2m"), 2)  # the reasoning and the line of figures
        close(shown)
        plain = self.open("-n", "12", "--show-thinking", NO_COLOR="1")
        plain.type("Hello\r")
        self.assertNotIn("\x1b[2m", plain.wait_for(ANSWERED))
        close(plain)

    def test_only_what_is_new_is_read(self):
        """An answer goes into the next prompt as the tokens it was, though its text would be cut into others."""
        for think in ("on", "off"):
            # Random tokens, of tags only those that end reasoning or the turn.
            tags = [f"{i}=-100" for i in range(348, 384) if i not in (355, 370)]
            terminal = self.open("--think", think, "--temp", "1.5", "--top-p", "1", "--logit-bias", ",".join(tags + ["355=3", "370=3"]))
            read, made = [], []
            for _ in range(8):
                terminal.type("Hello\r")
                text = terminal.wait_for(ANSWERED)
                read.append(int(re.search(r"(\d+) read before", text).group(1)))
                made.append(int(re.search(r"\[(\d+) tokens", text).group(1)))
                terminal.wait_for(PROMPT)
            self.assertGreater(sum(made), 100)
            self.assertLessEqual(max(read[1:]), 8, (think, read, made))  # the turn's end and start, Hello, the answer's opening
            terminal.type("\x04")
            self.assertEqual(terminal.leave(), 0)

    def test_the_same_again(self):
        """A prompt the cache holds whole is answered as before."""
        terminal = self.open("-n", "6", "--think", "off", "--greedy")
        answers = []
        for _ in range(2):
            terminal.type("Hello\r")
            terminal.wait_for(r"Hello\r\n")
            answers.append(terminal.wait_for(r"\[6 tokens"))
            terminal.wait_for(PROMPT)
            terminal.type("/clear\r")
            terminal.wait_for("new conversation")
            terminal.wait_for(PROMPT)
        self.assertEqual(*answers)
        terminal.type("\x04")
        self.assertEqual(terminal.leave(), 0)

    def test_history_and_paste(self):
        terminal = self.open("-n", "2", "--think", "off", XDG_STATE_HOME=self.path("state"))
        if "\x1b[?2004h" not in terminal_capabilities(terminal):
            terminal.type("\x04")
            terminal.leave()
            self.skipTest("built without libedit")
        terminal.type("\x1b[200~first line\rŁódź 東京\x1b[201~\r")
        terminal.wait_for(ANSWERED)
        terminal.wait_for(PROMPT)
        terminal.type("\x1b[A\r")  # the message before, once more
        terminal.wait_for(ANSWERED)
        terminal.wait_for(PROMPT)
        terminal.type("continued \\\rhere\r")
        terminal.wait_for(ANSWERED)
        terminal.wait_for(PROMPT)
        terminal.type("\x04")
        self.assertEqual(terminal.leave(), 0)
        history = self.path("state/glm/history")
        with open(history, encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual(lines, ["/stats"] + ["first line\\nŁódź 東京"] * 2 + ["continued \\nhere"])
        self.assertEqual(os.stat(history).st_mode & 0o777, 0o600)

    def test_other_locales(self):
        for locale in ("C", "de_DE.ISO-8859-1"):
            state = self.path(locale)
            terminal = self.open("-n", "2", "--think", "off", LC_ALL=locale, XDG_STATE_HOME=state)
            terminal.type("Łódź\r")
            terminal.wait_for(ANSWERED)
            terminal.wait_for(PROMPT)
            terminal.type("\x04")
            self.assertEqual(terminal.leave(), 0)
            history = os.path.join(state, "glm/history")
            if os.path.exists(history):
                with open(history, encoding="utf-8") as file:
                    self.assertEqual(file.read(), "Łódź\n")

    def test_the_terminal_goes_away(self):
        terminal = self.open("-n", "2")
        os.close(terminal.fd)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            pid, status = os.waitpid(terminal.pid, os.WNOHANG)
            if pid:
                return
            time.sleep(0.05)
        os.kill(terminal.pid, signal.SIGKILL)
        self.fail("glm lives on without its terminal")


def close(terminal):
    """Ctrl-D at the prompt."""
    terminal.wait_for(PROMPT)
    terminal.type("\x04")
    return terminal.leave()


def terminal_capabilities(terminal):
    """What was written around the prompt (bracketed paste is switched on by the line editor)."""
    terminal.type("x\x08")
    time.sleep(0.3)
    terminal.type("\x15/stats\r")
    return terminal.wait_for("stats: on") + terminal.wait_for(PROMPT)


if __name__ == "__main__":
    unittest.main()
