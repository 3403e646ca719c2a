"""Prepared tasks: tokens of both strands, and the reports on the data."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.engine.preparation import check_weights, check_weights_of_plan, prepare_data
from study.errors import InputError
from study.models.info import inspect_backbone
from study.models.tokenization import load_tokenizer
from study.spec import StudySpec, TaskSpec
from study.storage.events import StudyOpened
from study.storage.folder import StudyFolder
from study.storage.journal import Journal
from study.storage.stored import StoredStudy
from study.tasks import Split, Task, load_task
from study.tasks.split import reverse_complement
from study.training.encoding import EncodedSplit, EncodedTask, encode_task

SIZES = {"train": 30, "dev": 20, "test": 20}


def prepared(**task: Any) -> EncodedTask:
    values = {"task": SIZES | task, "training": {"steps": 10}, "adapter": {"method": "lora"}}
    return prepare_data(StudySpec.model_validate(values))[1]


def rows(split: EncodedSplit) -> list[list[int]]:
    return [split.row(i).tolist() for i in range(len(split))]


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("average", [False, True])
def test_the_other_strand_is_encoded_only_if_requested(augment: bool, average: bool) -> None:
    data = prepared(rc_augment=augment, rc_average=average)
    found = [getattr(data, name).reverse_complement is not None for name in SIZES]
    assert found == [augment, average, average]


def test_promoters_are_encoded_on_the_given_strand_by_default() -> None:
    data = prepared()
    assert [getattr(data, name).reverse_complement for name in SIZES] == [None] * 3


def test_the_other_strand_has_the_tokens_of_the_reverse_complements() -> None:
    data = prepared(rc_augment=True, rc_average=True)
    tokenizer = load_tokenizer(inspect_backbone("opt-dna-mini"))
    for name, split in load_task(TaskSpec(**SIZES)).splits():
        encoded = getattr(data, name)
        assert rows(encoded) == tokenizer(split.sequences)
        other = encoded.reverse_complement
        assert rows(other) == tokenizer([reverse_complement(s) for s in split.sequences])
        assert other.labels.tolist() == encoded.labels.tolist() == split.labels


def test_max_length_is_measured_on_all_strands_and_splits() -> None:
    data = prepared(rc_augment=True, rc_average=True)
    splits = [getattr(data, name) for name in SIZES]
    strands = [strand for split in splits for strand in (split, split.reverse_complement)]
    assert data.tokens.max_length == max(int(s.lengths.max()) for s in strands)
    assert data.tokens.measured
    assert list(data.tokens.splits) == [
        f"{name}{strand}" for name in SIZES for strand in ("", ", other strand")
    ]
    for split, counts in zip(strands, data.tokens.splits.values(), strict=True):
        assert counts.mean == pytest.approx(split.lengths.mean())
        assert counts.longest == split.lengths.max()
        assert counts.truncated == counts.unknown == 0.0


def test_a_given_max_length_cuts_both_strands_and_counts_the_cut_sequences(
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = prepared(rc_augment=True)
    limit = int(np.median(whole.train.lengths))
    data = prepared(rc_augment=True, max_length=limit)
    for before, after in (
        (whole.train, data.train),
        (whole.train.reverse_complement, data.train.reverse_complement),
    ):
        assert rows(after) == [row[:limit] for row in rows(before)]
    share = (whole.train.lengths > limit).mean()
    assert 0 < share < 1
    assert data.tokens.splits["train"].truncated == pytest.approx(share)
    assert data.tokens.splits["train"].longest == whole.train.lengths.max()
    assert (data.tokens.max_length, data.tokens.measured) == (limit, False)
    assert f"{share:.1%} of the train sequences have more than task.max_length = {limit}" in (
        capsys.readouterr().err
    )


def test_the_text_of_the_tokens_names_the_limit_and_its_source() -> None:
    lines = prepared().tokens.lines()
    assert lines[0].endswith("per sequence (the longest sequence), none unknown")
    assert [line.split(":")[0] for line in lines[1:]] == ["train", "dev", "test"]
    cut = prepared(max_length=20).tokens.lines()
    assert cut[0] == "at most 20 per sequence (task.max_length), none unknown"
    assert all(line.endswith("100.0% of the sequences truncated") for line in cut[1:])


def write_bert(folder: Path, k: int, positions: int) -> Path:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *map("".join, product("ACGT", repeat=k))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "config.json").write_text(
        '{"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 2,'
        f' "intermediate_size": 24, "vocab_size": {len(words)},'
        f' "max_position_embeddings": {positions}, "pad_token_id": 0}}'
    )
    (folder / "model.safetensors").touch()
    return folder


def write_task(folder: Path, **changes: str) -> Path:
    folder.mkdir()
    for name in SIZES:
        text = changes.get(name, "ACGTACGTA,0\nTTGACCATG,1\n")
        (folder / f"{name}.csv").write_text("sequence,label\n" + text)
    return folder


def test_unknown_tokens_name_the_split_the_row_and_their_share(tmp_path: Path) -> None:
    info = inspect_backbone(str(write_bert(tmp_path, 3, 64)))
    spec = TaskSpec(path=write_task(tmp_path / "t", dev="ACGTA,0\nACNTACG,1\n"), rc_average=True)
    message = (
        r"t, dev: sequence 2 of 2 \(ACNTACG…\): .* unknown tokens \(37\.50% of all, in 1 of 2"
    )
    with pytest.raises(InputError, match=message):
        encode_task(spec, info, load_task(spec))


def test_both_strands_must_fit_the_positions(tmp_path: Path) -> None:
    spec = TaskSpec(path=write_task(tmp_path / "t"))
    info = inspect_backbone(str(write_bert(tmp_path, 3, 9)))
    assert encode_task(spec, info, load_task(spec)).tokens.max_length == 9
    info = inspect_backbone(str(write_bert(tmp_path, 3, 8)))
    with pytest.raises(InputError, match=r"must fit the 8 positions of .* got up to 9 tokens"):
        encode_task(spec, info, load_task(spec))


def test_a_byte_pair_strand_longer_than_the_given_one_sets_the_limit() -> None:
    info = inspect_backbone("opt-dna-mini")
    tokenizer = load_tokenizer(info)
    task = load_task(TaskSpec(**SIZES))

    def difference(sequence: str) -> int:
        return len(tokenizer([reverse_complement(sequence)])[0]) - len(tokenizer([sequence])[0])

    sequence = max(task.train.sequences, key=difference)
    only = Split([sequence] * 2, [0, 1])
    task = Task("one", only, only, only, 2, [])
    plain = encode_task(TaskSpec(), info, task)
    for options in ({"rc_augment": True}, {"rc_average": True}):
        double = encode_task(TaskSpec(**options), info, task)
        assert double.tokens.max_length == plain.tokens.max_length + difference(sequence)
    assert difference(sequence) > 0


def test_the_reports_on_the_data_are_json() -> None:
    data = prepared(dedup="drop_from_train")
    reports = data.reports()
    assert reports["quality"] == data.quality.record()
    assert reports["tokens"]["splits"]["dev"]["longest"] == data.dev.lengths.max()
    assert reports["quality"]["dropped"] == {
        "in dev or test": 0, "with different labels": 0, "copies": 0,
    }  # fmt: skip
    assert EncodedTask("x", 2, 0, data.train, data.dev, data.test).reports() == {}


def opened(path: Path, **facts: Any) -> StoredStudy:
    """A study folder with the event of its start alone."""
    folder = StudyFolder(path)
    path.mkdir()
    Journal(folder.journal).append(StudyOpened(version=1, **facts))
    return StoredStudy.read(folder)


def test_a_study_is_resumed_with_the_weights_of_its_start(tmp_path: Path) -> None:
    spec = StudySpec.model_validate({"task": SIZES, "adapter": {"method": "lora"}})
    info, data = prepare_data(spec)
    info = check_weights(spec, info, data, opened(tmp_path / "older"))
    assert info.weights is not None
    check_weights(spec, info, data, opened(tmp_path / "same", backbone=info.weights))
    check_weights(spec, info, data, opened(tmp_path / "drawn", backbone=None))
    other = opened(tmp_path / "other", backbone="of others")
    with pytest.raises(InputError, match=r"must be resumed with the weights .* opt-dna-mini;"):
        check_weights(spec, info, data, other)
    drawn = spec.model_copy(
        update={"backbone": spec.backbone.model_copy(update={"weights": "random"})}
    )
    assert check_weights(drawn, info, data, other).weights is None


def test_a_plan_downloads_no_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    spec = StudySpec.model_validate({"task": SIZES, "adapter": {"method": "lora"}})
    info, data = prepare_data(spec)
    on_hub = replace(info, name="opt-125m", source="facebook/opt-125m")
    check_weights_of_plan(spec, on_hub, data, opened(tmp_path / "study"))
    assert "backbone opt-125m: the weights were not checked" in capsys.readouterr().err


def encoded(folder: Path, rows: list[str]) -> EncodedTask:
    folder.mkdir(exist_ok=True)
    for split in ("train", "dev", "test"):
        (folder / f"{split}.csv").write_text("\n".join(["sequence,label", *rows]))
    task = {"path": folder}
    values = {"task": task, "training": {"steps": 10}, "adapter": {"method": "lora"}}
    return prepare_data(StudySpec.model_validate(values))[1]


def test_data_have_changed_if_a_class_has_another_name(tmp_path: Path) -> None:
    named, renamed = (encoded(tmp_path, ["ACGT,a", f"GGGG,{name}"]) for name in "bz")
    assert (named.classes, renamed.classes) == (("a", "b"), ("a", "z"))
    assert named.train.labels.tolist() == renamed.train.labels.tolist()
    assert named.fingerprint() != renamed.fingerprint()
    numbers, points = (encoded(tmp_path, ["ACGT,0", f"GGGG,{one}"]) for one in ("1", "1.0"))
    assert numbers.fingerprint() == points.fingerprint() != named.fingerprint()


def test_a_row_that_is_too_long_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r", train, row 2 \(3 too long\); set task.max_length"):
        encoded(tmp_path, ["ACGT,0", f"{'ACGGTTCA' * 300},1"])
