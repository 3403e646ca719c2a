"""Whether the scores of a folder chose its leader."""

from pathlib import Path

import pytest

from study.analysis.seeds.choice import fixed_before
from study.analysis.seeds.reading import Comparison


@pytest.mark.parametrize(
    ("name", "spec", "fixed"),
    [
        ("copy", "configurations: {a: {}}\nseeds: {mask: [0]}\n", True),
        ("finalists", "configurations: {a: {}}\nseeds: {mask: [0]}\n", True),
        ("copy", "race: {rounds: 2}\nconfigurations: {a: {}}\n", False),
        ("copy", "configurations: {a: {}}\n", False),
        ("copy", "trial-13: {}\ntrial-5: {}\n", False),
        ("copy", "", True),
        ("finalists", "", False),
        ("finalists", "[1, 2", False),
        ("copy", None, True),
        ("finalists", None, False),
    ],
)
def test_a_race_is_known_by_its_spec_and_without_one_by_its_name(
    tmp_path: Path, name: str, spec: str | None, fixed: bool
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    if spec is not None:
        (folder / "spec.yaml").write_text(spec)
    assert fixed_before(Comparison(folder, [])) is fixed
