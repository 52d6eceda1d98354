# SPDX-License-Identifier: MIT
"""Writes the model as an official folder: config, tokenizer, template and BF16 safetensors under the official names."""

import json
import shutil
from pathlib import Path

import torch

F32_NAMES = ("e_score_correction_bias",)


def official_name(config, name):
    """The official name of a parameter; the draft layer is layer num_hidden_layers."""
    if name == "lm_head.weight":
        return name
    layer = f"layers.{config.num_hidden_layers}."
    for old, new in (("mtp.block.", layer), ("mtp.norm.", layer + "shared_head.norm."), ("mtp.", layer), ("mlp.e_score", "mlp.gate.e_score")):
        name = name.replace(old, new)
    return "model." + name


def official(model):
    """Official tensor names and values; experts one by one."""
    out = {}
    for name, value in model.state_dict().items():
        name = official_name(model.config, name)
        if name.endswith("mlp.gate_up"):
            for e, matrix in enumerate(value):
                prefix = f"{name[: -len('gate_up')]}experts.{e}."
                out[prefix + "gate_proj.weight"], out[prefix + "up_proj.weight"] = matrix.chunk(2)
        elif name.endswith("mlp.down"):
            for e, matrix in enumerate(value):
                out[f"{name[: -len('down')]}experts.{e}.down_proj.weight"] = matrix
        else:
            out[name] = value
    return {k: (v.float() if k.endswith(F32_NAMES) else v.bfloat16()).contiguous() for k, v in out.items()}


@torch.no_grad()
def round_weights(model):
    """Give the model the values that the exported file holds."""
    for name, value in model.state_dict().items():
        if not name.endswith(F32_NAMES):
            value.copy_(value.bfloat16().float())


def export(model, tokenizer_path, folder):
    """Write all files of the folder."""
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(official(model), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    _json(folder / "config.json", model.config.to_json())
    _json(folder / "generation_config.json", model.config.generation_json())
    # Compact: the vocabulary is data, not prose.
    data = json.loads(Path(tokenizer_path).read_text(encoding="utf-8"))
    (folder / "tokenizer.json").write_text(json.dumps(data, ensure_ascii=False) + "\n", encoding="utf-8")
    _json(folder / "tokenizer_config.json", tokenizer_config(data))
    shutil.copyfile(Path(__file__).with_name("chat_template.jinja"), folder / "chat_template.jinja")


def tokenizer_config(data):
    """tokenizer_config.json in the official key set."""
    special = [t["content"] for t in data["added_tokens"] if t["special"]]
    return {
        "backend": "tokenizers",
        "clean_up_tokenization_spaces": False,
        "do_lower_case": False,
        "eos_token": "<|endoftext|>",
        "extra_special_tokens": special,
        "model_max_length": 131072,
        "pad_token": "<|endoftext|>",
        "padding_side": "left",
        "remove_space": False,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def load_exported(folder):
    """The trainer's model with the weights of an exported folder."""
    from safetensors.torch import load_file

    from .config import Config
    from .model import Nano

    folder = Path(folder)
    size = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    model = Nano(Config(vocab_size=size))
    tensors = load_file(folder / "model.safetensors")
    names = official(model)
    if set(names) != set(tensors):
        raise ValueError(f"{folder}: tensors differ: {sorted(set(names) ^ set(tensors))[:5]}")
    state = model.state_dict()
    for name, value in state.items():
        if name.endswith("mlp.gate_up"):
            prefix = official_name(model.config, name)[: -len("gate_up")]
            value.copy_(torch.stack([
                torch.cat((tensors[f"{prefix}experts.{e}.gate_proj.weight"], tensors[f"{prefix}experts.{e}.up_proj.weight"]))
                for e in range(len(value))]))
        elif name.endswith("mlp.down"):
            prefix = official_name(model.config, name)[: -len("down")]
            value.copy_(torch.stack([tensors[f"{prefix}experts.{e}.down_proj.weight"] for e in range(len(value))]))
        else:
            value.copy_(tensors[official_name(model.config, name)])
    return model.eval()
