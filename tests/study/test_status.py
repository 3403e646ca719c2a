"""The command that shows what a study does."""

import json
import time
from pathlib import Path

import pytest

from study.status import main
from study.storage.events import WinnerEvaluated
from tests.study.ledgers import OpenLedger, create, report


def test_the_text_fits_80_columns_and_has_no_control_characters(
    open_ledger: OpenLedger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ledger = open_ledger()
    create(ledger, 0)
    report(ledger, 0, 1, 0.25)
    ledger.end(ledger.record.trials[0], "failed", "x" * 200 + "\x1b[2J")
    assert main([str(ledger.folder.path)]) == 0
    out = capsys.readouterr().out
    assert "1 of 6: 0 complete, 0 stopped early, 1 failed, 0 running" in out
    assert max(map(len, out.splitlines())) == 80
    assert "\x1b" not in out


def test_json_is_one_object_whose_fields_the_guide_names(
    open_ledger: OpenLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    report(ledger, 0, 1, None)
    assert main([str(ledger.folder.path), "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert fields["folder"] == str(ledger.folder.path)
    assert fields["running"][0]["curve"] == [None]
    guide = Path("study/storage/README.md").read_text()
    assert [name for name in fields if f"`{name}`" not in guide] == []


def test_watch_ends_with_the_study(
    open_ledger: OpenLedger,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = open_ledger("search.trials=1")
    create(ledger, 0)

    def next_event(seconds: float) -> None:
        if not ledger.record.trials[0].reports:
            report(ledger, 0, 1, 0.5)
        elif ledger.record.trials[0].state == "running":
            ledger.end(ledger.record.trials[0], "complete", "")
        else:
            scores = {"dev_mcc": 0.5}
            ledger.append(WinnerEvaluated(trial=0, dev=scores, test={"test_mcc": 0.4}, race=None))

    monkeypatch.setattr(time, "sleep", next_event)
    assert main([str(ledger.folder.path), "--watch", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["phase"] for line in lines] == ["search", "search", "winner", "finished"]


def test_a_folder_that_is_none_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
