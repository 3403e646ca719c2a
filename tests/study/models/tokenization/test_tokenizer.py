import json
from itertools import product
from pathlib import Path

import pytest
import transformers

from study.errors import InputError
from study.models import inspect_backbone, token_lengths
from study.models.tokenization import load_tokenizer

KMERS = ["".join(letters) for letters in product("ACGT", repeat=3)]
SHARED = Path("../shared/tokenizers")


def _info(folder):
    return inspect_backbone(str(folder))


def test_bert_reads_overlapping_kmers_between_cls_and_sep(checkpoint):
    rows = load_tokenizer(_info(checkpoint("bert")))(["ACGTA"])
    assert rows == [[2, *(5 + KMERS.index(k) for k in ("ACG", "CGT", "GTA")), 3]]


def test_esm_reads_adjacent_kmers_and_single_letters_where_none_fits(checkpoint):
    words = {word: 4 + i for i, word in enumerate([*KMERS, *"ACGTN"])}
    rows = load_tokenizer(_info(checkpoint("esm")))(["ACGTANCGTAA"])
    assert rows == [[3, *(words[w] for w in ("ACG", "T", "A", "N", "CGT", "A", "A"))]]


def test_opt_reads_byte_pairs_after_its_bos_token(checkpoint, random_dna):
    folder = checkpoint("opt")
    sequences = random_dna(20, 100)
    reference = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    rows = load_tokenizer(_info(folder))(sequences)
    assert rows == reference(sequences)["input_ids"]
    assert {row[0] for row in rows} == {2}
    assert all(2 not in row[1:] for row in rows)


def test_esm_rows_are_those_of_the_tokenizer_class(checkpoint, random_dna):
    folder = checkpoint("esm")
    reference = transformers.EsmTokenizer(str(folder / "vocab.txt"), eos_token=None)
    sequences = [*random_dna(20, 50), *(s[:20] + "N" + s[21:] for s in random_dna(20, 41, 1))]
    assert load_tokenizer(_info(folder))(sequences) == reference(sequences)["input_ids"]


def test_bert_rows_are_those_of_the_tokenizer_class_fed_with_kmers(checkpoint, random_dna):
    folder = checkpoint("bert")
    reference = transformers.BertTokenizer(str(folder / "vocab.txt"), do_lower_case=False)
    sequences = random_dna(20, 50)
    words = [" ".join(s[i : i + 3] for i in range(48)) for s in sequences]
    assert load_tokenizer(_info(folder))(sequences) == reference(words)["input_ids"]


def test_esm_ends_rows_with_the_eos_token_that_its_config_names(checkpoint):
    folder = checkpoint("esm")
    with (folder / "vocab.txt").open("a") as handle:
        handle.write("<eos>\n")
    config = (folder / "config.json").read_text().replace('"vocab_size": 73', '"vocab_size": 74')
    (folder / "config.json").write_text(config)
    assert load_tokenizer(_info(folder))(["ACG"])[0][-1] != 73
    (folder / "tokenizer_config.json").write_text('{"eos_token": "<eos>"}')
    assert load_tokenizer(_info(folder))(["ACG"])[0][-1] == 73


@pytest.mark.parametrize("family", ["opt", "bert", "esm", "mosaicbert", "gated_esm"])
def test_token_lengths_are_the_lengths_of_the_rows(checkpoint, family, random_dna):
    info = _info(checkpoint(family))
    sequences = [s[: 30 + i] for i, s in enumerate(random_dna(20, 50))]
    assert token_lengths(info, sequences) == [len(row) for row in load_tokenizer(info)(sequences)]


def test_the_padding_token_of_the_vocabulary_takes_precedence(checkpoint):
    folder = checkpoint("mosaicbert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "pad_token_id": 0}))
    tokenizer = load_tokenizer(_info(folder))
    assert (tokenizer.pad_id, tokenizer.unknown_id) == (tokenizer.vocab["[PAD]"], 0)


@pytest.mark.parametrize(("family", "closing"), [("opt", []), ("bert", [3]), ("esm", [])])
def test_a_cut_row_keeps_its_special_tokens(checkpoint, family, closing, random_dna):
    tokenizer = load_tokenizer(_info(checkpoint(family)))
    (row,) = tokenizer(random_dna(1, 50))
    assert tokenizer.cut(row, 10) == row[: 10 - len(closing)] + closing
    assert tokenizer.cut(row, len(row)) == row


@pytest.mark.parametrize(
    ("family", "sequence"),
    [
        ("bert", "ACGNACG"),
        ("bert", "acgtacg"),
        ("esm", "ACGXACG"),
        ("opt", "ACXG"),
    ],
)
def test_unknown_tokens_are_refused_with_the_row(checkpoint, family, sequence):
    tokenizer = load_tokenizer(_info(checkpoint(family)))
    with pytest.raises(InputError, match=r"sequence 2 of 2 .* but got unknown tokens"):
        tokenizer(["ACGTACGT", sequence])


def test_the_share_of_unknown_tokens_is_reported(checkpoint):
    tokenizer = load_tokenizer(_info(checkpoint("esm")))
    # ACG X, ACG T, ACG X ACG A
    with pytest.raises(InputError, match=r"sequence 1 of 3 .* \(25\.00% of all, in 2 of 3 seq"):
        tokenizer(["ACGX", "ACGT", "ACGXACGA"])


def test_unknown_tokens_are_refused_without_an_unknown_token_in_the_vocabulary(checkpoint):
    folder = checkpoint("esm")
    text = (folder / "vocab.txt").read_text().replace("<unk>", "<gap>")
    (folder / "vocab.txt").write_text(text)
    with pytest.raises(InputError, match=r"sequence 1 of 1 .* but got unknown tokens"):
        load_tokenizer(_info(folder))(["ACGX"])


def test_a_sequence_shorter_than_a_word_is_refused(checkpoint):
    tokenizer = load_tokenizer(_info(checkpoint("bert")))
    with pytest.raises(InputError, match=r"sequence 2 of 2 \(AC…\): every sequence must have"):
        tokenizer(["ACGTACGT", "AC"])


def test_letters_that_a_tokenizer_would_drop_are_refused(checkpoint):
    import tokenizers

    folder = checkpoint("opt")
    silent = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab={"A": 4, "C": 5, "AC": 6}, merges=[("A", "C")])
    )
    silent.save(str(folder / "tokenizer.json"))
    assert load_tokenizer(_info(folder))(["ACA"]) == [[2, 6, 4]]
    with pytest.raises(InputError, match=r"every letter .* but got \['G'\]"):
        load_tokenizer(_info(folder))(["ACGA"])


def test_a_bert_tokenizer_json_of_kmers_is_fed_with_kmers(checkpoint):
    import tokenizers

    folder = checkpoint("bert")
    (expected,) = load_tokenizer(_info(folder))(["ACGTACGA"])
    words = (folder / "vocab.txt").read_text().split()
    vocab = {word: i for i, word in enumerate(words)}
    model = tokenizers.models.WordPiece(vocab, unk_token="[UNK]")
    tokenizers.Tokenizer(model).save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").unlink()
    assert load_tokenizer(_info(folder))(["ACGTACGA"]) == [expected]


def test_a_folder_without_tokenizer_files_is_refused(checkpoint):
    folder = checkpoint("opt")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"must contain tokenizer\.json, or vocab\.json"):
        token_lengths(_info(folder), ["ACGT"])


def test_an_unreadable_tokenizer_is_refused(checkpoint):
    folder = checkpoint("opt")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="tokenizer files must be readable"):
        token_lengths(_info(folder), ["ACGT"])


def test_a_vocabulary_larger_than_the_embedding_is_refused(checkpoint):
    folder = checkpoint("bert")
    with (folder / "vocab.txt").open("a") as handle:
        handle.write("EXTRA\n")
    with pytest.raises(InputError, match="token ids must be below vocab_size 69"):
        token_lengths(_info(folder), ["ACGT"])


def test_a_vocabulary_and_a_config_without_a_padding_token_are_refused(checkpoint):
    folder = checkpoint("opt")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = []
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["padding"] = vocabulary.pop("<pad>")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"pad_token_id": 1}))
    assert load_tokenizer(_info(folder)).pad_id == 1
    (folder / "config.json").write_text(json.dumps(config | {"pad_token_id": None}))
    with pytest.raises(InputError, match="a padding token must be known, but got no pad_token_id"):
        load_tokenizer(_info(folder))


def test_a_bert_vocabulary_without_cls_is_refused(checkpoint):
    folder = checkpoint("bert")
    text = (folder / "vocab.txt").read_text().replace("[CLS]", "[FOO]")
    (folder / "vocab.txt").write_text(text)
    with pytest.raises(InputError, match=r"must contain \[CLS\]"):
        token_lengths(_info(folder), ["ACGT"])


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of real tokenizers is absent")
@pytest.mark.parametrize(
    ("family", "files", "length"),
    [
        ("opt", {"gpt2/vocab.json": "vocab.json", "gpt2/merges.txt": "merges.txt"}, (140, 180)),
        ("bert", {"dnabert6/vocab.txt": "vocab.txt"}, (297, 297)),
        ("bert", {"dnabert2/tokenizer.json": "tokenizer.json"}, (55, 75)),
        ("esm", {"nt/vocab_v1.txt": "vocab.txt"}, (51, 51)),
    ],
)
def test_real_vocabularies_give_the_known_token_counts_of_300_bases(
    checkpoint, family, files, length, random_dna
):
    folder = checkpoint(family)
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    for source, target in files.items():
        (folder / target).write_bytes((SHARED / source).read_bytes())
    config = (folder / "config.json").read_text()
    for size in ("32", "69", "73"):
        config = config.replace(f'"vocab_size": {size}', '"vocab_size": 60000')
    (folder / "config.json").write_text(config)
    counts = token_lengths(_info(folder), random_dna(30, 300))
    assert length[0] <= min(counts) <= max(counts) <= length[1]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of real tokenizers is absent")
def test_the_byte_pairs_of_vocab_and_merges_are_those_of_the_tokenizer_class(
    checkpoint, random_dna
):
    folder = checkpoint("opt")
    (folder / "tokenizer.json").unlink()
    for name in ("vocab.json", "merges.txt"):
        (folder / name).write_bytes((SHARED / "gpt2" / name).read_bytes())
    config = (
        (folder / "config.json").read_text().replace('"vocab_size": 32', '"vocab_size": 60000')
    )
    (folder / "config.json").write_text(config)
    reference = transformers.GPT2Tokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), add_bos_token=False
    )
    sequences = random_dna(20, 200)
    rows = load_tokenizer(_info(folder))(sequences)
    assert rows == [[2, *ids] for ids in reference(sequences)["input_ids"]]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of real tokenizers is absent")
@pytest.mark.parametrize(
    ("name", "family", "padding"), [("dnabert2", "mosaicbert", 3), ("dnabert6", "bert", 0)]
)
def test_real_configs_determine_family_and_padding(tmp_path, name, family, padding, random_dna):
    for file in (SHARED / name).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "pytorch_model.bin").touch()
    info = _info(tmp_path)
    assert (info.family, info.layers, info.hidden_size) == (family, 12, 768)
    tokenizer = load_tokenizer(info)
    assert tokenizer.pad_id == padding == tokenizer.vocab["[PAD]"]
    assert all(tokenizer.unknown_id not in row for row in tokenizer(random_dna(20, 300)))
