"""adapter.rank_pattern: a mapping, a file or a study; embedded when the space is read."""

import json
from pathlib import Path

import pytest

from study.spec import AdaLoraRSSpec, LoraSpec, dump_spec, load_spec, read_spec, resolve
from study.spec.rank_pattern import pattern_text
from study.spec.yaml.reader import MAX_BYTES

RANKS = {"layers.0.q": 3, "layers.0.k": 0, "layers.1.q": 1}


def write_study(folder: Path, ranks: object) -> Path:
    (folder / "best").mkdir(parents=True)
    trace = [{"step": 1, "ranks": dict.fromkeys(RANKS, 9)}, {"step": 2, "ranks": ranks}]
    (folder / "best" / "budget_trace.json").write_text(json.dumps(trace))
    (folder / "best.yaml").write_text("adapter: {rank_pattern: {layers.0.k: 0, layers.0.q: 5}}\n")
    return folder


def lora(pattern: object, folder: Path) -> LoraSpec:
    space = folder / "space.yaml"
    space.write_text(f"adapter: {{method: lora, rank_pattern: {json.dumps(pattern)}}}\n")
    adapter = load_spec(str(space)).adapter
    assert isinstance(adapter, LoraSpec)
    return adapter


def test_a_mapping_a_file_of_either_kind_and_a_study_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "ranks.yaml").write_text("layers.0.q: 3\nlayers.0.k: 0\nlayers.1.q: 1\n")
    exported = {"r": 8, "rank_pattern": {"layers.0.q": 3}, "ranks": RANKS}
    (tmp_path / "peft.json").write_text(json.dumps(exported))
    write_study(tmp_path / "study", {"layers.0.q": 3, "layers.1.q": 1})
    for given in (RANKS, "ranks.yaml", "peft.json", "study"):
        assert dict(lora(given, tmp_path).rank_pattern or ()) == RANKS


def test_a_stored_spec_has_the_ranks_themselves(tmp_path: Path) -> None:
    file = tmp_path / "ranks.json"
    file.write_text(json.dumps(RANKS))
    spec = load_spec(
        "adalora_rs", [f"adapter.rank_pattern={file}", "adapter.b0=4", "adapter.bT=1"]
    )
    file.unlink()
    stored = read_spec(dump_spec(spec), "stored")
    assert stored == spec
    assert hash(stored.adapter) == hash(spec.adapter)
    assert resolve(spec, dict.fromkeys(spec.domains, 0.1)).adapter.rank_pattern == tuple(
        RANKS.items()
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("no.yaml", "must be a YAML or JSON file, or the folder of a study, but got none at"),
        (
            ".",
            "must be the folder of a finished study whose winner prunes, with best/",
        ),
        (
            {"a": -1},
            "must be whole numbers from 0 to 10000 by the names of layers, but got -1",
        ),
        ({"a": 2.5}, "but got 2.5 for 'a'; 0 leaves a layer as it is"),
        ({"a": True}, "but got True for 'a'"),
        ({"a": 0}, "must have a rank of at least 1 in some layer, but got 0 in all; raise one"),
        ({}, "must be a mapping of layers to ranks"),
        (
            8,
            "must be a mapping of layers to ranks, a file with one or a study's folder, but got 8",
        ),
    ],
)
def test_what_is_no_pattern_is_refused(given, message, refused, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused(f"adapter: {{method: lora, rank_pattern: {json.dumps(given)}}}")
    assert message in line


def test_files_without_ranks_are_refused(refused, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.yaml").write_text("[1, 2]")
    write_study(tmp_path / "study", {})
    (tmp_path / "study/best/budget_trace.json").write_text("[]")
    for name, message in (
        ("list.yaml", "must map names of layers to ranks, but got [1, 2]"),
        ("study", "must have the ranks of mask events, but got none; restore the file"),
    ):
        assert message in refused(f"adapter: {{method: lora, rank_pattern: {name}}}")


def test_ranks_that_have_no_effect_and_budgets_above_the_pattern_are_refused(refused) -> None:
    ranks = "rank_pattern: {a: 3, b: 0, c: 1}"
    domain = "{type: int, low: 2, high: 4}"
    line = refused(f"adapter: {{method: lora, {ranks}, rank: {domain}}}")
    assert "rank: must be one value beside rank_pattern, where only alpha / rank depends" in line
    line = refused(f"adapter: {{method: adalora_rs, {ranks}, b0: 12, bT: 3}}")
    assert "bT <= mean rank of rank_pattern must hold, but got bT=3, 2; lower bT" in line
    ratio = "bT: {type: float, low: 0.1, high: 1.0, ratio_of: b0}"
    assert "but got bT=12, 2" in refused(
        f"adapter: {{method: adalora_rs, {ranks}, b0: 12, {ratio}}}"
    )
    assert AdaLoraRSSpec(rank_pattern=tuple({"a": 3, "b": 1}.items()), b0=12, bT=2)


def test_a_pattern_is_one_word_in_tables() -> None:
    text = pattern_text(RANKS)
    assert text.startswith("4-in-2-layers-")
    assert text == pattern_text(dict(reversed(RANKS.items())))
    assert text != pattern_text(RANKS | {"layers.0.q": 1, "layers.1.q": 3})


def test_a_race_of_deep_models_fits_its_spec() -> None:
    pattern = {f"bert.encoder.layer.{n}.attention.output.dense{m}": 12
               for n in range(24) for m in range(6)}  # fmt: skip
    spec = load_spec("lora", ["adapter.rank=8"]).model_copy(
        update={"adapter": LoraSpec(rank_pattern=tuple(pattern.items()))}
    )
    assert 16 * len(dump_spec(spec)) < MAX_BYTES
