#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""GLM beside llama.cpp or ik_llama.cpp: speed in alternation, and whether a file means the same to both.

    peer.py build PEER OUT [--ik]                        compile bench/peer.c against a built copy of either
    peer.py build IK OUT --kernels LIBGLM                compile bench/peer_kernels.c against ik_llama.cpp and our libglm.a
    peer.py speed GLM PEER_PROGRAM MODEL [--threads 1,2] [--rounds 3] [--cases p:512,d:0:32,b:4:16] [--depth-bench PROGRAM]
                  [--kv-type T] [--busy]                  JSON lines
    peer.py table LINES                                  medians, spreads and ratios of such lines, as Markdown
    peer.py logits GLM PEER_PROGRAM MODEL IDS_FILE... [--set KEY=N] [--from WANT.npy]   KL divergence, one line a file

`logits` compares the peer, glm exact and glm fast with each other, or with --from each of them with these logits; --set changes
unsigned numbers of the file's metadata in a copy first.

A round is all cases by us, then all by the peer, in one process. With --depth-bench PROGRAM (bench_depth) prompts and single tokens
are ours by it: one process for all depths, caches filled at random as the peer's are. --busy: a loop keeps the first core busy.
IDS_FILE holds token ids of one sequence, at most 512; a | may stand where an answer begins: "answer_kl_mean" is over the rows
that predict it. PEER is the peer's folder with its libraries in PEER/build. Cases as in bench/peer.c.
"""
import argparse
import glob
import json
import math
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time


def build(args):
    libraries = {}
    for path in glob.glob(os.path.join(args.peer, "build", "**", "lib*.so"), recursive=True):
        libraries[os.path.basename(path)[3:-3]] = os.path.dirname(path)
    wanted = [n for n in ("llama", "ggml", "ggml-base", "ggml-cpu") if n in libraries]
    if "llama" not in wanted:
        sys.exit(f"peer.py: {args.peer}/build has no libllama.so")
    folders = sorted({libraries[n] for n in wanted})
    here = os.path.dirname(os.path.abspath(__file__))
    source, more = os.path.join(here, "peer.c"), ["-DPEER_IK"] if args.ik else []
    if args.kernels:
        source = os.path.join(here, "peer_kernels.c")
        own = subprocess.run(["pkg-config", "--libs", "yajl", "libxxhash", "libcrypto"], check=True, capture_output=True, text=True).stdout
        more = [f"-I{here}/../src", f"-I{here}/../include", f"-I{args.peer}/ggml/src"]
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-std=gnu17", *more, source, *([args.kernels] if args.kernels else []), "-o", args.out,
                    f"-I{args.peer}/include", f"-I{args.peer}/ggml/include", *(f"-L{f}" for f in folders),
                    *(f"-Wl,-rpath,{os.path.abspath(f)}" for f in folders), *(f"-l{n}" for n in wanted), *(own.split() if args.kernels else []), "-lpthread", "-lm"],
                   check=True)


def busy_s():
    """Processor seconds that everybody on this machine has used, and those of our finished children."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(x) for x in file.readline().split()[1:9]]
    own = os.times()
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK"), own.children_user + own.children_system


class Others:
    """Cores that others kept busy while the block ran."""

    def __enter__(self):
        self.start, self.before = time.monotonic(), busy_s()
        return self

    def __exit__(self, *_):
        after = busy_s()
        used = after[0] - self.before[0] - (after[1] - self.before[1])
        self.cores = round(max(0.0, used) / (time.monotonic() - self.start), 2)


def run_glm(glm, command, model, threads, *options):
    done = subprocess.run([glm, command, model, "--threads", str(threads), "--json", "--quiet", *map(str, options)], check=True,
                          stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def glm_case(glm, model, threads, case, more):
    """glm bench of one case."""
    kind, first, *rest = case.split(":")
    first, second = int(first), int(rest[0]) if rest else 0
    options = {"p": ["--prompt", first, "--gen", 0], "d": ["--prompt", 0, "--gen", second, "--depth", first],
               "b": ["--prompt", 0, "--gen", second, "--batch", first]}[kind]
    return run_glm(glm, "bench", model, threads, "--runs", 1, *options, *more)[0]


def depth_cases(args, threads, cases):
    """bench_depth of cases with the same number of tokens, in order of depth: case -> tokens a second."""
    n_tokens, n_prompt, by_depth = 1, 0, {}
    for case in cases:
        kind, first, second = (case + ":0").split(":")[:3]
        if kind == "p":
            n_prompt, depth = int(first), int(second)
        else:
            n_tokens, depth = int(second), int(first)
        by_depth.setdefault(depth, []).append((kind, case))
    command = [args.depth_bench, args.model, "--clock", "--threads", threads, "--tokens", n_tokens, "--prompt", n_prompt,
               *(["--kv-type", args.kv_type] if args.kv_type else []), *sorted(by_depth)]
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    found = {}
    for line in map(json.loads, done.stdout.splitlines()):
        for kind, case in by_depth[line["depth"]]:
            found[case] = {"tok_s": line["prompt_tok_s"] if kind == "p" else line["tok_s"], "extra_ms": line["extra_ms"],
                           "bound_ms": line["bound_ms"], "anon_mib_beside_cache": round(line["rss_anon_mib"] - line["cache_mib"], 1)}
    return found


def our_cases(args, threads, cases):
    """Case -> what glm made of it."""
    found = {}
    single = [c for c in cases if c[0] != "b"]
    if args.depth_bench and single:
        found = depth_cases(args, threads, single)
    options = ["--kv-type", args.kv_type] if args.kv_type else []
    for case in cases:
        if case not in found:
            value = glm_case(args.glm, args.model, threads, case, options)
            found[case] = {"tok_s": value["tok_s"]["median"], "share_of_read_limit": value["share_of_read_limit"]}
    return found


def one_round(args, r, threads):
    def say(who, case, **more):
        print(json.dumps({"model": os.path.basename(args.model), "who": who, "threads": threads, "round": r, "case": case,
                          "busy": args.busy, **more}), flush=True)

    cases = args.cases.split(",")
    loaded = run_glm(args.glm, "run", args.model, threads, "--ids", 1, "-n", 1)
    say("glm", "load", seconds=loaded["timings"]["load_s"])
    with Others() as others:
        found = our_cases(args, threads, cases)
    for case, value in found.items():
        say("glm", case, others=others.cores, **value)
    with Others() as others:
        done = subprocess.run([args.peer, "speed", args.model, str(threads), "512", *cases], check=True, stdout=subprocess.PIPE, text=True)
    for line in map(json.loads, done.stdout.splitlines()):
        say("peer", line.pop("case"), others=others.cores, **line)


def speed(args):
    busy = subprocess.Popen(["taskset", "-c", "0", sys.executable, "-c", "while True: pass"]) if args.busy else None
    try:
        for r in range(args.rounds):
            for threads in map(int, args.threads.split(",")):
                one_round(args, r, threads)
    finally:
        if busy:
            busy.kill()
            busy.wait()


def table(args):
    values, left_out = {}, 0
    for line in map(json.loads, open(args.lines, encoding="utf-8")):
        if line.get("others", 0) - line.get("busy", False) > args.others:
            left_out += 1
            continue
        key = (line["model"], line["threads"], line["case"] + (" busy" if line.get("busy") else ""))
        values.setdefault(key, {}).setdefault(line["who"], []).append(line.get("tok_s") or line.get("seconds"))
    print("| model, threads, case | glm | peer | ratio |\n|---|---|---|---|")
    for (model, threads, case), by in values.items():
        def shown(v):
            return f"{statistics.median(v):.4g} ({min(v):.4g}..{max(v):.4g}, {len(v)})"
        if len(by) == 2:
            ratio = statistics.median(by["glm"]) / statistics.median(by["peer"])
            print(f"| {model}, {threads}, {case} | {shown(by['glm'])} | {shown(by['peer'])} | {1 / ratio if case.startswith('load') else ratio:.2f} |")
    print(f"\n{left_out} measurements left out because others used more than {args.others} cores")


def read_npy(path):
    with open(path, "rb") as file:
        file.read(8)
        header = file.read(struct.unpack("<H", file.read(2))[0]).decode()
        n_cols = int(header.split("(")[1].split(")")[0].split(",")[1])
        data = file.read()
    return n_cols, memoryview(data).cast("f")


def log_softmax(row):
    top = max(row)
    total = math.log(math.fsum(math.exp(x - top) for x in row)) + top
    return [x - total for x in row]


def divergence(p, q, n_vocab):
    """(mean, largest KL divergence of q's rows from p's, share of rows with the same best token)."""
    kl, same = [], 0
    for at in range(0, len(p), n_vocab):
        a, b = log_softmax(p[at:at + n_vocab]), log_softmax(q[at:at + n_vocab])
        kl.append(math.fsum(math.exp(x) * (x - y) for x, y in zip(a, b)))
        same += a.index(max(a)) == b.index(max(b))
    return statistics.fmean(kl), max(kl), same / len(kl)


def changed_copy(model, changes, out):
    """A copy of a GGUF with other 32-bit numbers under some keys."""
    with open(model, "rb") as file:
        data = bytearray(file.read())
    for key, value in (c.split("=") for c in changes):
        name = struct.pack("<Q", len(key)) + key.encode()
        at = data.find(name)
        if at < 0 or struct.unpack_from("<I", data, at + len(name))[0] != 4:
            sys.exit(f"peer.py: {model} has no 32-bit number {key}")
        struct.pack_into("<I", data, at + len(name) + 4, int(value))
    with open(out, "wb") as file:
        file.write(data)
    return out


def read_ids(path):
    """(ids, first row that predicts the answer or 0)."""
    with open(path, encoding="utf-8") as file:
        prompt, _, answer = file.read().replace(",", " ").partition("|")
    prompt, answer = prompt.split(), answer.split()
    return prompt + answer, len(prompt) - 1 if answer else 0


def all_logits(args, model, ids, scratch):
    """Name -> logits of the peer and of ours, and the width of a row."""
    theirs = os.path.join(scratch, "peer.bin")
    subprocess.run([args.peer, "logits", model, "2", theirs, *ids], check=True)
    with open(theirs, "rb") as file:
        got = {"peer": memoryview(file.read()).cast("f")}
    for precision in ("exact", "fast"):
        ours = os.path.join(scratch, precision + ".npy")
        subprocess.run([args.glm, "score", model, "--ids", ",".join(ids), "--precision", precision, "--logits", ours, "--quiet"], check=True,
                       stdout=subprocess.DEVNULL)
        n_vocab, got[precision] = read_npy(ours)
    return got, n_vocab


def logits(args):
    with tempfile.TemporaryDirectory() as scratch:
        model = changed_copy(args.model, args.set, os.path.join(scratch, "model.gguf")) if args.set else args.model
        for path in args.ids:
            ids, first = read_ids(path)
            got, n_vocab = all_logits(args, model, ids, scratch)
            pairs = [("exact", "peer"), ("fast", "peer"), ("exact", "fast")]
            if args.reference:
                got["wanted"] = read_npy(args.reference)[1]
                pairs = [("wanted", name) for name in ("peer", "exact", "fast")]
            line = {"model": os.path.basename(args.model), "ids": os.path.basename(path), "tokens": len(ids),
                    "answer": len(ids) - first - 1 if first else 0}
            for p, q in pairs:
                every = divergence(got[p], got[q], n_vocab)
                answer = divergence(got[p][first * n_vocab:], got[q][first * n_vocab:], n_vocab)
                line[f"{q}_from_{p}"] = {k: float(f"{x:.4g}") for k, x in zip(("kl_mean", "kl_max", "same_best"), every)}
                line[f"{q}_from_{p}"]["answer_kl_mean"] = float(f"{answer[0]:.4g}")
            print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    sub = commands.add_parser("build")
    sub.add_argument("peer")
    sub.add_argument("out")
    sub.add_argument("--ik", action="store_true")
    sub.add_argument("--kernels", metavar="LIBGLM")
    sub.set_defaults(run=build)
    sub = commands.add_parser("speed")
    for name in ("glm", "peer", "model"):
        sub.add_argument(name)
    sub.add_argument("--threads", default="2")
    sub.add_argument("--rounds", type=int, default=3)
    sub.add_argument("--cases", default="d:0:32,p:512,b:4:16,b:8:16,b:16:16")
    sub.add_argument("--depth-bench")
    sub.add_argument("--kv-type")
    sub.add_argument("--busy", action="store_true")
    sub.set_defaults(run=speed)
    sub = commands.add_parser("table")
    sub.add_argument("lines")
    sub.add_argument("--others", type=float, default=0.15)
    sub.set_defaults(run=table)
    sub = commands.add_parser("logits")
    for name in ("glm", "peer", "model"):
        sub.add_argument(name)
    sub.add_argument("ids", nargs="+")
    sub.add_argument("--set", action="append", default=[])
    sub.add_argument("--from", dest="reference")
    sub.set_defaults(run=logits)
    args = parser.parse_args()
    args.run(args)


main()
