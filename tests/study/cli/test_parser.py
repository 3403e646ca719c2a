"""Command lines as people mistype them: the usage, and what was probably meant."""

import importlib

import pytest


@pytest.mark.parametrize(
    ("line", "end"),
    [
        ("run adalora_rs.yaml", "arguments: adalora_rs.yaml; write --space adalora_rs.yaml"),
        ("run --space smoke --set training.lr 1e-3", "1e-3; write --set training.lr=1e-3"),
        ("run --space smoke --training.lr=1e-3", "; write --set training.lr=1e-3"),
        ("run --space smoke --training.lr 1e-3", "; write --set training.lr=…"),
        ("run --space smoke training.steps=5", "; write --set training.steps=5"),
        ("run --space smoke steps=5 lr=1e-3", "; write --set steps=5"),
        ("run --space smoke --n-trials 3", "--n-trials 3; did you mean --trials?"),
        ("run --space smoke --output x", "did you mean --storage?"),
        ("run --config smoke", "did you mean --space?"),
        ("run --space smoke --dryrun", "did you mean --dry-run?"),
        ("run --space smoke --wizard", "; a setting of a space is given as --set section.key=…"),
        ("run --space smoke -v", "-v says more of a plan, so --dry-run must be given too"),
        ("run --space smoke more", "unrecognized arguments: more"),
        ("run", "--space is required: a YAML file, or a name such as adalora_rs"),
        ("benchmark --space mini_tables --num-gpus 1", "; did you mean --gpus-per-trial?"),
        ("seeds.__main__ runs/x", "; write --study runs/x"),
        ("report --study runs/x", "; write DIR without an option"),
        ("cluster.__main__ slurm --time 1 --logs x", ".cluster slurm --help lists the options"),
        ("doctor.__main__ x --tracking-url y", "; did you mean --tracking-uri?"),
    ],
)
def test_an_unknown_argument_is_refused_with_what_was_meant(
    line: str, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *arguments = line.split(" ")
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"study.{command}").main(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr().err.splitlines()
    assert printed[0].startswith("usage: ")
    assert printed[-1].endswith(end)
