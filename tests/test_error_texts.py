"""The check that every test makes of the errors it provokes."""

import pytest

from study.errors import UnavailableError
from study.spec import load_spec
from tests import error_texts


@pytest.mark.parametrize(
    "text",
    [
        "x.yaml:14: adapter.b0: low <= high must hold, but got low=16, high=4",
        "--name: must be a name, but got '/'; choose another",
    ],
)
def test_place_rule_and_finding_are_the_pattern(text):
    assert error_texts.PATTERN.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    [
        "must be a name, but got '/'",
        "--name: '/' is no name",
        "--name: must be a name, found '/'",
        "--name: must be a name, but '/' is none",
        "--name: must be a name, but got '/'\n",
        "",
    ],
)
def test_what_lacks_a_part_is_not(text):
    assert not error_texts.PATTERN.fullmatch(text)


def test_every_error_of_the_checked_packages_is_recorded(monkeypatch):
    monkeypatch.setattr(error_texts, "CHECKED", (__name__,))
    with error_texts.recorded_faults() as faults:
        UnavailableError("there is nothing")
        with pytest.raises(Exception, match="must be"):
            load_spec("nowhere.yaml")
    assert faults == [f"{__name__}: there is nothing"]
