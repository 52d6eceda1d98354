#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Damaged model packages, each with the exit code and the message it must end in.

Usage: damaged.py [--level file|model] [--only REGEX] [--keep DIR] [--no-memory-limit] [--list] PROGRAM [ARG...]

Makes one package at a time from the golden checkpoints, runs `PROGRAM ARG... PATH` on it, and compares: exit code; one
line on stderr that begins with "glm: " and matches the pattern (a tensor, key or field name and where it applies the byte);
nothing on stdout; no signal; less than 2 s of processor time and 256 MiB of address space. Level "file" needs only a program that opens
the package's files; "model" needs one that also reads configuration and tokenizer and binds every tensor (`glm inspect`).
"""
import argparse
import copy
import json
import os
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import package as pkg  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "golden")
SECONDS_MAX, BYTES_MAX = 2.0, 256 << 20

CASES = []  # (level, name, exit code, pattern, make): make(folder) returns the path to open


def case(name, code, pattern, make, level="file"):
    CASES.append((level, name, code, pattern, make))


# ---- Folders -------------------------------------------------------------------------------------------------------

def link_golden(folder, golden, without=()):
    """Fill a folder with a golden package; files to be replaced are left out."""
    source = os.path.join(GOLDEN, golden)
    for name in os.listdir(source):
        if not name.startswith("golden") and name not in without:
            shutil.copyfile(os.path.join(source, name), os.path.join(folder, name))


def write(folder, name, data):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)
    return os.path.join(folder, name)


def sparse(folder, name, head, size):
    path = write(folder, name, head)
    os.truncate(path, size)
    return path


_base = {}


def base(golden):
    """(config, tokenizer, tensors) of a golden package, read once; callers copy what they change."""
    if golden not in _base:
        _base[golden] = pkg.read_folder(os.path.join(GOLDEN, golden))
    return _base[golden]


# ---- One safetensors file ------------------------------------------------------------------------------------------

NORM = "model.norm.weight"
FILE = "model.safetensors"


def st_case(name, code, pattern, damage, level="file"):
    """damage(st) changes the writer and may return the whole file's bytes instead."""
    def make(folder):
        link_golden(folder, "nano5", [FILE])
        st = pkg.Safetensors(base("nano5")[2])
        image = damage(st)
        write(folder, FILE, st.image() if image is None else image)
        return folder
    case("safetensors/" + name, code, pattern, make, level)


def st_entry(name, code, pattern, **fields):
    """Replace fields of one tensor's entry; None removes one."""
    def damage(st):
        for key, v in fields.items():
            if v is None:
                del st.header[NORM][key]
            else:
                st.header[NORM][key] = v
    st_case(name, code, pattern, damage)


def st_text(name, code, pattern, edit):
    """Edit the header's bytes."""
    st_case(name, code, pattern, lambda st: st.image(text=edit(st.text())))


def st_file(name, code, pattern, make_bytes):
    st_case(name, code, pattern, lambda st: make_bytes(st.image()))


def safetensors_cases():
    t = rf"tensor {re.escape(NORM)}: "
    st_file("empty", 3, r"byte 0: header length: expected 8 bytes, got a file of 0", lambda b: b"")
    st_file("seven-bytes", 3, r"byte 0: header length: .* got a file of 7", lambda b: b[:7])
    st_file("header-cut", 3, r"byte 0: header length: expected at most the 992 bytes", lambda b: b[:1000])
    for cut in (1, 100, 5000, 100000):
        st_file(f"data-cut-by-{cut}", 3, r"tensor \S+: data_offsets: expected a range in the \d+ bytes of data",
                lambda b, cut=cut: b[:-cut])
    st_file("trailing-byte", 3, r"data: expected its end at byte \d+, got byte \d+", lambda b: b + b"\0")
    st_file("random", 3, r"header length: expected at most", lambda b: bytes((i * 37 + 11) % 256 for i in range(4096)))
    st_file("text", 3, r"header length", lambda b: b"This is no model, it is a letter.\n" * 40)
    st_file("git-lfs-pointer", 3, r"header length", lambda b: b"version https://git-lfs.github.com/spec/v1\n"
            b"oid sha256:0000000000000000000000000000000000000000000000000000000000000000\nsize 1234\n")
    for name, length, pattern in (("zero", 0, "header: byte 0: invalid JSON"), ("one", 1, "header: byte 1: invalid JSON"),
                                  ("huge", 1 << 63, "header length: expected at most"),
                                  ("all-ones", (1 << 64) - 1, "header length: expected at most"),
                                  ("wraps", (1 << 64) - 8, "header length: expected at most")):
        st_case("length-" + name, 3, pattern, lambda st, length=length: st.image(length=length))
    st_case("length-one-less", 3, r"header: byte \d+: invalid JSON", lambda st: st.image(length=len(st.text()) - 1))
    case("safetensors/header-over-ceiling", 4, r"header length: expected at most 100000000 bytes, got 100000001",
         lambda d: (sparse(d, FILE, struct.pack("<Q", 100000001), 100000100), d)[1])
    # The JSON itself.
    st_text("json-not", 3, r"header: byte \d+: invalid JSON", lambda b: b"model" + b)
    st_text("json-list", 3, r"header: byte 1: header: expected an object", lambda b: b"[" + b + b"]")
    st_text("json-bom", 3, r"header: byte 0: invalid JSON", lambda b: b"\xef\xbb\xbf" + b)
    st_text("json-two-values", 3, r"header: byte \d+: invalid JSON", lambda b: b + b"{}")
    st_text("json-nul-padding", 3, r"header: byte \d+: invalid JSON", lambda b: b + b"\0" * 8)
    st_text("json-not-utf8", 3, r"header: byte \d+: invalid JSON: not UTF-8",
            lambda b: b.replace(NORM.encode(), b"model.\xff.weight"))
    st_text("json-lone-surrogate", 3, r"invalid JSON: high surrogate", lambda b: b.replace(NORM.encode(), b"a\\ud800b"))
    st_text("json-control-character", 3, r"invalid JSON: control", lambda b: b.replace(NORM.encode(), b"a\nb"))
    st_text("json-comma", 3, r"invalid JSON", lambda b: b[:-1] + b",}")
    st_text("json-open", 3, r"invalid JSON", lambda b: b[:-1] + b" ")
    st_text("json-deep", 4, r"nested too deep: expected at most 64", lambda b: b'{"a":{"x":' + b"[" * 100000)
    st_text("name-twice", 3, t + "expected one of that name, got a second",
            lambda b: b[:-1] + b',"' + NORM.encode() + b'":' + json.dumps(json.loads(b)[NORM]).encode() + b"}")
    st_text("name-with-nul", 3, r"got a zero byte", lambda b: b.replace(NORM.encode(), b"a\\u0000b"))
    st_text("name-empty", 3, r"tensor name: expected at least 1 byte", lambda b: b.replace(NORM.encode(), b""))
    st_text("name-of-256", 4, r"name: expected at most 255 bytes, got 256", lambda b: b.replace(NORM.encode(), b"n" * 256))
    st_text("name-of-a-megabyte", 4, r"expected at most 255 bytes, got 1000000",
            lambda b: b.replace(NORM.encode(), b"n" * 1000000))
    st_text("field-twice", 3, t + "dtype: expected one, got a second",
            lambda b: b.replace(b'"' + NORM.encode() + b'":{', b'"' + NORM.encode() + b'":{"dtype":"BF16",'))
    for v, what in ((b"[]", "expected an object"), (b'{"a":1}', "expected strings only"), (b"null", "expected an object"),
                    (b'{"a":{"b":"c"}}', "expected strings only")):
        st_text("metadata-" + v.decode(), 3, "__metadata__: " + what, lambda b, v=v: b'{"__metadata__":' + v + b"," + b[1:])
    # One entry.
    for v in ("1", "null", "[]", '"x"'):
        st_text("entry-is-" + v, 3, t + "expected an object", lambda b, v=v: b[:-1] + b',"' + NORM.encode() + b'":' +
                v.encode() + b"}")
    for field in ("dtype", "shape", "data_offsets"):
        st_entry("no-" + field, 3, t + f"expected {field}, got none", **{field: None})
        st_entry(field + "-of-wrong-kind", 3, t + f"{field}: expected a", **{field: {}})
    for dtype in ("F4", "bf16", "", "BF16 ", "C64", "F32X"):
        st_entry(f"dtype-{dtype}", 3, t + f"dtype: expected a known one, got {dtype}", dtype=dtype)
    st_entry("dtype-other-size", 3, t + "data_offsets: expected 256 bytes for its shape, got 128", dtype="F32")
    st_entry("shape-empty", 3, t + "shape: expected 1 to 4 dimensions, got 0", shape=[])
    st_entry("shape-of-five", 4, t + "shape: expected 1 to 4 dimensions", shape=[64, 1, 1, 1, 1])
    for v in (-64, 64.5, "64", None, [64], 1 << 64, True):
        st_entry(f"shape-item-{v}", 3, t + "shape: expected whole numbers", shape=[v])
    st_entry("shape-zero", 3, t + "shape: dimension 0: expected at least 1", shape=[0])
    st_entry("shape-product-overflow", 3, t + "shape: expected dimensions whose product", shape=[1 << 32, 1 << 32])
    st_entry("shape-product-wraps", 3, t + "shape: expected dimensions whose product", shape=[1 << 62, 4, 64])
    st_entry("shape-larger", 3, t + "data_offsets: expected 130 bytes for its shape, got 128", shape=[65])
    for name, offsets, pattern in (("one", [0], "expected 2 numbers, got 1"), ("three", [0, 1, 2], "expected 2 numbers"),
                                   ("none", [], "expected 2 numbers, got 0"), ("reversed", [128, 0], "expected a range"),
                                   ("negative", [-128, 0], "expected whole numbers"),
                                   ("fraction", [0.5, 128.5], "expected whole numbers"),
                                   ("huge", [(1 << 64) - 129, (1 << 64) - 1], "expected a range"),
                                   ("behind-the-end", [1 << 40, (1 << 40) + 128], "expected a range")):
        st_entry("offsets-" + name, 3, t + "data_offsets: " + pattern, data_offsets=offsets)

    def moved(by):
        def damage(st):
            begin, end = st.header[NORM]["data_offsets"]
            st.header[NORM]["data_offsets"] = [begin + by, end + by]
        return damage
    st_case("overlap-by-one", 3, r"tensor \S+: expected data apart from tensor \S+ at bytes", moved(-1))
    st_case("overlap-whole", 3, r"tensor \S+: expected data apart from tensor \S+ at bytes", moved(-128))
    st_case("gap-at-start", 3, r"tensor \S+: expected data without a gap from byte", lambda st: [
        e.__setitem__("data_offsets", [x + 8 for x in e["data_offsets"]]) for e in st.header.values()] and
        struct.pack("<Q", len(st.text())) + st.text() + b"\0" * 8 + st.data)
    st_case("gap-of-a-missing-entry", 3, r"tensor \S+: expected data without a gap from byte",
            lambda st: st.header.pop("model.layers.2.mlp.gate.weight") and None)
    st_case("no-tensor", 3, r"data: expected its end at byte 10, got", lambda st: st.header.clear())


# ---- Index and shards ----------------------------------------------------------------------------------------------

INDEX = "model.safetensors.index.json"
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


def index_case(name, code, pattern, edit, level="file"):
    """edit(index, folder) changes the parsed index or returns its bytes; the shards lie in the folder."""
    def make(folder):
        link_golden(folder, "nano52")
        with open(os.path.join(folder, INDEX)) as f:
            index = json.load(f)
        text = edit(index, folder)
        write(folder, INDEX, json.dumps(index).encode() if text is None else text)
        return folder
    case("index/" + name, code, pattern, make, level)


def rewrite_shard(folder, shard, edit):
    """edit(st) on one shard's header and data."""
    path = os.path.join(folder, SHARDS[shard])
    header, data = pkg.read_safetensors(path)
    st = pkg.Safetensors({k: (v["dtype"], v["shape"], data[k]) for k, v in header.items()})
    edit(st)
    write(folder, SHARDS[shard], st.image())


def index_cases():
    t = rf"index.json: byte \d+: weight_map: tensor {re.escape(NORM)}: "
    for v, what in ((b"", "invalid JSON"), (b"{", "invalid JSON"), (b"[]", "index: expected an object"), (b"null", "index"),
                    (b"{}", "expected weight_map, got none"), (b'{"weight_map":[]}', "weight_map: expected an object"),
                    (b'{"weight_map":{}}', "weight_map: expected at least 1 tensor"), (b'{"weight_map":null}', "weight_map")):
        index_case("is-" + v.decode(), 3, "index.json: .*" + what, lambda i, d, v=v: v)
    index_case("cut", 3, r"index.json: byte \d+: invalid JSON", lambda i, d: json.dumps(i).encode()[:-200])
    index_case("deep", 4, r"index.json: byte \d+: JSON nested too deep",
               lambda i, d: b'{"metadata":' + b"[" * 1000 + b"]" * 1000 + b"}")
    index_case("second-map", 3, "weight_map: expected one, got a second",
               lambda i, d: json.dumps(i).encode()[:-1] + b',"weight_map":{}}')
    index_case("tensor-twice", 3, f"tensor {re.escape(NORM)}: expected one of that name", lambda i, d: json.dumps(i).replace(
        '"weight_map": {', '"weight_map": {"' + NORM + '": "' + SHARDS[0] + '", ').encode())
    for v in ("../x.safetensors", "/etc/passwd", "/x.safetensors", "sub/x.safetensors", "", "x.bin", ".safetensors", 7, None,
              {}, "a\0.safetensors", "n" * 300 + ".safetensors"):
        index_case(f"file-name-{str(v)[:20]}".replace("\0", "NUL").replace("/", "-"), 3,
                   t + "expected the name of a .safetensors file", lambda i, d, v=v: i["weight_map"].update({NORM: v}))
    index_case("absent-shard", 3, r"model-00009-of-00009.safetensors: expected the file, got none",
               lambda i, d: i["weight_map"].update({NORM: "model-00009-of-00009.safetensors"}))
    index_case("shard-removed", 3, SHARDS[1] + ": expected the file, got none",
               lambda i, d: os.remove(os.path.join(d, SHARDS[1])))
    index_case("shard-empty", 3, SHARDS[1] + ": byte 0: header length", lambda i, d: write(d, SHARDS[1], b"") and None)
    index_case("shard-is-a-folder", 3, SHARDS[1] + ": expected a regular file, got a folder", lambda i, d: (
        os.remove(os.path.join(d, SHARDS[1])), os.mkdir(os.path.join(d, SHARDS[1])))[2:] and None or None)
    index_case("shard-is-a-pipe", 3, SHARDS[1] + ": expected a regular file", lambda i, d: (
        os.remove(os.path.join(d, SHARDS[1])), os.mkfifo(os.path.join(d, SHARDS[1])))[2:] and None or None)

    def linked(i, d):
        os.rename(os.path.join(d, SHARDS[1]), os.path.join(d, "elsewhere"))
        os.symlink("elsewhere", os.path.join(d, SHARDS[1]))
    index_case("shard-is-a-link", 3, SHARDS[1] + ": expected a regular file, got a symbolic link", linked)

    def leaving(i, d):
        os.remove(os.path.join(d, SHARDS[1]))
        os.symlink("/etc/passwd", os.path.join(d, SHARDS[1]))
    index_case("shard-leaves-the-folder", 3, SHARDS[1] + ": expected a regular file, got a symbolic link", leaving)

    def circle(i, d):
        os.remove(os.path.join(d, SHARDS[1]))
        os.symlink(SHARDS[1], os.path.join(d, SHARDS[1]))
    index_case("shard-is-a-circle", 3, SHARDS[1] + ": expected a regular file, got a symbolic link", circle)
    index_case("tensor-not-in-shard", 3, r": tensor model.extra.weight: expected by the index, got none",
               lambda i, d: i["weight_map"].update({"model.extra.weight": SHARDS[0]}))
    index_case("tensor-in-other-shard", 3, rf"{SHARDS[1]}: header: byte \d+: tensor {re.escape(NORM)}: expected in another|"
               rf"{SHARDS[0]}: header: byte \d+: tensor {re.escape(NORM)}: expected in another",
               lambda i, d: i["weight_map"].update(
                   {NORM: SHARDS[1 - SHARDS.index(i["weight_map"][NORM])]}))
    index_case("tensor-not-in-index", 3, rf"header: byte \d+: tensor {re.escape(NORM)}: expected to be in the index",
               lambda i, d: i["weight_map"].pop(NORM) and None)
    index_case("tensor-in-both-shards", 3, r"tensor \S+: expected in another file by the index",
               lambda i, d: rewrite_shard(d, 0, lambda st: st.header.update({next(
                   k for k, v in i["weight_map"].items() if v == SHARDS[1]): st.header.pop(next(iter(st.header)))})))
    index_case("name-of-256", 4, r"weight_map: tensor name n+\.\.\.: expected at most 255 bytes",
               lambda i, d: i["weight_map"].update({"n" * 256: SHARDS[0]}))
    index_case("too-many-files", 4, r"weight_map: tensor t4096: expected at most 4096 files", lambda i, d: json.dumps(
        {"weight_map": {f"t{k}": f"{k}.safetensors" for k in range(5000)}}).encode())
    index_case("too-many-tensors", 4, r"tensor \S+: expected at most 1000000 tensors",
               lambda i, d: b'{"weight_map":{' + b",".join(b'"%d":"a.safetensors"' % k for k in range(1000001)) + b"}}")
    index_case("too-large", 4, r"index.json: expected at most 67108864 bytes", lambda i, d: b" " * ((64 << 20) + 1))


# ---- GGUF ----------------------------------------------------------------------------------------------------------

def gguf_base():
    if "gguf" not in _base:
        _base["gguf"] = pkg.convert(os.path.join(GOLDEN, "nano5"))
    return copy.deepcopy(_base["gguf"])


def gguf_case(name, code, pattern, damage, level="file"):
    """damage(g) changes the writer and may return the whole file's bytes instead."""
    def make(folder):
        g = gguf_base()
        image = damage(g)
        return write(folder, "m.gguf", image if isinstance(image, bytes) else g.image())
    case("gguf/" + name, code, pattern, make, level)


def gguf_patch(name, code, pattern, mark, data, skip=0):
    """Overwrite bytes of the good image behind a mark."""
    def damage(g):
        image = bytearray(g.image())
        at = g.marks[mark] + skip
        image[at:at + len(data)] = data
        return bytes(image)
    gguf_case(name, code, pattern, damage)


def u32(v):
    return struct.pack("<I", v)


def u64(v):
    return struct.pack("<Q", v)


def gguf_cases():
    q = "blk.2.attn_q_a.weight"
    t = rf"tensor {re.escape(q)}: "
    tokens = "tokenizer.ggml.tokens"
    gguf_case("empty", 3, r"m.gguf: byte 0: magic: expected 4 more bytes", lambda g: b"")
    gguf_case("other-magic", 3, r"m.gguf: byte 0: magic: expected \"GGUF\", got 47 47 4d 4c",
              lambda g: setattr(g, "magic", b"GGML"))
    gguf_case("pickle", 3, r"byte 0: magic: expected \"GGUF\", got 80 02", lambda g: b"\x80\x02}q\0." * 100)
    gguf_case("safetensors-in-disguise", 3, r"byte 0: magic", lambda g: pkg.Safetensors(base("nano5")[2]).image())
    for v in (0, 1, 2, 4, 0xFFFFFFFF):
        gguf_case(f"version-{v}", 3, rf"byte 4: version: expected 3, got {v}", lambda g, v=v: setattr(g, "version", v))
    gguf_case("big-endian", 3, r"version: expected a little-endian file", lambda g: setattr(g, "version", 3 << 24))
    # Cuts, one in each region.
    for where, skip, pattern in (("key general.name", 0, r"byte \d+: key \d+ of \d+: expected 8 more"),
                                 ("key general.name", 10, r"key \d+ of \d+: string length: expected at most the 2 bytes"),
                                 ("type general.name", 2, r"key general.name: expected 4 more bytes"),
                                 ("value general.name", 3, r"key general.name: expected 8 more bytes"),
                                 ("value glm-dsa.expert_weights_norm", 0, r"key glm-dsa.expert_weights_norm: expected 1 more"),
                                 ("value " + tokens, 6, rf"key {tokens}: expected 8 more bytes"),
                                 ("value " + tokens, 500, rf"key {tokens}: array length: expected at most"),
                                 ("value " + tokens, 4000, rf"key {tokens}: (string length|expected)"),
                                 ("tensor " + q, 0, r"tensor \d+ of \d+: expected 8 more bytes"),
                                 ("tensor " + q, 12, r"tensor \d+ of \d+: string length"),
                                 ("dims " + q, 2, t + "expected 4 more bytes"),
                                 ("dims " + q, 12, t + "expected 8 more bytes"),
                                 ("dtype " + q, 1, t + "expected 4 more bytes"),
                                 ("offset " + q, 4, t + "expected 8 more bytes"),
                                 ("head end", 0, r"tensor \S+: expected data inside|data: expected 112 tensors"),
                                 ("data", 0, r"tensor \S+: expected data inside the file's \d+ bytes"),
                                 ("data", 5000, r"tensor \S+: expected data inside the file's \d+ bytes")):
        def cut(g, where=where, skip=skip):
            if where.split()[0] in ("key", "type", "value"):
                key = where.split()[1]  # or the numbers of tensors and keys would be refused first
                g.tensors, g.pairs = [], g.pairs[:g.pairs.index(g.get(key)) + 1]
            image = g.image()
            return image[:g.marks[where] + skip]
        gguf_case(f"cut-at-{where.replace(' ', '-')}-{skip}", 3, pattern, cut)
    for n in (3, 6, 10, 20):
        gguf_case(f"cut-to-{n}", 3, r"byte \d+: (magic|version|header): expected \d more bytes", lambda g, n=n: g.image()[:n])
    gguf_case("cut-by-33", 3, r"tensor \S+: expected data inside", lambda g: g.image()[:-33])
    # Counts.
    gguf_case("more-tensors-than-there-are", 3, r"tensor 113 of 113|tensor \S+: ", lambda g: setattr(g, "n_tensors", 113))
    gguf_case("fewer-tensors", 3, r"tensor \S+: missing|expected|got", lambda g: setattr(g, "n_tensors", 111), "model")
    gguf_case("tensors-beyond-file", 3, r"byte 8: header: tensors: expected at most \d+ in the \d+ bytes left, got 900000",
              lambda g: setattr(g, "n_tensors", 900000))
    gguf_case("tensors-over-ceiling", 4, r"byte 8: header: tensors: expected at most 1000000, got",
              lambda g: setattr(g, "n_tensors", 1 << 60))
    gguf_case("more-keys-than-there-are", 3, r"key \S+|tensor", lambda g: setattr(g, "n_pairs", len(g.pairs) + 1))
    gguf_case("fewer-keys", 3, r"tensor \d+ of 112|tensor", lambda g: setattr(g, "n_pairs", len(g.pairs) - 1))
    gguf_case("keys-over-ceiling", 4, r"byte 16: header: metadata keys: expected at most 65536, got",
              lambda g: setattr(g, "n_pairs", 65537))
    gguf_case("keys-all-ones", 4, r"metadata keys: expected at most 65536", lambda g: setattr(g, "n_pairs", (1 << 64) - 1))
    # Keys and values.
    k = "glm-dsa.attention.q_lora_rank"
    gguf_patch("key-length-huge", 3, r"byte \d+: key \d+ of \d+: string length: expected at most", "key " + k, u64(1 << 60))
    gguf_patch("key-length-wraps", 3, r"string length: expected at most", "key " + k, u64((1 << 64) - 4))
    gguf_patch("key-length-zero", 3, r"key \d+ of \d+: expected a name", "key " + k, u64(0))
    gguf_patch("key-with-nul", 3, r"key \d+ of \d+: expected a name without zero bytes", "key " + k, b"\0", 10)
    gguf_case("key-of-257", 4, r"string length: expected at most 256 bytes, got 257", lambda g: g.set("k" * 257, pkg.U8, 1))
    gguf_case("key-twice", 3, rf"key {k}: expected one key of that name", lambda g: g.pairs.append([k, pkg.U32, 48]))
    for v in (13, 255, 0xFFFFFFFF):
        gguf_patch(f"value-type-{v}", 3, rf"byte \d+: key {k}: expected a value type of 0 to 12, got {v}", "type " + k, u32(v))
    gguf_patch("bool-of-2", 3, r"key glm-dsa.expert_weights_norm: bool: expected 0 or 1, got 2",
               "value glm-dsa.expert_weights_norm", b"\2")
    gguf_patch("string-length-huge", 3, r"key general.name: string length", "value general.name", u64(1 << 40))
    gguf_patch("array-type-13", 3, rf"key {tokens}: array: expected an element type of 0 to 12", "value " + tokens, u32(13))
    gguf_patch("array-of-arrays", 4, rf"key {tokens}: array: expected elements that are no arrays", "value " + tokens, u32(9))
    gguf_patch("array-beyond-file", 3, rf"key {tokens}: array length: expected at most \d+ in the", "value " + tokens,
               u64(10000000), 4)
    gguf_patch("array-over-ceiling", 4, rf"key {tokens}: array length: expected at most 16777216", "value " + tokens,
               u64(1 << 62), 4)
    gguf_patch("array-string-length", 3, rf"key {tokens}: string length", "value " + tokens, u64(1 << 40), 12)
    gguf_patch("array-bool-of-7", 3, r"key glm-dsa.attention.indexer.types: bool: expected 0 or 1, got 7",
               "value glm-dsa.attention.indexer.types", b"\7", 13)
    gguf_case("token-of-5000", 4, rf"key {tokens}: string length: expected at most 4096 bytes, got 5000",
              lambda g: g.get(tokens)[2][1].__setitem__(7, "t" * 5000))
    for align, code in ((0, 3), (1, 3), (4, 3), (33, 3), (48, 3), (2 << 20, 4), (1 << 31, 4)):
        gguf_case(f"alignment-{align}", code, r"key general.alignment: expected", lambda g, align=align: g.set(
            "general.alignment", pkg.U32, align))
    gguf_case("alignment-string", 3, r"key general.alignment: expected an unsigned integer, got string",
              lambda g: g.set("general.alignment", pkg.STRING, "32"))
    gguf_case("alignment-other", 3, r"tensor \S+: offset: expected a multiple of 4096", lambda g: g.set(
        "general.alignment", pkg.U32, 4096))
    # Tensors.
    gguf_patch("name-length-huge", 3, r"tensor \d+ of \d+: string length", "tensor " + q, u64(1 << 50))
    gguf_patch("name-length-zero", 3, r"tensor name: expected at least 1 byte", "tensor " + q, u64(0))
    gguf_case("name-of-256", 4, r"tensor name n+\.\.\.: expected at most 255 bytes, got 256",
              lambda g: g.tensor(q).__setitem__(0, "n" * 256))
    gguf_patch("name-with-nul", 3, r"expected text, got a zero byte", "tensor " + q, b"\0", 12)
    gguf_case("name-twice", 3, r"tensor blk.1.attn_q_a.weight: expected one of that name",
              lambda g: g.tensor(q).__setitem__(0, "blk.1.attn_q_a.weight"))
    for v, code in ((0, 3), (5, 4), (0xFFFFFFFF, 4)):
        gguf_patch(f"dims-{v}", code, rf"byte \d+: {t}dimensions: expected 1 to 4, got {v}", "dims " + q, u32(v))
    gguf_patch("dim-zero", 3, t + r"dimension \d: expected at least 1, got 0", "dims " + q, u64(0), 4)
    gguf_patch("dim-huge", 3, t + "expected dimensions whose product", "dims " + q, u64(1 << 63), 4)
    gguf_patch("dim-wraps", 3, t + "expected dimensions whose product", "dims " + q, u64(1 << 58), 4)
    gguf_patch("dim-larger", 3, r"tensor \S+: expected data (inside|apart)", "dims " + q, u64(4096), 4)
    for v in (4, 5, 31, 33, 36, 41, 1000, 0xFFFFFFFF):
        gguf_patch(f"type-{v}", 3, rf"byte \d+: {t}expected a known ggml type, got id {v}", "dtype " + q, u32(v))
    gguf_patch("type-of-blocks", 3, t + "expected rows of whole blocks of 256 Q4_K, got 64 elements", "dtype " + q, u32(12))
    gguf_patch("offset-odd", 3, t + "offset: expected a multiple of 32, got", "offset " + q, b"\1")
    gguf_patch("offset-behind-end", 3, t + "expected data inside the file's", "offset " + q, u64(1 << 40))
    gguf_patch("offset-wraps", 3, t + "expected data inside the file's", "offset " + q, u64((1 << 64) - 32))
    gguf_patch("offset-zero", 3, r"tensor \S+: expected data apart from tensor \S+ at bytes", "offset " + q, u64(0))


def split_cases():
    names = [f"m-{i + 1:05d}-of-00003.gguf" for i in range(3)]

    def split_case(name, code, pattern, damage, opened=0):
        def make(folder):
            parts = pkg.split(gguf_base(), 3)
            images = damage(parts) or {}
            for i, part in enumerate(parts):
                if i not in images:
                    write(folder, names[i], part.image())
                elif images[i] is not None:
                    write(folder, names[i], images[i])
            return os.path.join(folder, names[opened])
        case("split/" + name, code, pattern, make)

    split_case("part-absent", 3, names[1] + ": expected the file, got none", lambda p: {1: None})
    split_case("last-part-absent", 3, names[2] + ": expected the file, got none", lambda p: {2: None})
    split_case("part-empty", 3, names[2] + ": byte 0: magic", lambda p: {2: b""})
    split_case("part-cut", 3, names[2] + r": tensor \S+: expected data inside", lambda p: {2: p[2].image()[:-100]})
    split_case("second-part-named", 3, r"key split.no: expected 0 in the first part, got 1", lambda p: None, opened=1)
    split_case("part-of-other-number", 3, names[1] + ": key split.no: expected 1, got 2",
               lambda p: p[1].set("split.no", pkg.U16, 2) and None)
    split_case("part-without-number", 3, names[1] + ": key split.no: expected 1, got none", lambda p: p[1].drop("split.no") and None)
    split_case("part-of-other-count", 3, names[2] + ": key split.count: expected 3, got 4",
               lambda p: p[2].set("split.count", pkg.U16, 4) and None)
    split_case("count-unlike-name", 3, r"expected a name that ends in -00001-of-00007.gguf",
               lambda p: p[0].set("split.count", pkg.U16, 7) and None)
    split_case("count-over-ceiling", 4, r"key split.count: expected at most 4096, got 60000",
               lambda p: p[0].set("split.count", pkg.U16, 60000) and None)
    split_case("count-of-wrong-kind", 3, r"key split.count: expected an integer",
               lambda p: p[0].set("split.count", pkg.STRING, "3") and None)
    split_case("number-negative", 3, r"key split.no: expected an integer of 0 or more",
               lambda p: p[1].set("split.no", pkg.I32, -1) and None)
    split_case("tensors-miscounted", 3, r"key split.tensors.count: expected the 112 tensors of all parts, got 111",
               lambda p: p[0].set("split.tensors.count", pkg.I32, 111) and None)
    split_case("tensor-in-two-parts", 3, names[2] + r": byte \d+: tensor \S+: expected one of that name",
               lambda p: p[2].tensors.__setitem__(0, p[1].tensors[0]))
    split_case("same-part-twice", 3, names[2] + ": byte .* expected one of that name|key split.no: expected 2, got 1",
               lambda p: {2: p[1].image()})


# ---- Paths ---------------------------------------------------------------------------------------------------------

def path_cases():
    case("path/absent", 1, r"absent: expected a folder or a .gguf file, got nothing", lambda d: os.path.join(d, "absent"))
    case("path/absent-file", 1, r"x.gguf: expected a folder", lambda d: os.path.join(d, "x.gguf"))
    case("path/below-a-file", 1, r"x.gguf: expected a folder", lambda d: os.path.join(write(d, "f", b""), "x.gguf"))
    case("path/empty-folder", 3, r"expected model.safetensors or model.safetensors.index.json, got neither", lambda d: d)
    case("path/weights-file", 3, r"model.safetensors: byte 0: magic: expected \"GGUF\"", lambda d: (
        link_golden(d, "nano5"), os.path.join(d, FILE))[1])
    case("path/config-file", 3, r"config.json: byte 0: magic: expected \"GGUF\", got 7b", lambda d: (
        link_golden(d, "nano5"), os.path.join(d, "config.json"))[1])
    case("path/pipe", 3, r"pipe: expected a regular file", lambda d: (
        os.mkfifo(os.path.join(d, "pipe")), os.path.join(d, "pipe"))[1])
    case("path/device", 3, r"null: expected a regular file", lambda d: "/dev/null")
    case("path/link-to-gguf", 3, r"l.gguf: expected a regular file, got a symbolic link", lambda d: (
        write(d, "m.gguf", gguf_base().image()), os.symlink("m.gguf", os.path.join(d, "l.gguf")), os.path.join(d, "l.gguf"))[2])
    case("path/dangling-link", 1, r"l.gguf: expected a folder or a .gguf file, got nothing", lambda d: (
        os.symlink("nowhere", os.path.join(d, "l.gguf")), os.path.join(d, "l.gguf"))[1])
    case("path/weights-link-dangling", 3, r"model.safetensors: expected a regular file, got a symbolic link", lambda d: (
        link_golden(d, "nano5", [FILE]), os.symlink("nowhere", os.path.join(d, FILE)), d)[2])


# ---- What only binding sees ----------------------------------------------------------------------------------------

def config_case(name, code, pattern, edit, golden="nano52"):
    """edit(config) changes the parsed configuration or returns the file's bytes."""
    def make(folder):
        link_golden(folder, golden)
        config = copy.deepcopy(base(golden)[0])
        text = edit(config)
        write(folder, "config.json", text if isinstance(text, bytes) else json.dumps(config).encode())
        return folder
    case("config/" + name, code, pattern, make, "model")


NEEDED = ["model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "q_lora_rank", "kv_lora_rank",
          "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "intermediate_size", "moe_intermediate_size",
          "n_routed_experts", "num_experts_per_tok", "first_k_dense_replace", "index_topk", "index_n_heads", "index_head_dim"]


# Keys that another key repeats: a wrong one may be told as the other's disagreement.
UNLIKE = {"num_attention_heads": "num_key_value_heads", "qk_nope_head_dim": "qk_head_dim", "qk_rope_head_dim": "qk_head_dim",
          "vocab_size": "eos_token_id", "glm-dsa.attention.key_length_mla": "attn_q_b.weight: shape"}


def config_cases():
    def remove(d):
        link_golden(d, "nano52", ["config.json"])
        return d
    case("config/absent", 3, r"config.json: ", remove, "model")
    for v in (b"", b"{", b"[]", b"null", b"\xff\xfe{}", b'{"hidden_size":64'):
        config_case("is-" + v.decode("latin1"), 3, r"config.json: ", lambda c, v=v: v)
    config_case("too-large", 4, r"config.json: expected at most 4194304 bytes", lambda c: b" " * ((4 << 20) + 1))
    config_case("deep", 4, r"config.json: .*nested too deep", lambda c: b'{"x":' + b"[" * 1000 + b"]" * 1000 + b"}")
    for key in NEEDED:
        config_case(f"no-{key}", 3, rf"config.json: .*{key}", lambda c, key=key: c.pop(key) and None)
        config_case(f"{key}-is-a-list", 3, rf"config.json: .*{key}", lambda c, key=key: c.update({key: [1]}))
        if key not in ("model_type", "first_k_dense_replace"):
            config_case(f"{key}-is-0", 3, rf"config.json: .*({key}|{UNLIKE.get(key, key)}): expected", lambda c, key=key: c.update({key: 0}))
        if key != "model_type":
            for v in (-1, 1.5, "64", 1 << 62, 1 << 70):
                config_case(f"{key}-is-{v}", 3, rf"config.json: .*{key}", lambda c, key=key, v=v: c.update({key: v}))
    for key, v in (("model_type", "llama"), ("hidden_act", "gelu"), ("attention_bias", True), ("scoring_func", "softmax"),
                   ("topk_method", "greedy"), ("rope_interleave", False), ("indexer_rope_interleave", False),
                   ("rope_scaling", {"type": "yarn", "factor": 4}), ("tie_word_embeddings", 1), ("moe_layer_freq", 2),
                   ("rms_norm_eps", -1), ("rms_norm_eps", "x"), ("routed_scaling_factor", "x"), ("n_group", 3),
                   ("topk_group", 9), ("num_experts_per_tok", 9), ("qk_rope_head_dim", 7), ("indexer_types", ["full"]),
                   ("indexer_types", ["shared"] + ["full"] * 6), ("indexer_types", ["odd"] + ["full"] * 6),
                   ("indexer_types", "full"), ("index_head_dim", 4), ("first_k_dense_replace", 8),
                   ("max_position_embeddings", 0), ("num_nextn_predict_layers", -1), ("n_shared_experts", -1)):
        config_case(f"{key}-{json.dumps(v)[:24]}", 3, rf"config.json: .*{key}|{key}", lambda c, key=key, v=v: c.update({key: v}))
    for v in ({"rope_type": "yarn", "rope_theta": 8e6, "factor": 4}, {"rope_type": "default", "rope_theta": 0},
              {"rope_type": "default", "rope_theta": -1}, {"rope_type": "default", "rope_theta": "x"}, {"rope_type": "linear"}, []):
        config_case(f"rope-{json.dumps(v)[:40]}", 3, r"config.json: .*rope", lambda c, v=v: c.update({"rope_parameters": v}))
    config_case("eps-not-finite", 3, r"config.json: .*rms_norm_eps", lambda c: json.dumps(c).replace("1e-05", "1e999").encode())


def binding_cases():
    layer = "model.layers.2."
    for name in (NORM, "lm_head.weight", "model.embed_tokens.weight", layer + "input_layernorm.weight",
                 layer + "self_attn.q_a_proj.weight", layer + "self_attn.kv_a_layernorm.weight",
                 layer + "self_attn.kv_b_proj.weight", layer + "self_attn.o_proj.weight",
                 layer + "self_attn.indexer.wk.weight", layer + "self_attn.indexer.k_norm.bias",
                 layer + "mlp.gate.weight", layer + "mlp.gate.e_score_correction_bias",
                 layer + "mlp.experts.3.up_proj.weight", layer + "mlp.shared_experts.down_proj.weight"):
        t = rf"tensor {re.escape(name)}: "

        def without(st, name=name):
            tensors = dict(base("nano5")[2])
            tensors.pop(name)
            return pkg.Safetensors(tensors).image()
        st_case("bind/no-" + name, 3, t, without, "model")

        def reshaped(st, name=name):
            tensors = dict(base("nano5")[2])
            dtype, shape, data = tensors[name]
            tensors[name] = (dtype, shape[:-1] + [shape[-1] + 1], data + data[:len(data) // shape[-1]])
            return pkg.Safetensors(tensors).image()
        st_case("bind/shape-of-" + name, 3, t + r".*expected .*got", reshaped, "model")

        def retyped(st, name=name):
            tensors = dict(base("nano5")[2])
            dtype, shape, data = tensors[name]
            tensors[name] = ("I32" if dtype == "F32" else "I16", shape, data)
            return pkg.Safetensors(tensors).image()
        st_case("bind/type-of-" + name, 3, t + r".*expected .*got", retyped, "model")

    def extra(name):
        return lambda st: pkg.Safetensors({**base("nano5")[2], name: ("BF16", [2, 2], b"\0" * 8)}).image()
    for name in ("model.layers.2.self_attn.q_proj.weight", "model.layers.2.mlp.experts.8.up_proj.weight", "model.odd",
                 "model.layers.9.input_layernorm.weight", layer + "self_attn.q_a_proj.bias",
                 layer + "self_attn.q_a_proj.weight_scale_inv"):
        st_case("bind/extra-" + name, 3, rf"tensor {re.escape(name)}: ", extra(name), "model")

    def fp8(st):
        tensors = dict(base("nano5")[2])
        dtype, shape, data = tensors[layer + "self_attn.o_proj.weight"]
        tensors[layer + "self_attn.o_proj.weight"] = ("F8_E4M3", shape, data[::2])
        return pkg.Safetensors(tensors).image()
    st_case("bind/fp8-without-scale", 3, rf"tensor {re.escape(layer)}self_attn.o_proj.weight", fp8, "model")

    a = "glm-dsa."
    for key in ("general.architecture", a + "block_count", a + "embedding_length", a + "attention.head_count",
                a + "attention.key_length_mla", a + "attention.q_lora_rank", a + "attention.kv_lora_rank",
                a + "expert_count", a + "expert_used_count", a + "rope.dimension_count",
                a + "attention.indexer.top_k", a + "attention.layer_norm_rms_epsilon"):
        gguf_case("bind/no-" + key, 3, rf"{re.escape(key)}: expected|{UNLIKE.get(key, key)}: expected", lambda g, key=key: g.drop(key),
                  "model")
        gguf_case("bind/kind-of-" + key, 3, rf"{re.escape(key)}: expected", lambda g, key=key: g.set(key, pkg.ARRAY, (pkg.U8, [1])),
                  "model")
    gguf_case("bind/other-architecture", 3, r"general.architecture: .*llama",
              lambda g: g.set("general.architecture", pkg.STRING, "llama"), "model")
    for scale, kind, data, got in (("blk.2.ffn_up_exps.scale", pkg.GGML_F32, b"\0" * 4, r"expected \[8\], got \[1\]"),
                                   ("blk.2.attn_output.scale", pkg.GGML_F32, b"\0" * 8, r"expected \[1\], got \[2\]"),
                                   ("blk.2.attn_output.scale", pkg.GGML_BF16, b"\0" * 2, r"type: expected F32, got BF16"),
                                   ("blk.2.attn_output.scale", pkg.GGML_F32, b"\0\0\x80\x7f", r"element 0: expected a finite"),
                                   ("blk.99.attn_output.scale", pkg.GGML_F32, b"\0" * 4, r"got one that no layer uses")):
        gguf_case(f"bind/scale-{scale}-{len(data)}-{kind}-{data[-1]}", 3, rf"tensor {re.escape(scale)}: .*{got}",
                  lambda g, s=scale, k=kind, d=data: g.tensors.append([s, [len(d) // (2 if k == pkg.GGML_BF16 else 4)], k, d]), "model")
    for name in ("blk.2.attn_k_b.weight", "blk.2.ffn_up_exps.weight", "token_embd.weight", "blk.3.attn_norm.weight"):
        gguf_case("bind/no-" + name, 3, rf"tensor {re.escape(name)}",
                  lambda g, name=name: g.tensors.remove(g.tensor(name)), "model")

        def turned(g, name=name):
            g.tensor(name)[1] = g.tensor(name)[1][::-1] if len(g.tensor(name)[1]) > 1 else [32, 2]
        gguf_case("bind/shape-of-" + name, 3, rf"tensor {re.escape(name)}: .*expected .*got", turned, "model")


def tokenizer_cases():
    def tokenizer_case(name, code, pattern, edit):
        def make(folder):
            link_golden(folder, "nano5")
            tokenizer = copy.deepcopy(base("nano5")[1])
            text = edit(tokenizer)
            if text is not None:
                write(folder, "tokenizer.json", text)
            elif tokenizer:
                write(folder, "tokenizer.json", json.dumps(tokenizer).encode())
            return folder
        case("tokenizer/" + name, code, "tokenizer.json: .*" + pattern, make, "model")

    for v in (b"", b"{", b"[]", b"null", b"\xff\xfe"):
        tokenizer_case("is-" + v.decode("latin1"), 3, "", lambda t, v=v: v)
    tokenizer_case("cut", 3, r"byte \d+", lambda t: json.dumps(t).encode()[:-3000])
    tokenizer_case("deep", 4, "too deep", lambda t: b'{"x":' + b"[" * 1000)
    tokenizer_case("no-model", 3, "model", lambda t: t.pop("model") and None)
    tokenizer_case("model-type", 3, "type|WordPiece", lambda t: t["model"].update(type="WordPiece"))
    tokenizer_case("no-vocab", 3, "vocab", lambda t: t["model"].pop("vocab") and None)
    tokenizer_case("vocab-id-negative", 3, "", lambda t: t["model"]["vocab"].update({"!": -1}))
    tokenizer_case("vocab-id-huge", 4, "", lambda t: t["model"]["vocab"].update({"!": 1 << 40}))
    tokenizer_case("vocab-id-string", 3, "", lambda t: t["model"]["vocab"].update({"!": "0"}))
    tokenizer_case("vocab-id-twice", 3, "", lambda t: t["model"]["vocab"].update({"!": 1}))
    tokenizer_case("merge-of-unknown-pieces", 3, "merge", lambda t: t["model"]["merges"].append(["zzz", "qqq"]))
    tokenizer_case("merge-of-three", 3, "merge", lambda t: t["model"]["merges"].append(["a", "b", "c"]))
    tokenizer_case("token-of-5000", 4, "", lambda t: t["model"]["vocab"].update({"t" * 5000: 5}))
    tokenizer_case("added-without-id", 3, "", lambda t: t["added_tokens"][0].pop("id") and None)
    tokenizer_case("added-id-behind-vocabulary", 4, "", lambda t: t["added_tokens"][0].update(id=5000000))
    tokenizer_case("normalizer", 3, "normalizer", lambda t: t.update(normalizer={"type": "NFC"}))
    tokenizer_case("other-pattern", 3, "", lambda t: t["pre_tokenizer"]["pretokenizers"][0]["pattern"].update(Regex="\\\\w+"))
    case("tokenizer/too-large", 4, r"tokenizer.json: expected at most 134217728 bytes", lambda d: (
        link_golden(d, "nano5", ["tokenizer.json"]), sparse(d, "tokenizer.json", b"{", (128 << 20) + 1), d)[2], "model")


# ---- Run -----------------------------------------------------------------------------------------------------------

def good_packages(folder):
    """Undamaged packages, which must open: the damage is the cause, not the maker."""
    yield os.path.join(GOLDEN, "nano5")
    yield os.path.join(GOLDEN, "nano52")
    yield write(folder, "good.gguf", gguf_base().image())
    for i, part in enumerate(pkg.split(gguf_base(), 3)):
        write(folder, f"good-{i + 1:05d}-of-00003.gguf", part.image())
    yield os.path.join(folder, "good-00001-of-00003.gguf")
    copied = os.path.join(folder, "copied")
    os.mkdir(copied)
    link_golden(copied, "nano5", [FILE])
    write(copied, FILE, pkg.Safetensors(base("nano5")[2]).image())
    yield copied


def run(command, path, has_limit):
    def limit():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if has_limit:
            resource.setrlimit(resource.RLIMIT_AS, (BYTES_MAX, BYTES_MAX))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(command + [path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              timeout=60, preexec_fn=limit)
    except subprocess.TimeoutExpired:
        return None, b"", b"", 60.0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)  # processor time: the machine may be busy with other things
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.returncode, done.stdout, done.stderr, seconds


def judge(code, pattern, result, seconds_max):
    found, out, err, seconds = result
    lines = err.decode("utf-8", "replace").splitlines()
    if found != code:
        return f"expected exit code {code}, got {found}: {lines[:2]}"
    if code == 0:
        return None
    if out:
        return f"expected nothing on stdout, got {out[:80]}"
    if not lines or not lines[0].startswith("glm: ") or any(not s.startswith("hint: ") for s in lines[1:]):
        return f"expected one line \"glm: ...\" and hints, got {lines[:3]}"
    if not re.search(pattern, lines[0]):
        return f"expected /{pattern}/, got {lines[0]}"
    if seconds > seconds_max:
        return f"expected less than {seconds_max} s, got {seconds:.2f}"
    return None


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--level", choices=["file", "model"], default="file")
    p.add_argument("--only", default="")
    p.add_argument("--keep")
    p.add_argument("--list", action="store_true")
    p.add_argument("--no-memory-limit", action="store_true")
    p.add_argument("command", nargs=argparse.REMAINDER)
    args = p.parse_args()
    for group in (safetensors_cases, index_cases, gguf_cases, split_cases, path_cases, config_cases, binding_cases,
                  tokenizer_cases):
        group()
    cases = [c for c in CASES if (args.level == "model" or c[0] == "file") and re.search(args.only, c[1])]
    if args.list:
        for level, name, code, pattern, _ in cases:
            print(f"{level} {code} {name}: {pattern}")
        return 0
    seconds_max = SECONDS_MAX * (10 if args.no_memory_limit else 1)  # sanitizers are slow, and map terabytes
    n_bad = 0
    with tempfile.TemporaryDirectory() as root:
        for path in good_packages(root):
            error = judge(0, "", run(args.command, path, not args.no_memory_limit), seconds_max)
            if error:
                n_bad += 1
                print(f"good package {path}: {error}")
        for _, name, code, pattern, make in cases:
            folder = os.path.join(args.keep or root, re.sub(r"[^\w.=-]+", "_", name))
            os.makedirs(folder)
            path = make(folder)
            error = judge(code, pattern, run(args.command, path, not args.no_memory_limit), seconds_max)
            if error:
                n_bad += 1
                print(f"{name}: {error}")
            if not args.keep:
                shutil.rmtree(folder)
    print(f"{len(cases)} damaged packages, {n_bad} unexpected")
    return 1 if n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
