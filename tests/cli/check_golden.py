# SPDX-License-Identifier: MIT
"""Compare `glm score` and `glm run` with a golden checkpoint (tests/data/golden/README.md).

    check_golden.py FOLDER [--as TYPE] [OPTION OF GLM...]

FOLDER holds a model, golden.json and golden.safetensors, which an independent implementation computed. With
--as TYPE the model is first written as a GGUF of that type, which must give the same (F32 does). The
program is named by GLM_TEST_PROGRAM. Prints one line a figure: found, limit, verdict. Only the standard
library is used.
"""
import array
import ast
import json
import math
import os
import shlex
import struct
import subprocess
import sys
import tempfile

PROGRAM = shlex.split(os.environ["GLM_TEST_PROGRAM"])
EXACT = ["--precision", "exact", "--latent-eps", "1e-6"]

LIMIT_LOGIT = 1e-5     # max |difference| over the golden logits' range
LIMIT_HIDDEN = 1e-5    # L2 norm of the difference over that of the golden array
LIMIT_WEIGHT = 2e-5    # max |difference| of expert weights
LIMIT_PERPLEXITY = 1e-5  # relative


def read_safetensors(path):
    """Name -> (shape, array) of F32 and I32 tensors."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    tensors = {}
    for name, info in header.items():
        if name == "__metadata__":
            continue
        begin, end = info["data_offsets"]
        values = array.array({"F32": "f", "I32": "i"}[info["dtype"]])
        values.frombytes(data[begin:end])
        tensors[name] = info["shape"], values
    return tensors


def read_npy(path):
    """(shape, array) of a version 1.0 .npy of float32 or int32 in C order."""
    with open(path, "rb") as file:
        magic, size = file.read(8), struct.unpack("<H", file.read(2))[0]
        header, data = file.read(size).decode("latin-1"), file.read()
    if magic != b"\x93NUMPY\x01\x00" or (10 + size) % 64 or not header.endswith("\n"):
        raise ValueError(f"{path}: not a version 1.0 .npy file")
    fields = ast.literal_eval(header)
    if fields["fortran_order"] is not False:
        raise ValueError(f"{path}: not in C order")
    values = array.array({"<f4": "f", "<i4": "i"}[fields["descr"]])
    values.frombytes(data)
    shape = list(fields["shape"])
    if math.prod(shape) != len(values):
        raise ValueError(f"{path}: {len(values)} values for shape {shape}")
    return shape, values


class Report:
    def __init__(self):
        self.n_failed = 0

    def figure(self, name, found, limit):
        ok = found <= limit
        self.n_failed += not ok
        print(f"{'ok' if ok else 'FAILED':8}{name:44}{found:.3e}  limit {limit:.0e}")

    def equal(self, name, same, detail=""):
        self.n_failed += not same
        print(f"{'ok' if same else 'FAILED':8}{name:44}{'identical' if same else 'differs ' + detail}")


def max_difference(a, b):
    return max((abs(x - y) if x == x and y == y else math.inf for x, y in zip(a, b)), default=0.0)


def relative_l2(found, golden):
    difference = math.fsum((x - y) ** 2 for x, y in zip(found, golden))
    norm = math.fsum(y * y for y in golden)
    return math.sqrt(difference / norm) if difference == difference else math.inf


def rows_as_sets(shape, values):
    n = shape[1]
    return [sorted(values[i:i + n]) for i in range(0, len(values), n)]


def run_glm(*args):
    result = subprocess.run([*PROGRAM, *args], stdout=subprocess.PIPE, check=True, timeout=3000)
    return result.stdout.decode()


def check_dump(report, k, golden, folder):
    """Every golden array of the sequence must be there with its shape, and no file beside them."""
    prefix = f"{k}."
    kinds = ("hidden.", "selected.", "experts.", "expert_weights.")
    names = [name for name in golden if name.startswith(prefix) and name[len(prefix):].startswith(kinds)]
    files = {name[:-4] for name in os.listdir(folder)}
    expected = {name[len(prefix):] for name in names}
    report.equal(f"{k} files of --dump", files == expected, str(sorted(files ^ expected))[:200])
    worst = {}
    for name in sorted(expected & files):
        shape, values = golden[prefix + name]
        found_shape, found = read_npy(os.path.join(folder, name + ".npy"))
        if found_shape != shape or found.typecode != values.typecode:
            report.equal(f"{k} {name}", False, f"shape {found_shape} {found.typecode}, not {shape}")
        elif name.startswith("hidden."):
            worst["hidden, relative L2"] = max(worst.get("hidden, relative L2", 0), relative_l2(found, values))
        elif name.startswith("expert_weights."):
            worst["expert weights"] = max(worst.get("expert weights", 0), max_difference(found, values))
        else:
            same = [i for i, (a, b) in enumerate(zip(rows_as_sets(shape, found), rows_as_sets(shape, values)))
                    if a != b]
            report.equal(f"{k} {name}", not same and list(found) == list(values), f"in rows {same[:5]}")
    for name, limit in (("hidden, relative L2", LIMIT_HIDDEN), ("expert weights", LIMIT_WEIGHT)):
        if name in worst:
            report.figure(f"{k} {name}", worst[name], limit)


def check_sequence(report, model, k, sequence, golden, options):
    ids = golden[f"{k}.input_ids"][1]
    with tempfile.TemporaryDirectory() as scratch:
        ids_file = os.path.join(scratch, "ids.txt")
        with open(ids_file, "w") as file:
            file.write(" ".join(map(str, ids)))
        logits_file, dump = os.path.join(scratch, "out.npy"), os.path.join(scratch, "out")
        score = json.loads(run_glm("score", model, "--ids", "@" + ids_file, "--logits", logits_file, "--dump", dump,
                                   *EXACT, "--json", *options))
        shape, logits = read_npy(logits_file)
        golden_shape, golden_logits = golden[f"{k}.logits"]
        report.equal(f"{k} shape of logits", shape == golden_shape, f"{shape}, not {golden_shape}")
        spread = sequence["logit_max"] - sequence["logit_min"]
        report.figure(f"{k} logits, of their range", max_difference(logits, golden_logits) / spread, LIMIT_LOGIT)
        check_dump(report, k, golden, dump)
        report.equal(f"{k} tokens", score["tokens"] == sequence["tokens"])
        report.figure(f"{k} perplexity, relative", abs(score["perplexity"] / sequence["perplexity"] - 1),
                      LIMIT_PERPLEXITY)
        report.figure(f"{k} mean_nll", abs(score["mean_nll"] - sequence["mean_nll"]), LIMIT_PERPLEXITY)
        greedy = run_glm("run", model, "--ids", " ".join(map(str, ids)), "--greedy", "-n", "32", *EXACT,
                         *(option for option in options if not option.startswith("--chunk=")))
        found = [int(i) for i in greedy.split()]
        report.equal(f"{k} greedy continuation", found == sequence["greedy"], f"{found}")


def main():
    model, options = sys.argv[1], sys.argv[2:]
    if not os.path.exists(os.path.join(model, "golden.safetensors")):
        print(f"SKIPPED: {model} is not here")
        return 77
    if os.environ.get("GLM_TEST_SMALL") and os.path.basename(model).startswith("mid"):
        print(f"SKIPPED: {model} is too large for an emulator")
        return 77
    with open(os.path.join(model, "golden.json")) as file:
        description = json.load(file)
    golden = read_safetensors(os.path.join(model, "golden.safetensors"))
    report = Report()
    with tempfile.TemporaryDirectory() as scratch:
        if options[:1] == ["--as"]:
            source, model = model, os.path.join(scratch, "model.gguf")
            run_glm("quantize", source, model, options[1], "--quiet")
            options = options[2:]
        for k, sequence in enumerate(description["sequences"]):
            check_sequence(report, model, k, sequence, golden, options)
    print("passed" if report.n_failed == 0 else f"{report.n_failed} figures over their limits")
    return 1 if report.n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
