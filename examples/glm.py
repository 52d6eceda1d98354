#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libglm from Python with nothing but ctypes: open a model, run steps, read logits.

    ./glm.py MODEL COUNT ID...        continue ids greedily
    ./glm.py --score MODEL ID ID...   log-probability of each id after the first

The library is looked for as $LIBGLM (a path), else as libglm.so the way the system looks. The classes mirror
include/glm/glm.h.
"""
import ctypes as c
import math
import os
import sys


class GlmError(Exception):
    """A call failed; the text is the library's."""


# Member for member as the header has them: a class that is shorter than its struct is written beyond its end.
class Error(c.Structure):
    _fields_ = [("status", c.c_int), ("text", c.c_char * 1024), ("hint", c.c_char * 256)]


class ModelParams(c.Structure):
    _fields_ = [("load", c.c_int), ("follow_links", c.c_bool), ("latent_eps", c.c_double),
                ("indexer_types", c.c_char_p), ("progress", c.c_void_p), ("progress_ctx", c.c_void_p)]


class EngineParams(c.Structure):
    _fields_ = [("n_threads", c.c_uint32), ("n_ctx", c.c_uint32), ("n_sessions", c.c_uint32),
                ("chunk", c.c_uint32), ("precision", c.c_int), ("kv_type", c.c_int),
                ("index_type", c.c_int), ("memory_bytes", c.c_uint64), ("isa", c.c_char_p)]


class ModelInfo(c.Structure):
    _fields_ = ([(name, c.c_char_p) for name in ("architecture", "format", "name")]
                + [(name, c.c_uint32) for name in (
                    "n_layer", "n_mtp_layer", "n_dense_layer", "d_model", "n_vocab", "n_token",
                    "n_ctx_max", "n_heads", "q_rank", "kv_rank", "d_nope", "d_rope", "d_v", "d_ff",
                    "d_expert", "n_expert", "n_expert_used", "n_expert_shared", "n_group",
                    "n_group_used")]
                + [("routed_scale", c.c_float)]
                + [(name, c.c_uint32) for name in ("index_n_heads", "index_d_head", "index_topk")]
                + [("indexer_types", c.c_char_p), ("rope_theta", c.c_double),
                   ("rms_eps", c.c_float), ("latent_eps", c.c_float)]
                + [(name, c.c_uint64) for name in (
                    "n_params", "n_params_active", "n_params_mtp", "size_bytes")]
                + [("n_tensors", c.c_uint32), ("n_files", c.c_uint32),
                   ("kv_bytes_per_token", c.c_uint64 * 4), ("eos_ids", c.c_int32 * 16),
                   ("n_eos", c.c_uint32)]
                + [(name, c.c_double) for name in ("temperature", "top_p", "min_p")]
                + [("top_k", c.c_uint32)])


class StepItem(c.Structure):
    _fields_ = [("session", c.c_void_p), ("tokens", c.POINTER(c.c_int32)), ("n_tokens", c.c_uint32),
                ("rows", c.c_int), ("row", c.POINTER(c.c_uint32)), ("n_row", c.c_uint32),
                ("logits", c.POINTER(c.c_float)), ("hidden", c.POINTER(c.c_float))]


PRECISION_EXACT = 0
ROWS_LAST, ROWS_ALL = 1, 2

lib = c.CDLL(os.environ.get("LIBGLM", "libglm.so"))
lib.glm_version.restype = c.c_char_p
lib.glm_model_params_default.restype = ModelParams
lib.glm_engine_params_default.restype = EngineParams
lib.glm_model_open.argtypes = [c.POINTER(c.c_void_p), c.c_char_p, c.POINTER(ModelParams),
                               c.POINTER(Error)]
lib.glm_model_get_info.argtypes = [c.c_void_p, c.POINTER(ModelInfo)]
lib.glm_model_get_info.restype = None
lib.glm_engine_create.argtypes = [c.POINTER(c.c_void_p), c.c_void_p, c.POINTER(EngineParams),
                                  c.POINTER(Error)]
lib.glm_session_open.argtypes = [c.POINTER(c.c_void_p), c.c_void_p, c.POINTER(Error)]
lib.glm_step.argtypes = [c.c_void_p, c.POINTER(StepItem), c.c_size_t, c.POINTER(Error)]
for _name in ("glm_model_close", "glm_engine_destroy", "glm_session_close"):
    getattr(lib, _name).argtypes = [c.c_void_p]
    getattr(lib, _name).restype = None


def check(status, err):
    if status != 0:
        hint = err.hint.decode("utf-8", "replace")
        raise GlmError(err.text.decode("utf-8", "replace") + (f" ({hint})" if hint else ""))


class Model:
    """A model with one engine and one session. Use it as a context manager."""

    def __init__(self, path, latent_eps=0.0):
        self.model, self.engine, self.session = c.c_void_p(), c.c_void_p(), c.c_void_p()
        err = Error()
        params = lib.glm_model_params_default()
        params.latent_eps = latent_eps
        check(lib.glm_model_open(c.byref(self.model), os.fsencode(path), c.byref(params), c.byref(err)), err)
        try:
            engine_params = lib.glm_engine_params_default()
            engine_params.precision = PRECISION_EXACT
            check(lib.glm_engine_create(c.byref(self.engine), self.model, c.byref(engine_params),
                                        c.byref(err)), err)
            check(lib.glm_session_open(c.byref(self.session), self.engine, c.byref(err)), err)
        except GlmError:
            self.close()
            raise
        self.info = ModelInfo()
        lib.glm_model_get_info(self.model, c.byref(self.info))

    def close(self):
        lib.glm_session_close(self.session)
        lib.glm_engine_destroy(self.engine)
        lib.glm_model_close(self.model)
        self.model, self.engine, self.session = c.c_void_p(), c.c_void_p(), c.c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def step(self, ids, all_rows=False):
        """Append ids to the session; the logits of the last one, or of each, as lists of floats."""
        n_rows, width = (len(ids) if all_rows else 1), self.info.n_vocab
        logits = (c.c_float * (n_rows * width))()
        item = StepItem(session=self.session, tokens=(c.c_int32 * len(ids))(*ids), n_tokens=len(ids),
                        rows=ROWS_ALL if all_rows else ROWS_LAST,
                        logits=c.cast(logits, c.POINTER(c.c_float)))
        err = Error()
        check(lib.glm_step(self.engine, c.byref(item), 1, c.byref(err)), err)
        return [logits[r * width:(r + 1) * width] for r in range(n_rows)]

    def greedy(self, ids, count):
        """The `count` ids that follow, the most probable one each time."""
        out = []
        for _ in range(count):
            row = self.step(ids)[0][:self.info.n_token or self.info.n_vocab]
            ids = [row.index(max(row))]
            out += ids
        return out

    def logprobs(self, ids):
        """Natural log-probability of ids[1:], each given those before it."""
        out = []
        for row, following in zip(self.step(ids, all_rows=True), ids[1:]):
            top = max(row)
            out.append(row[following] - top - math.log(sum(math.exp(x - top) for x in row)))
        return out


def main(argv):
    try:
        if len(argv) > 3 and argv[1] == "--score":
            with Model(argv[2]) as model:
                for i, logprob in zip(argv[4:], model.logprobs([int(a) for a in argv[3:]])):
                    print(f"{i} {logprob:.6f}")
        elif len(argv) > 3:
            with Model(argv[1]) as model:
                print(*model.greedy([int(a) for a in argv[3:]], int(argv[2])))
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except GlmError as error:
        print(f"glm.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
