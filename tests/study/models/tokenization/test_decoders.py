"""Tokenizers of LLaMA-shaped DNA models: special tokens, k-mers with a short end, Carbon."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from tokenizers import Regex, models, pre_tokenizers, processors
from transformers import AutoTokenizer

from study.errors import InputError
from study.models import inspect_backbone, load_backbone
from study.models.exported_tokenizer import write_tokenizer
from study.models.tokenization import Tokenizer, load_tokenizer

Checkpoint = Callable[..., Path]
SPECIAL = ("<unk>", "<s>", "</s>")


def _tokenizer(folder: Path) -> Tokenizer:
    return load_tokenizer(inspect_backbone(str(folder)))


def _change(folder: Path, name: str = "config.json", **values: Any) -> None:
    content = json.loads((folder / name).read_text()) | values
    (folder / name).write_text(json.dumps(content))


def _write(folder: Path, words: tuple[str, ...], around: str) -> tokenizers.Tokenizer:
    """A tokenizer.json of words: the longest from the left."""
    vocab = {word: index for index, word in enumerate(words)}
    inner = tokenizers.Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    k = max(len(word) for word in words if "<" not in word)
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(f".{{1,{k}}}"), "isolated")
    if around != "$A":
        named = [(token, vocab[token]) for token in SPECIAL[1:]]
        inner.post_processor = processors.TemplateProcessing(single=around, special_tokens=named)
    inner.save(str(folder / "tokenizer.json"))
    return inner


@pytest.mark.parametrize("around", ["$A", "<s> $A", "$A </s>", "<s> $A </s>"])
@pytest.mark.parametrize("k", [1, 2])
def test_what_tokenizer_json_adds_is_added(checkpoint: Checkpoint, around: str, k: int) -> None:
    folder = checkpoint("llama")
    words = (*SPECIAL, *map("".join, product("ACGT", repeat=k)))
    _change(folder, vocab_size=len(words), pad_token_id=0)
    reference = _write(folder, words, around)
    found = _tokenizer(folder)
    assert found(["ACGT", "GG"]) == [reference.encode(s).ids for s in ("ACGT", "GG")]
    assert found.cut(found(["ACGTAC"])[0], 3)[-1:] == (
        [2] if "</s>" in around else found(["ACGTAC"])[0][2:3]
    )
    with pytest.raises(InputError, match="unknown tokens"):
        found(["ACNT"])


def test_byte_pairs_are_those_of_the_file(
    checkpoint: Checkpoint, random_dna: Callable[..., list[str]]
) -> None:
    folder = checkpoint("llama")
    inner = tokenizers.Tokenizer(models.BPE(unk_token="<unk>"))
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=40, special_tokens=list(SPECIAL), show_progress=False
    )
    inner.train_from_iterator(random_dna(50, 200), trainer)
    inner.save(str(folder / "tokenizer.json"))
    _change(folder, vocab_size=40)
    sequences = random_dna(5, 60, seed=1)
    assert _tokenizer(folder)(sequences) == [inner.encode(s).ids for s in sequences]
    assert _tokenizer(folder).scheme == "BPE"


def test_padding_is_not_the_token_at_the_end_of_a_row(checkpoint: Checkpoint) -> None:
    folder = checkpoint("llama")
    _write(folder, (*SPECIAL, *"ACGT"), "<s> $A </s>")
    _change(folder, pad_token_id=None, eos_token_id=[2])
    backbone = load_backbone(inspect_backbone(str(folder)), num_labels=2, dtype="float32")
    assert backbone.tokenizer.pad_id == backbone.model.config.pad_token_id == 0
    rows = [torch.tensor(row) for row in backbone.tokenizer(["ACGTACG", "CA"])]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    with torch.no_grad():
        together = backbone.model(input_ids=ids).logits
        alone = torch.cat([backbone.model(input_ids=row[None]).logits for row in rows])
    torch.testing.assert_close(together, alone)


def test_a_decoder_without_a_padding_token_pads_with_eos(checkpoint: Checkpoint) -> None:
    folder = checkpoint("llama")
    _write(folder, (*SPECIAL, *"ACGT"), "$A")
    _change(folder, pad_token_id=None)
    assert _tokenizer(folder).pad_id == 2
    _change(folder, eos_token_id=None)
    with pytest.raises(InputError, match="a padding token must be known"):
        _tokenizer(folder)


@pytest.mark.parametrize("adds", [None, True, False])
@pytest.mark.parametrize("numbered", [False, True])
def test_k_mers_of_a_vocab_txt_are_adjacent_and_the_last_is_filled_up(
    checkpoint: Checkpoint, numbered: bool, adds: bool | None
) -> None:
    folder = checkpoint("llama")
    (folder / "tokenizer.json").unlink()
    words = ["<oov>", "<s>", "</s>", "<pad>", *map("".join, product("ATCG", repeat=3))]
    lines = [f"{word} {index}" if numbered else word for index, word in enumerate(words)]
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n")
    settings = {} if adds is None else {"add_bos_token": adds}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    _change(folder, vocab_size=len(words))
    found = _tokenizer(folder)
    bos = [] if adds is False else [1]
    assert found.scheme == "non-overlapping 3-mers"
    assert found(["ACGTACG"]) == [[*bos, *(words.index(w) for w in ("ACG", "TAC", "GAA"))]]
    assert (found.pad_id, found.unknown_id) == (3, 0)
    with pytest.raises(InputError, match="unknown tokens"):
        found(["ACGNAC"])


@pytest.mark.parametrize("text", ["A 0\nC", "A 0\nC 2\n", "A 0\nC\nG 2\n"])
def test_a_vocab_txt_with_other_ids_is_refused(checkpoint: Checkpoint, text: str) -> None:
    folder = checkpoint("llama")
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text(text)
    with pytest.raises(InputError, match=r"vocab\.txt must have the ids 0, 1, 2 and so on"):
        _tokenizer(folder)


def _carbon(folder: Path, **changes: Any) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    special = ["<dna>", "</dna>", "<oov>"]
    values = {"k": 3, "dna_start_id": 20, "dna_special_tokens": special, "auto_dna_tags": False}
    (folder / "dna_config.json").write_text(json.dumps(values | changes))
    _change(folder, vocab_size=20 + 3 + 64, pad_token_id=None, bos_token_id=None)


def test_the_k_mers_of_carbon_follow_its_tokens_of_text(checkpoint: Checkpoint) -> None:
    folder = checkpoint("llama")
    _carbon(folder)
    found = _tokenizer(folder)
    assert found(["AAAATACCC", "GG"]) == [[20, 23, 23 + 16 * 0 + 4 * 1, 23 + 42], [20, 23 + 60]]
    assert (found.scheme, found.pad_id) == ("non-overlapping 3-mers", 2)
    with pytest.raises(InputError, match="unknown tokens"):
        found(["AANA"])


@pytest.mark.parametrize(
    "changes", [{"k": 0}, {"k": "x"}, {"dna_special_tokens": []}, {"dna_start_id": -1}]
)
def test_a_damaged_dna_config_is_refused(checkpoint: Checkpoint, changes: dict[str, Any]) -> None:
    folder = checkpoint("llama")
    _carbon(folder, **changes)
    with pytest.raises(InputError, match=r"dna_config\.json must have k, dna_start_id and"):
        _tokenizer(folder)


def test_an_exported_tokenizer_has_the_padding_token_and_says_what_it_cannot_do(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder = checkpoint("llama")
    _write(folder, (*SPECIAL, *"ACGT"), "<s> $A")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    _change(folder, pad_token_id=None)
    out = tmp_path / "out"
    out.mkdir()
    assert write_tokenizer(inspect_backbone(str(folder)), out) == ""
    (out / "config.json").write_bytes((folder / "config.json").read_bytes())
    assert AutoTokenizer.from_pretrained(out).pad_token_id == 2
    _carbon(folder)
    remark = write_tokenizer(inspect_backbone(str(folder)), out)
    assert remark.startswith("AutoTokenizer reads sequences whose length is a multiple of 3")
    (out / "config.json").write_bytes((folder / "config.json").read_bytes())
    read = AutoTokenizer.from_pretrained(out)
    assert read("ACGTAC")["input_ids"] == _tokenizer(folder)(["ACGTAC"])[0]
