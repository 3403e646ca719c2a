import numpy as np
import pytest

from study.card import main
from study.tasks import Split, Task
from study.tasks.baselines import kmer_logistic_regression


@pytest.fixture
def splits():
    generator = np.random.default_rng(0)

    def split(count):
        labels = [i % 2 for i in range(count)]
        letters = [list("AACGT") if label else list("ACGTT") for label in labels]
        return Split(["".join(generator.choice(a, size=40)) for a in letters], labels)

    return {"train": split(64), "dev": split(24), "test": split(24)}


@pytest.fixture
def folder(tmp_path, splits):
    for name, split in splits.items():
        rows = [f"{s},{y}" for s, y in zip(split.sequences, split.labels, strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["sequence,label", *rows]) + "\n")
    return tmp_path


def _table(text):
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {row[1]: row for row in rows[2:]}


def test_the_table_has_a_row_for_every_model(folder, splits, capsys):
    options = ["--task", str(folder), "--steps", "3", "--batch-size", "4", "--threads", "1"]
    assert main([*options, "--lr", "1e-3", "1e-2"]) == 0
    table = _table(capsys.readouterr().out)
    assert set(table) == {
        "5-mer logistic regression",
        "opt-dna-mini, LoRA",
        "random weights, LoRA",
    }
    assert table["opt-dna-mini, LoRA"][2] in ("0.001", "0.01")
    kmers = kmer_logistic_regression(Task("x", **splits, num_labels=2, warnings=[]))
    assert table["5-mer logistic regression"][3] == f"{kmers['dev_mcc']:.3f}"
    assert table["opt-dna-mini, LoRA"][3:] != table["random weights, LoRA"][3:]


def test_two_runs_print_the_same_table(folder, capsys):
    options = ["--task", str(folder), "--steps", "2", "--batch-size", "4", "--threads", "1"]
    texts = []
    for _ in range(2):
        assert main([*options, "--lr", "1e-2"]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


def test_bad_input_is_one_line_and_status_2(folder, capsys):
    assert main(["--task", str(folder / "absent")]) == 2
    assert "task.path" in capsys.readouterr().err
    assert main(["--task", str(folder), "--backbone", "opt-dna-maxi"]) == 2
    assert "opt-dna-maxi" in capsys.readouterr().err
