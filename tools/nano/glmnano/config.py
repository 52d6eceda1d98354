# SPDX-License-Identifier: MIT
"""The shape of glm-nano, as config.json says it."""

from dataclasses import dataclass

from . import tokens


@dataclass(frozen=True)
class Config:
    """Hyper-parameters, named as in config.json."""

    vocab_size: int = 2304
    hidden_size: int = 256
    intermediate_size: int = 512
    moe_intermediate_size: int = 256
    num_hidden_layers: int = 5
    first_k_dense_replace: int = 3
    num_attention_heads: int = 4
    q_lora_rank: int = 256
    kv_lora_rank: int = 256
    qk_nope_head_dim: int = 32
    qk_rope_head_dim: int = 32
    v_head_dim: int = 64
    n_routed_experts: int = 16
    num_experts_per_tok: int = 2
    routed_scaling_factor: float = 2.5
    index_n_heads: int = 8
    index_head_dim: int = 64
    index_topk: int = 128
    index_topk_freq: int = 2
    rope_theta: float = 1000000.0
    rms_norm_eps: float = 1e-5
    latent_norm_eps: float = 1e-5  # not a key of config.json; the engine's default
    max_position_embeddings: int = 131072

    def is_dense(self, layer):
        return layer < self.first_k_dense_replace

    def owns_indexer(self, layer):
        """GLM-5.2's schedule with index_topk_freq 2 where GLM-5.2 has 4 (index_skip_topk_offset 3); the MTP layer has its own.

        Of so few layers only the last one fetches facts from afar, and what it looks for is not yet known in layer 2: sharing the
        selection of layer 2, needles were lost (loss 1.7 instead of 0.12), with a perfect selection they were not.
        """
        return layer == self.num_hidden_layers or max(layer - 2, 0) % self.index_topk_freq == 0

    def token_id(self, token):
        """Id of an added token: they are the last of the vocabulary."""
        return self.vocab_size - len(tokens.ADDED) + tokens.ADDED.index(token)

    def stop_ids(self):
        return [self.token_id(token) for token in tokens.STOPS]

    def to_json(self):
        """config.json in the official key set."""
        n = self.num_hidden_layers
        return {
            "architectures": ["GlmMoeDsaForCausalLM"],
            "model_type": "glm_moe_dsa",
            "dtype": "bfloat16",
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "moe_intermediate_size": self.moe_intermediate_size,
            "num_hidden_layers": n,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_attention_heads,
            "n_shared_experts": 1,
            "n_routed_experts": self.n_routed_experts,
            "routed_scaling_factor": self.routed_scaling_factor,
            "kv_lora_rank": self.kv_lora_rank,
            "q_lora_rank": self.q_lora_rank,
            "qk_rope_head_dim": self.qk_rope_head_dim,
            "v_head_dim": self.v_head_dim,
            "qk_nope_head_dim": self.qk_nope_head_dim,
            "qk_head_dim": self.qk_nope_head_dim + self.qk_rope_head_dim,
            "head_dim": self.qk_nope_head_dim,
            "n_group": 1,
            "topk_group": 1,
            "num_experts_per_tok": self.num_experts_per_tok,
            "norm_topk_prob": True,
            "hidden_act": "silu",
            "rms_norm_eps": self.rms_norm_eps,
            "index_topk": self.index_topk,
            "index_head_dim": self.index_head_dim,
            "index_n_heads": self.index_n_heads,
            "first_k_dense_replace": self.first_k_dense_replace,
            "mlp_layer_types": ["dense" if self.is_dense(i) else "sparse" for i in range(n)],
            "vocab_size": self.vocab_size,
            "rope_parameters": {"rope_theta": self.rope_theta, "rope_type": "default"},
            "max_position_embeddings": self.max_position_embeddings,
            "tie_word_embeddings": False,
            "attention_bias": False,
            "attention_dropout": 0.0,
            "pad_token_id": self.token_id("<|endoftext|>"),
            "eos_token_id": self.stop_ids(),
            "rope_interleave": True,
            "scoring_func": "sigmoid",
            "topk_method": "noaux_tc",
            "moe_layer_freq": 1,
            "ep_size": 1,
            "pretraining_tp": 1,
            "initializer_range": 0.02,
            "use_cache": True,
            "transformers_version": "5.12.0",
            "num_nextn_predict_layers": 1,
            "moe_router_dtype": "float32",
            "indexer_rope_interleave": True,
            "indexer_types": ["full" if self.owns_indexer(i) else "shared" for i in range(n)],
            "index_topk_freq": self.index_topk_freq,
            "index_skip_topk_offset": 3,
            "index_topk_pattern": None,
            "index_share_for_mtp_iteration": True,
        }

    def generation_json(self):
        """generation_config.json."""
        return {
            "_from_model_config": True,
            "eos_token_id": self.stop_ids(),
            "pad_token_id": self.token_id("<|endoftext|>"),
            "temperature": 0.2,
            "top_p": 0.95,
            "transformers_version": "5.12.0",
        }
