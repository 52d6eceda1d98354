# SPDX-License-Identifier: MIT
"""Installs the build into a fresh prefix, checks what lies where, builds the examples against it with
pkg-config, shared and static, and compares what they print with the golden numbers.

Usage: install_test.py BUILD_DIR CC
"""
import ctypes
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
MODEL = os.path.join(ROOT, "tests", "data", "golden", "nano52")
NANO = os.path.join(ROOT, "models", "nano")
N_NEW = 16


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def expect(condition, what):
    if not condition:
        raise SystemExit(f"failed: {what}")
    print(f"ok: {what}")


def check_layout(prefix):
    for path in ("lib/libglm.a", "lib/libglm.so", "lib/pkgconfig/glm.pc", "include/glm/glm.h",
                 "include/glm/error.h"):
        expect(os.path.exists(os.path.join(prefix, path)), f"{path} is installed")
    version = run("pkg-config", "--modversion", "glm").strip()
    expect(os.path.exists(os.path.join(prefix, "lib", f"libglm.so.{version}")), f"libglm.so.{version} is installed")
    glm = os.path.join(prefix, "bin", "glm")
    expect(version in run(glm, "version"), f"bin/glm says version {version}")
    expect("glm_moe_dsa" in run(glm, "inspect", "nano", cwd=prefix), "the installed glm finds the bundled model")
    commands = [line.split()[0] for line in run(glm, "help").splitlines() if line.startswith("  ") and line[2].isalpha()]
    expect("run" in commands and "inspect" in commands, f"glm help lists commands: {' '.join(commands)}")
    for page in ["glm", *("glm-" + command for command in commands)]:
        with open(os.path.join(prefix, "share", "man", "man1", page + ".1"), encoding="utf-8") as file:
            expect(file.read().startswith(".TH "), f"{page}.1 is a man page")
    for path in ("bash-completion/completions/glm", "zsh/site-functions/_glm", "fish/vendor_completions.d/glm.fish"):
        expect(os.path.getsize(os.path.join(prefix, "share", path)) > 0, f"share/{path} is installed")
    run("bash", "-n", os.path.join(prefix, "share", "bash-completion", "completions", "glm"))


def build_example(prefix, cc, name, static):
    """Compile as a user would. The static build takes libglm from its archive, the rest as shared."""
    flags = run("pkg-config", "--cflags", "--libs", *(["--static"] if static else []), "glm").split()
    if static:
        flags = [os.path.join(prefix, "lib", "libglm.a") if f == "-lglm" else f for f in flags]
    out = os.path.join(prefix, name + ("-static" if static else "-shared"))
    run(cc, "-std=c17", "-Wall", "-Wextra", "-Werror", os.path.join(ROOT, "examples", name + ".c"),
        *flags, "-lm", "-o", out)
    needs = run("ldd", out)
    expect(("libglm.so" in needs) != static, f"{os.path.basename(out)} is linked as asked")
    return out


def check_cmake(prefix, cc, ids, greedy):
    """A project of two lines that finds the installed library with CMake's own means."""
    folder = os.path.join(prefix, "project")
    os.mkdir(folder)
    with open(os.path.join(folder, "CMakeLists.txt"), "w", encoding="utf-8") as file:
        file.write("cmake_minimum_required(VERSION 3.25)\nproject(p C)\nfind_package(glm 0.1 REQUIRED)\n"
                   f"add_executable(p {ROOT}/examples/generate.c)\ntarget_link_libraries(p glm::glm)\n")
    run("cmake", "-S", folder, "-B", folder, f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_COMPILER={cc}")
    run("cmake", "--build", folder)
    out = run(os.path.join(folder, "p"), MODEL, str(N_NEW), *ids)
    expect([int(i) for i in out.split()] == greedy, "a CMake project finds glm::glm and gives the golden continuation")


def check_mirror(prefix, cc):
    """The classes of glm.py lie in memory as the header's structs: same size, same members at the same places."""
    spec = importlib.util.spec_from_file_location("glm_example", os.path.join(ROOT, "examples", "glm.py"))
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    pairs = [("glm_error", example.Error), ("glm_model_params", example.ModelParams),
             ("glm_engine_params", example.EngineParams), ("glm_model_info", example.ModelInfo),
             ("glm_step_item", example.StepItem)]
    code = ["#include <glm/glm.h>", "#include <stddef.h>", "#include <stdio.h>", "int main(void)", "{"]
    ours = []
    for name, cls in pairs:
        code.append(f'    printf("{name} %zu\\n", sizeof({name}));')
        ours.append(f"{name} {ctypes.sizeof(cls)}")
        for member, kind in cls._fields_:
            code.append(f'    printf("{name}.{member} %zu %zu\\n", offsetof({name}, {member}), '
                        f"sizeof((({name} *)0)->{member}));")
            ours.append(f"{name}.{member} {getattr(cls, member).offset} {ctypes.sizeof(kind)}")
    source, out = os.path.join(prefix, "mirror.c"), os.path.join(prefix, "mirror")
    with open(source, "w", encoding="utf-8") as file:
        file.write("\n".join([*code, "    return 0;", "}", ""]))
    run(cc, "-std=c17", "-I", os.path.join(prefix, "include"), source, "-o", out)
    for theirs, mine in zip(run(out).splitlines(), ours, strict=True):
        if theirs != mine:
            raise SystemExit(f"failed: examples/glm.py: the header has {theirs}, the class {mine}")
    print(f"ok: {len(pairs)} classes of glm.py lie as the header's structs")


def logprobs_of(text):
    return [float(line.split()[1]) for line in text.splitlines() if line.split()[0].isdigit()]


def main():
    build, cc = sys.argv[1:3]
    with open(os.path.join(MODEL, "golden.json"), encoding="utf-8") as file:
        sequence = json.load(file)["sequences"][0]
    ids = golden_ids()
    greedy = sequence["greedy"][:N_NEW]

    with tempfile.TemporaryDirectory() as prefix:
        run("cmake", "--install", build, "--prefix", prefix)
        os.environ["PKG_CONFIG_PATH"] = os.path.join(prefix, "lib", "pkgconfig")
        os.environ["LD_LIBRARY_PATH"] = os.path.join(prefix, "lib")
        os.environ["LIBGLM"] = os.path.join(prefix, "lib", "libglm.so")
        check_layout(prefix)

        for static in (False, True):
            chat = build_example(prefix, cc, "chat", static)
            done = subprocess.run([chat, NANO, "Hello, who are you?"], capture_output=True, text=True, check=False)
            expect(done.returncode == 0 and done.stdout.strip(), f"chat answers: {done.stdout.strip()!r}")
            generate = build_example(prefix, cc, "generate", static)
            out = run(generate, MODEL, str(N_NEW), *ids)
            expect([int(i) for i in out.split()] == greedy, "generate gives the golden continuation")
            logprobs = build_example(prefix, cc, "logprobs", static)
            scored = run(logprobs, MODEL, *ids)
            values = logprobs_of(scored)
            mean = -sum(values) / len(values)
            expect(len(values) == len(ids) - 1, "logprobs prints a line for each id but the first")
            expect(abs(mean - sequence["mean_nll"]) < 1e-3, f"mean of logprobs {mean:.6f} is the golden one")

        check_cmake(prefix, cc, ids, greedy)
        check_mirror(prefix, cc)
        python = [sys.executable, "-B", os.path.join(ROOT, "examples", "glm.py")]
        out = run(*python, MODEL, str(N_NEW), *ids)
        expect([int(i) for i in out.split()] == greedy, "glm.py gives the golden continuation")
        ours = logprobs_of(run(*python, "--score", MODEL, *ids))
        expect(max(abs(a - b) for a, b in zip(ours, values)) < 1e-4, "glm.py and logprobs.c agree")
        bad = subprocess.run([*python, os.path.join(prefix, "nowhere"), "1", "1"], capture_output=True, text=True,
                             check=False)
        expect(bad.returncode == 1 and "nowhere" in bad.stderr, "a missing model is one line of error")


def golden_ids():
    """input_ids of sequence 0 from golden.safetensors: 8 bytes of header length, JSON, data."""
    with open(os.path.join(MODEL, "golden.safetensors"), "rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(header_bytes))["0.input_ids"]
        begin, end = entry["data_offsets"]
        file.seek(8 + header_bytes + begin)
        data = file.read(end - begin)
    return [str(int.from_bytes(data[i:i + 4], "little", signed=True)) for i in range(0, len(data), 4)]


if __name__ == "__main__":
    main()
