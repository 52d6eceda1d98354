#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much of the float32 indexer's selections an indexer with smaller keys keeps.

Usage: selection_overlap.py GLM MODEL TEXT [--types q8,f16] [--ctx N]

Scores TEXT twice with `GLM score --precision exact --dump` and compares the sets of every row that has more positions than
index_topk, layer by layer: |A and B| / |A|. Everything but the keys' type is float32, but layers behind a changed selection see
other states; the first layer shows the keys alone. One JSON line a type and layer: rows, mean, lowest, share of equal sets.
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile

import numpy as np


def dump(args, index_type, folder):
    subprocess.run([args.glm, "score", args.model, "--text", args.text, "--precision", "exact", "--index-type", index_type,
                    "--ctx", str(args.ctx), "--dump", folder, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    files = glob.glob(os.path.join(folder, "selected.*.npy"))
    return {int(os.path.basename(f).split(".")[1]): np.load(f) for f in files}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("glm")
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--types", default="q8")
    parser.add_argument("--ctx", type=int, default=16384)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        want = dump(args, "f32", os.path.join(top, "f32"))
        for index_type in args.types.split(","):
            got = dump(args, index_type, os.path.join(top, index_type))
            for layer in sorted(want):
                k = want[layer].shape[1]
                share = np.array([len(np.intersect1d(w, g)) / k for w, g in zip(want[layer][k:], got[layer][k:])])
                if not len(share):
                    sys.exit(f"selection_overlap: {args.text} has no more than {k} tokens")
                print(json.dumps({"bench": "selection_overlap", "type": index_type, "layer": layer, "k": k, "rows": len(share),
                                  "mean": round(float(share.mean()), 5), "min": round(float(share.min()), 5),
                                  "equal_sets": round(float((share == 1).mean()), 4)}))


main()
