"""AutoTokenizer reads the files of an exported model as the study read its sequences."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file
from transformers import AutoTokenizer

from study.models import inspect_backbone
from study.models.exported_tokenizer import write_tokenizer
from study.models.families import PRETRAINED
from study.models.tokenization import load_tokenizer

DNA = "TTGACCATGACGGATTACAGGCT"


def _exported(folder: Path, out: Path) -> str:
    out.mkdir()
    for name in ("config.json", "model.safetensors"):
        (out / name).write_bytes((folder / name).read_bytes())
    return write_tokenizer(inspect_backbone(str(folder)), out)


@pytest.mark.parametrize("family", PRETRAINED)
def test_auto_tokenizer_reads_the_exported_files_as_the_study_did(
    checkpoint: Callable[..., Path], tmp_path: Path, family: str
) -> None:
    folder, out = checkpoint(family), tmp_path / "out"
    [expected] = load_tokenizer(inspect_backbone(str(folder)))([DNA])
    remark = _exported(folder, out)
    text = DNA
    if family == "bert":
        assert remark.startswith("AutoTokenizer reads overlapping 3-mers with spaces between (ACG")
        text = " ".join(DNA[i : i + 3] for i in range(len(DNA) - 2))
    else:
        assert remark == ""
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer(text)["input_ids"] == expected
    assert tokenizer.pad_token_id == load_tokenizer(inspect_backbone(str(folder))).pad_id
    assert load_tokenizer(inspect_backbone(str(out)))([DNA]) == [expected]


def test_files_that_read_alike_are_copied_as_they_are(
    checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    folder, out = checkpoint("opt"), tmp_path / "out"
    assert _exported(folder, out) == ""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (out / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("family", ["bert", "esm"])
def test_single_nucleotides_are_read_from_plain_dna(
    checkpoint: Callable[..., Path], tmp_path: Path, family: str
) -> None:
    folder, out = checkpoint(family), tmp_path / "out"
    special = {"bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]"], "esm": ["<cls>", "<pad>", "<unk>"]}
    (folder / "vocab.txt").write_text("\n".join([*special[family], *"ACGTN"]) + "\n")
    assert _exported(folder, out) == ""
    [expected] = load_tokenizer(inspect_backbone(str(folder)))([DNA])
    assert AutoTokenizer.from_pretrained(out)(DNA)["input_ids"] == expected


def test_a_tokenizer_that_cannot_be_written_is_said(
    checkpoint: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.models.exported_tokenizer._read", lambda folder, text: "no reason")
    remark = _exported(checkpoint("esm"), tmp_path / "out")
    assert remark == (
        "AutoTokenizer does not read DNA as the study did (no reason); give the model token ids"
    )
    assert load_file(tmp_path / "out" / "model.safetensors")
    assert json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())["pad_token"]
