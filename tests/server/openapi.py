#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/openapi.json against a running server with schemathesis (requirements.txt); `tools/test --stage openapi` installs it and runs this.

usage: openapi.py GLM MODEL [EXAMPLES]     so many random requests an operation; default 50. Exits 1 on a finding.

No request, good or bad, may be answered 5xx, by a status or type that is not described, or in another shape than described.
"""
import os
import subprocess
import sys

n = sys.argv.pop(3) if len(sys.argv) > 3 else "50"
from harness import Server  # noqa: E402: reads GLM and MODEL from the command line

# Part of an answer's meaning here, as of embeddings: what is not provided.
CONFIG = """[[operations]]
include-path = "/props"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 501]
"""
HERE = os.path.dirname(os.path.abspath(__file__))
server = Server("--ctx", "160")
config = os.path.join(server.folder.name, "schemathesis.toml")
with open(config, "w", encoding="utf-8") as f:
    f.write(CONFIG)
try:
    run = subprocess.run([os.path.join(os.path.dirname(sys.executable), "schemathesis"), "--config-file", config, "run", os.path.join(HERE, "../../docs/openapi.json"),
                          "--url", f"http://127.0.0.1:{server.port}", "--phases", "examples,coverage,fuzzing", "--max-examples", n,
                          "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
                          "--request-timeout", "60", "--seed", "1", "--suppress-health-check", "all"], check=False)
finally:
    code = server.stop()
sys.exit(run.returncode or code)
