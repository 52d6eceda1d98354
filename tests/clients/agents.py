# SPDX-License-Identifier: MIT
"""Coding agents, unchanged, against GLM_TEST_URL: each is asked to run a command, does so by its own shell tool, and tells.

    agents.py FOLDER-WITH-node_modules [NAME...]

Prints a line an agent. Each has a home of its own; nothing but the server is reached.
"""
import json
import os
import subprocess
import sys
import tempfile

URL = os.environ["GLM_TEST_URL"]
TASK = "Run the shell command: echo glm-client-works"
TOLD = "The command printed glm-client-works."


def run(binary, arguments, home, environment, seconds=240):
    """Output of an agent in an empty folder, with `home` as its home."""
    work = os.path.join(home, "work")
    os.makedirs(work, exist_ok=True)
    clean = {k: os.environ[k] for k in ("PATH", "LANG") if k in os.environ}
    clean.update(HOME=home, XDG_CONFIG_HOME=os.path.join(home, "config"), TERM="dumb", NO_COLOR="1", **environment)
    result = subprocess.run([binary, *arguments], cwd=work, env=clean, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=seconds)
    text = result.stdout.decode(errors="replace")
    assert result.returncode == 0 and TOLD in text, f"exit code {result.returncode}\n{text[-3000:]}"


def write(home, name, content):
    path = os.path.join(home, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content)
    return path


def claude(binary, home):
    run(binary, ["-p", TASK, "--output-format", "json", "--allowedTools", "Bash"], home, {
        "ANTHROPIC_BASE_URL": URL, "ANTHROPIC_AUTH_TOKEN": "none", "ANTHROPIC_MODEL": "glm-test",
        "ANTHROPIC_SMALL_FAST_MODEL": "glm-test", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"})


def codex(binary, home):
    write(home, ".codex/config.toml", f'''model = "glm-test"
model_provider = "glm"
[model_providers.glm]
name = "glm"
base_url = "{URL}/v1"
wire_api = "responses"
''')
    run(binary, ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json", TASK], home, {})


def opencode(binary, home):
    config = {"provider": {"glm": {"npm": "@ai-sdk/openai-compatible", "name": "glm",
                                   "options": {"baseURL": URL + "/v1", "apiKey": "none"},
                                   "models": {"glm-test": {"name": "glm-test", "interleaved": {"field": "reasoning_content"}}}}},
              "model": "glm/glm-test", "autoupdate": False, "share": "disabled"}
    path = write(home, "opencode.json", json.dumps(config))
    run(binary, ["run", TASK], home, {"OPENCODE_CONFIG": path, "OPENCODE_DISABLE_MODELS_FETCH": "1",
                                      "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"})


def cline(binary, home):
    subprocess.run([binary, "auth", "-p", "openai", "-k", "none", "-m", "glm-test", "-b", URL + "/v1"], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120,
                   env={"HOME": home, "PATH": os.environ["PATH"], "XDG_CONFIG_HOME": os.path.join(home, "config")})
    run(binary, ["-P", "openai", "--json", TASK], home, {})


AGENTS = {"claude": claude, "codex": codex, "opencode": opencode, "cline": cline}


def main():
    failed = 0
    for name in sys.argv[2:] or AGENTS:
        binary = os.path.join(sys.argv[1], "node_modules", ".bin", name)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            try:
                AGENTS[name](binary, home)
                print("ok", name, flush=True)
            except (AssertionError, OSError, subprocess.SubprocessError) as e:
                failed += 1
                print("failed", name, e, flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
