"""Table 1 of the paper: three tokenizations of AACTCAACGATC."""

import json
from itertools import product

import pytest
import transformers

from study.errors import InputError
from study.models import inspect_backbone
from study.models.tokenization import load_tokenizer


def _info(folder):
    return inspect_backbone(str(folder))


def _words(tokenizer, sequence):
    names = {index: word for word, index in tokenizer.vocab.items()}
    return [names[index] for index in tokenizer.split([sequence])[0]]


@pytest.mark.parametrize("family", ["opt", "bert", "esm", "mosaicbert", "gated_esm"])
@pytest.mark.parametrize("file", ["vocab.txt", "tokenizer.json"])
def test_single_nucleotides(checkpoint, family, file):
    import tokenizers

    folder = checkpoint(family)
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    special = ["<unk>", "<pad>", "</s>", "<cls>", "[UNK]", "[PAD]", "[CLS]", "[SEP]"]
    vocab = {word: index for index, word in enumerate([*special, *"ACGTN"])}
    if file == "vocab.txt":
        (folder / file).write_text("\n".join(vocab) + "\n")
    else:
        model = tokenizers.models.WordPiece(vocab, unk_token="[UNK]")
        tokenizers.Tokenizer(model).save(str(folder / file))
    tokenizer = load_tokenizer(_info(folder))
    assert tokenizer.scheme == "single nucleotides"
    assert _words(tokenizer, "AACTCAACGATC") == list("AACTCAACGATC")
    assert _words(tokenizer, "GATN") == list("GATN")
    around = {"opt": ([2], []), "bert": ([6], [7]), "esm": ([3], [])}[_info(folder).base]
    assert tokenizer(["AC"]) == [[*around[0], vocab["A"], vocab["C"], *around[1]]]
    with pytest.raises(InputError, match="but got unknown tokens"):
        tokenizer(["ACX"])


def test_overlapping_kmers(checkpoint):
    folder = checkpoint("bert")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *map("".join, product("ACGT", repeat=6)),
    ]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": len(words)}))
    expected = ["AACTCA", "ACTCAA", "CTCAAC", "TCAACG", "CAACGA", "AACGAT", "ACGATC"]
    assert _words(load_tokenizer(_info(folder)), "AACTCAACGATC") == expected


def test_adjacent_kmers_of_nucleotide_transformer(checkpoint):
    folder = checkpoint("esm")
    words = ["<unk>", "<pad>", "<mask>", "<cls>", *map("".join, product("ACGT", repeat=6))]
    words += "ATCGN"
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": len(words)}))
    tokenizer = load_tokenizer(_info(folder))
    assert _words(tokenizer, "AACTCAACGATC") == ["AACTCA", "ACGATC"]
    assert _words(tokenizer, "AACTCANACGAT") == ["AACTCA", "N", *"ACGAT"]
    assert tokenizer(["AACTCAACGATC"]) == [[3, words.index("AACTCA"), words.index("ACGATC")]]


def test_byte_pairs_of_dnabert_2_are_between_cls_and_sep(checkpoint, random_dna):
    folder = checkpoint("mosaicbert")
    reference = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    sequences = random_dna(20, 100)
    inner = reference(sequences, add_special_tokens=False)["input_ids"]
    assert load_tokenizer(_info(folder))(sequences) == [[1, *ids, 2] for ids in inner]
    assert len(inner[0]) < 80


def test_byte_pairs_of_opt(checkpoint):
    folder = checkpoint("opt")
    (folder / "tokenizer.json").unlink()
    words = ["<s>", "<pad>", "</s>", "<unk>", *"ACGT", "AA", "AAC", "TC", "GA"]
    vocab = {word: index for index, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    (folder / "merges.txt").write_text("#version: 0.2\nA A\nAA C\nT C\nG A\n")
    expected = ["AAC", "TC", "AAC", "GA", "TC"]
    tokenizer = load_tokenizer(_info(folder))
    assert tokenizer.scheme == "byte-level BPE"
    assert _words(tokenizer, "AACTCAACGATC") == expected
    assert tokenizer(["AACTCAACGATC"]) == [[2, *(vocab[word] for word in expected)]]
