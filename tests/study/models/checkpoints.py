"""Small random checkpoints of all families, with tokenizers."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
import transformers
from safetensors.torch import load_file

from study.models.architectures.gated_esm import GatedEsmConfig, GatedEsmForSequenceClassification
from study.models.architectures.mosaicbert import (
    MosaicBertConfig,
    MosaicBertForSequenceClassification,
)
from study.models.pretraining.bpe import save_tokenizer, train_tokenizer

KMERS = ["".join(letters) for letters in product("ACGT", repeat=3)]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def random_dna(count: int, length: int, seed: int = 0) -> list[str]:
    """Returns `count` random sequences of `length` bases."""
    generator = np.random.default_rng(seed)
    return ["".join(generator.choice(list("ACGT"), size=length)) for _ in range(count)]


def _opt(folder: Path) -> transformers.PreTrainedModel:
    save_tokenizer(train_tokenizer(random_dna(50, 200), 32, seed=0), folder, 64)
    return transformers.OPTForCausalLM(
        transformers.OPTConfig(
            vocab_size=32, ffn_dim=24, word_embed_proj_dim=16, max_position_embeddings=64, **SIZES
        )
    )


def _bert(folder: Path) -> transformers.PreTrainedModel:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *KMERS]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return transformers.BertForMaskedLM(
        transformers.BertConfig(
            vocab_size=len(words), intermediate_size=24, max_position_embeddings=64, **SIZES
        )
    )


def _esm(folder: Path) -> transformers.PreTrainedModel:
    words = ["<unk>", "<pad>", "<mask>", "<cls>", *KMERS, *"ACGTN"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return transformers.EsmForMaskedLM(
        transformers.EsmConfig(
            vocab_size=len(words),
            intermediate_size=24,
            max_position_embeddings=66,
            pad_token_id=1,
            mask_token_id=2,
            token_dropout=True,
            **SIZES,
        )
    )


def _mosaicbert(folder: Path) -> transformers.PreTrainedModel:
    """DNABERT-2; `_as_on_the_hub` changes what the checkpoint on the hub has otherwise."""
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="[UNK]"))
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=40, special_tokens=special, initial_alphabet=list("ACGTN"), show_progress=False
    )
    tokenizer.train_from_iterator(random_dna(50, 200), trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return MosaicBertForSequenceClassification(
        MosaicBertConfig(vocab_size=40, intermediate_size=24, pad_token_id=3, **SIZES)
    )


def _gated_esm(folder: Path) -> transformers.PreTrainedModel:
    words = ["<unk>", "<pad>", "<mask>", "<cls>", *KMERS, *"ATCGN"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return GatedEsmForSequenceClassification(
        GatedEsmConfig(
            vocab_size=len(words), intermediate_size=24, max_position_embeddings=66,
            pad_token_id=1, mask_token_id=2, position_embedding_type="rotary", **SIZES,
        )
    )  # fmt: skip


def _llama(folder: Path) -> transformers.PreTrainedModel:
    words = ["<unk>", "<s>", "</s>", "<pad>", *"ACGTN"]
    vocab = {word: index for index, word in enumerate(words)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex("."), "isolated")
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>"}
    settings |= {"pad_token": "<pad>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    config = transformers.LlamaConfig(
        vocab_size=len(words), intermediate_size=24, max_position_embeddings=64, head_dim=6,
        num_key_value_heads=1, pad_token_id=3, bos_token_id=1, eos_token_id=2, **SIZES,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


def _modernbert(folder: Path) -> transformers.PreTrainedModel:
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="[UNK]"))
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=40, special_tokens=special, initial_alphabet=list("ACGTN"), show_progress=False
    )
    tokenizer.train_from_iterator(random_dna(50, 200), trainer)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    config = transformers.ModernBertConfig(
        vocab_size=40, intermediate_size=24, max_position_embeddings=64, local_attention=8,
        pad_token_id=3, cls_token_id=1, bos_token_id=1, sep_token_id=2, eos_token_id=2,
        layer_types=["full_attention", "sliding_attention"], **SIZES,
    )  # fmt: skip
    return transformers.ModernBertForMaskedLM(config)


def _older_decoder(config: dict[str, Any], folder: Path) -> None:
    """GENERator: a LLaMA of transformers 4 with code of its own, and k-mers with their ids."""
    del config["rope_parameters"]
    config |= {"rope_theta": 500000.0, "rope_scaling": None, "pad_token_id": None}
    config |= {"architectures": ["GENERatorForCausalLM"]}
    config["auto_map"] = {"AutoModelForCausalLM": "modeling_generator.GENERatorForCausalLM"}
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    words = ["<oov>", "<s>", "</s>", "<pad>", *"ACGT"]
    (folder / "vocab.txt").write_text("".join(f"{w} {i}\n" for i, w in enumerate(words)))


def _as_on_the_hub(folder: Path, family: str) -> None:
    """Changes a checkpoint to what the hub has: its names, outputs of pre-training, a .bin."""
    config = json.loads((folder / "config.json").read_text())
    state = load_file(folder / "model.safetensors")
    if family == "mosaicbert":
        config |= {"alibi_starting_size": 512}
        del config["model_type"], config["architectures"]
        config["auto_map"] = {"AutoModel": "bert_layers.BertModel"}
        state = {k: v for k, v in state.items() if "pooler" not in k and "classifier" not in k}
        state["cls.predictions.decoder.weight"] = torch.zeros(40, 16)
    elif family == "llama":
        _older_decoder(config, folder)
        for layer in range(2):
            state[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(3)
    elif family == "modernbert":
        del config["rope_parameters"], config["layer_types"]
        config |= {"global_attn_every_n_layers": 2}
        config |= {"global_rope_theta": 5000.0, "local_rope_theta": 700.0}
    else:
        config |= {"model_type": "esm", "add_bias_fnn": False}
        config["auto_map"] = {"AutoModel": "modeling_esm.EsmModel"}
        state["lm_head.bias"] = torch.zeros(config["vocab_size"])
        for layer in range(2):
            name = f"esm.encoder.layer.{layer}.attention.self.rotary_embeddings.inv_freq"
            state[name] = state.get("esm.rotary_embeddings.inv_freq", torch.ones(4))
        state.pop("esm.rotary_embeddings.inv_freq", None)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")


_MAKERS = {
    "opt": _opt,
    "bert": _bert,
    "esm": _esm,
    "mosaicbert": _mosaicbert,
    "gated_esm": _gated_esm,
    "llama": _llama,
    "modernbert": _modernbert,
}


def write_checkpoint(
    folder: Path,
    family: str,
    dtype: torch.dtype = torch.float32,
    hub: bool = False,
    **options: Any,
) -> None:
    """Writes a checkpoint with two layers of width 16, and its tokenizer; always the same."""
    folder.mkdir()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = _MAKERS[family](folder)
    model.to(dtype).save_pretrained(folder, **options)
    if hub:
        _as_on_the_hub(folder, family)
