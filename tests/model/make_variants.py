# SPDX-License-Identifier: MIT
"""Write golden cases in other clothes: every layout of names, types and files a reader must take for the same model.

usage: make_variants.py GOLDEN OUT      OUT/<case>.<variant> is a folder, or a GGUF where the name says so
"""
import json
import os
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "formats"))
import package as p  # noqa: E402


def write_folder(out, config, tokenizer, tensors):
    os.makedirs(out, exist_ok=True)
    pathlib.Path(out, "config.json").write_text(json.dumps(config))
    pathlib.Path(out, "tokenizer.json").write_text(json.dumps(tokenizer))
    pathlib.Path(out, "model.safetensors").write_bytes(p.Safetensors(tensors).image())


def fuse_experts(config, tensors):
    """The two stacked tensors a layer that transformers 5 holds experts in."""
    out = {k: v for k, v in tensors.items() if ".mlp.experts." not in k}
    for layer in range(config["num_hidden_layers"] + config["num_nextn_predict_layers"]):
        prefix = f"model.layers.{layer}.mlp.experts."
        if prefix + "0.up_proj.weight" not in tensors:
            continue
        one = [[tensors[f"{prefix}{e}.{kind}_proj.weight"] for kind in ("gate", "up", "down")]
               for e in range(config["n_routed_experts"])]
        wide, deep = one[0][0][1], one[0][2][1]
        out[prefix + "gate_up_proj"] = ("BF16", [len(one), 2 * wide[0], wide[1]], b"".join(g[2] + u[2] for g, u, _ in one))
        out[prefix + "down_proj"] = ("BF16", [len(one)] + deep, b"".join(d[2] for _, _, d in one))
    return out


def widen(tensors):
    return {k: ("F32", s, p.bf16_to_f32(d)) if t == "BF16" else (t, s, d) for k, (t, s, d) in tensors.items()}


def without_mtp(config, tensors):
    prefix = f"model.layers.{config['num_hidden_layers']}."
    return {k: v for k, v in tensors.items() if not k.startswith(prefix)}


def folders(golden, out):
    config, tokenizer, tensors = p.read_folder(golden / "nano52")
    write_folder(out / "nano52.one-file", config, tokenizer, tensors)
    write_folder(out / "nano52.fused-experts", config, tokenizer, fuse_experts(config, tensors))
    write_folder(out / "nano52.f32", config, tokenizer, widen(tensors))
    write_folder(out / "nano52.no-mtp", config, tokenizer, without_mtp(config, tensors))
    letters = "".join("F" if t == "full" else "S" for t in config["indexer_types"])
    plain = {k: v for k, v in config.items() if k != "indexer_types"}
    write_folder(out / "nano52.pattern", {**plain, "index_topk_pattern": letters, "index_topk_freq": 1}, tokenizer, tensors)
    write_folder(out / "nano52.formula", {**plain, "index_topk_pattern": None}, tokenizer, tensors)
    rope = {k: v for k, v in config.items() if k != "rope_parameters"}
    write_folder(out / "nano52.flat-theta", {**rope, "rope_theta": 8000000, "some_new_key": {"a": [1]}}, tokenizer, tensors)
    (out / "nano52.flat-theta" / "chat_template.jinja").write_text("{{ nobody runs this }}")


def gguf(folder):
    config, tokenizer, tensors = p.read_folder(folder)
    made = p.Gguf(p.convert_metadata(config, tokenizer), p.convert_tensors(config, tensors))
    full = [int(t == "full") for t in config.get("indexer_types", ["full"] * config["num_hidden_layers"])]
    return made.set(TYPES, p.ARRAY, (p.BOOL, full)), full, config, tensors


TYPES = "glm-dsa.attention.indexer.types"


def whole_kv_b(made, config, tensors):
    """The unsplit attn_kv_b of older converters."""
    made.tensors = [t for t in made.tensors if "attn_k_b" not in t[0] and "attn_v_b" not in t[0]]
    for layer in range(config["num_hidden_layers"] + config["num_nextn_predict_layers"]):
        _, shape, data = tensors[f"model.layers.{layer}.self_attn.kv_b_proj.weight"]
        made.tensors.append([f"blk.{layer}.attn_kv_b.weight", list(reversed(shape)), p.GGML_BF16, data])
    return made


def fused_gate_up(made):
    """ffn_gate_up_exps: in each expert the gate's rows, then the up projection's."""
    kept = [t for t in made.tensors if "ffn_gate_exps" not in t[0] and "ffn_up_exps" not in t[0]]
    for name, (cols, rows, n), kind, gate in [t for t in made.tensors if "ffn_gate_exps" in t[0]]:
        up = made.tensor(name.replace("gate", "up"))[3]
        size = len(gate) // n
        both = b"".join(gate[e * size:(e + 1) * size] + up[e * size:(e + 1) * size] for e in range(n))
        kept.append([name.replace("gate", "gate_up"), [cols, 2 * rows, n], kind, both])
    made.tensors = kept
    return made


def copied_indexers(made, full):
    """An indexer on every layer, as some published files carry: those of shared layers are copies that nobody reads."""
    owner = 0
    for layer, is_full in enumerate(full):
        if is_full:
            owner = layer
            continue
        for name, ne, kind, data in [t for t in made.tensors if t[0].startswith(f"blk.{owner}.indexer.")]:
            made.tensors.append([name.replace(f"blk.{owner}.", f"blk.{layer}."), ne, kind, data[::-1]])
    return made


def second_scales(made):
    """The .scale beside each matrix that NVFP4 conversions carry, one an expert: here powers of two, taken out of the weights
    exactly, so that the bits stay. The .input_scale of activations is for processors that compute in FP4."""
    def shifted(data, bits):
        out = bytearray(data)
        for i in range(0, len(out), 2):
            value = out[i] | out[i + 1] << 8
            if value & 0x7f80:  # not 0 nor denormal: add to the exponent
                assert (value >> 7 & 255) + bits < 255
                out[i:i + 2] = (value + (bits << 7)).to_bytes(2, "little")
            else:
                assert value & 0x7fff == 0
        return bytes(out)

    kept = []
    for at, (name, ne, kind, data) in enumerate(made.tensors):
        kept.append([name, ne, kind, data])
        if kind != p.GGML_BF16 or len(ne) < 2 or name == "token_embd.weight":
            continue
        n = ne[2] if "_exps" in name else 1
        bits = [1 + (at + e) % 5 for e in range(n)]
        size = len(data) // n
        kept[-1][3] = b"".join(shifted(data[e * size:(e + 1) * size], b) for e, b in enumerate(bits))
        stem = name.removesuffix("weight")
        kept.append([stem + "scale", [n], p.GGML_F32, struct.pack(f"<{n}f", *(2.0 ** -b for b in bits))])
        kept.append([stem + "input_scale", [n], p.GGML_F32, struct.pack(f"<{n}f", *[3.0] * n)])
    made.tensors = kept
    return made


def widen_gguf(made):
    made.tensors = [[n, ne, p.GGML_F32, p.bf16_to_f32(d)] if k == p.GGML_BF16 else [n, ne, k, d]
                    for n, ne, k, d in made.tensors]
    return made


def lite(golden):
    """glm4_moe_lite as GLM-4.7-Flash is converted: architecture deepseek2, no indexer."""
    config, tokenizer, tensors = p.read_folder(golden / "lite")
    filled = {**config, "index_n_heads": 1, "index_head_dim": 8, "index_topk": 1}
    made = p.Gguf(p.convert_metadata(filled, tokenizer), p.convert_tensors(config, tensors))
    made.pairs = [["deepseek2." + k[8:] if k.startswith("glm-dsa.") else k, kind, v]
                  for k, kind, v in made.pairs if ".indexer." not in k and "nextn" not in k]
    return made.set("general.architecture", p.STRING, "deepseek2")


def ggufs(golden, out):
    def write(name, made):
        (out / f"{name}.gguf").write_bytes(made.image())

    def fresh():
        return gguf(golden / "nano52")[0]

    made, full, config, tensors = gguf(golden / "nano52")
    write("nano52.bools", made)
    write("nano52.ints", fresh().set(TYPES, p.ARRAY, (p.I32, full)))
    write("nano52.strings", fresh().set(TYPES, p.ARRAY, (p.STRING, ["full" if f else "shared" for f in full])))
    write("nano52.no-types", fresh().drop(TYPES))
    write("nano52.frequency", fresh().drop(TYPES).set("glm-dsa.attention.indexer.top_k_frequency", p.U32, 4)
          .set("glm-dsa.attention.indexer.skip_top_k_offset", p.U32, 3).set("glm-dsa.context_length", p.U32, 4096))
    write("nano52.kv-b", whole_kv_b(fresh(), config, tensors))
    write("nano52.gate-up", fused_gate_up(fresh()))
    write("nano52.copied-indexers", copied_indexers(fresh(), full))
    write("nano52.f32", widen_gguf(fresh()))
    write("nano52.scales", second_scales(fresh()))
    aligned = fresh().set("general.alignment", p.U32, 4096)
    aligned.align = 4096
    write("nano52.aligned", aligned)
    narrow = fresh().set("general.alignment", p.U32, 8)
    narrow.align = 8
    write("nano52.narrow", narrow)
    write("nano5.bools", gguf(golden / "nano5")[0])
    write("nano5.no-types", gguf(golden / "nano5")[0].drop(TYPES))
    write("lite.deepseek2", lite(golden))
    parts = p.split(fresh(), 4)
    for i, part in enumerate(parts):
        (out / f"nano52.split-{i + 1:05d}-of-{len(parts):05d}.gguf").write_bytes(part.image())


def main():
    golden, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    folders(golden, out)
    ggufs(golden, out)


if __name__ == "__main__":
    main()
