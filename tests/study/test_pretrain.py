import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from study.models import inspect_backbone, load_backbone
from study.models.pretraining import loop
from study.pretrain import main

SIZES = {
    "--vocab-size": 32,
    "--hidden-size": 16,
    "--layers": 2,
    "--heads": 2,
    "--positions": 24,
    "--batch-size": 4,
    "--warmup": 2,
    "--held-out": 0.1,
    "--threads": 1,
}
SMALL = [str(part) for option in SIZES.items() for part in option]


@pytest.fixture
def data(tmp_path):
    generator = np.random.default_rng(0)
    lines = ["".join(generator.choice(list("ACGT"), size=120)) for _ in range(60)]
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines))
    return path


def _run(data, out, *more):
    return main(["--data", str(data), "--out", str(out), *SMALL, *more])


def test_a_run_writes_a_backbone_that_loads(data, tmp_path, capsys):
    out = tmp_path / "out"
    assert _run(data, out, "--steps", "4", "--evaluate-every", "2") == 0
    backbone = load_backbone(inspect_backbone(str(out)), num_labels=2, dtype="float32")
    assert backbone.tokenizer(["ACGT"])[0][0] == 2
    assert {t.dtype for t in load_file(out / "model.safetensors").values()} == {torch.float16}
    curve = [json.loads(line) for line in (out / "curve.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in curve] == [2, 4]
    assert all(1.5 < entry["bits_per_base"] < 4 for entry in curve)
    assert "bits per base" in capsys.readouterr().out


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(data, tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    # A pass over this text has 7 batches: the interruption is in the second pass.
    options = ("--steps", "12", "--batch-size", "16")
    assert _run(data, whole, *options) == 0
    step = loop.PretrainingLoop.train_step

    def interrupted(self, rows):
        result = step(self, rows)
        if self.step == 10:
            os.kill(os.getpid(), signal.SIGINT)
        return result

    monkeypatch.setattr(loop.PretrainingLoop, "train_step", interrupted)
    assert _run(data, parts, *options) == 130
    assert torch.load(parts / "checkpoint.pt", weights_only=True)["place"][:2] == [10, 1]
    monkeypatch.undo()
    assert _run(data, parts, *options, "--resume") == 0
    first, second = (torch.load(p / "checkpoint.pt", weights_only=True) for p in (whole, parts))
    assert first["place"] == second["place"]
    for name, value in first["model"].items():
        assert torch.equal(value, second["model"][name])


def test_lines_that_overlap_with_excluded_sequences_are_not_used(data, tmp_path):
    lines = data.read_text().split()
    csv = tmp_path / "tests.csv"
    csv.write_text("sequence,label\n" + "".join(f"{line},0\n" for line in lines[:30]))
    out = tmp_path / "out"
    assert _run(data, out, "--steps", "1", "--exclude", str(csv)) == 0
    facts = json.loads((out / "text.json").read_text())
    left_out = facts["train_overlapping_excluded"] + facts["held_out_overlapping_excluded"]
    assert left_out == 30
    assert facts["train_lines"] + facts["held_out_bases"] // 120 == 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "--steps: must be at least 1, but got 0"),
        (["--heads", "3"], "--hidden-size: must be a multiple of --heads, but got 16"),
        (["--heads", "0"], "--heads: must be at least 1, but got 0"),
        (["--held-out", "1.5"], "--held-out: must be between 0 and 1, but got 1.5"),
        (["--resume"], "must exist for --resume"),
        (["--exclude", "absent.csv"], "absent.csv: must be a readable file"),
    ],
)
def test_bad_input_is_one_line_and_status_2(data, tmp_path, capsys, arguments, message):
    assert _run(data, tmp_path / "out", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_another_run_in_the_folder_is_never_overwritten(data, tmp_path, capsys):
    out = tmp_path / "out"
    assert _run(data, out, "--steps", "1") == 0
    before = Path(out / "checkpoint.pt").read_bytes()
    assert _run(data, out, "--steps", "2") == 2
    assert "must not contain another run, but got its checkpoint" in capsys.readouterr().err
    assert Path(out / "checkpoint.pt").read_bytes() == before


def test_resuming_may_change_the_schedule_and_nothing_else(data, tmp_path, capsys):
    out = tmp_path / "out"
    assert _run(data, out, "--steps", "1") == 0
    assert _run(data, out, "--steps", "2", "--weight-decay", "0.5", "--resume") == 2
    assert _run(data, out, "--steps", "2", "--lr", "0.001", "--resume") == 0
    assert "got other values of ['weight_decay']" in capsys.readouterr().err


def test_a_run_is_not_resumed_with_another_text(data, tmp_path, capsys):
    out = tmp_path / "out"
    assert _run(data, out, "--steps", "1") == 0
    facts = (out / "text.json").read_text()
    data.write_text("\n".join(data.read_text().split()[:-20]) + "\n")
    assert _run(data, out, "--steps", "2", "--resume") == 2
    assert "the text must be the one of" in capsys.readouterr().err
    assert (out / "text.json").read_text() == facts


def test_too_little_text_for_a_batch_is_refused(data, tmp_path, capsys):
    assert _run(data, tmp_path / "out", "--batch-size", "500") == 2
    assert "--batch-size" in capsys.readouterr().err
