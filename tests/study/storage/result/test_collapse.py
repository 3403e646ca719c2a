"""Runs that predict one class."""

from study.storage.result.collapse import collapsed, is_one_class


def one_class(split: str, share: float) -> dict[str, list[float | None]]:
    """The scores of one run that predicts a class with this share of the rows."""
    values = {"mcc": 0.0, "accuracy": share, "f1_weighted": 2 * share**2 / (1 + share)}
    return {f"{split}_{name}": [value] for name, value in values.items()}


def test_one_class_is_told_from_guessing_by_accuracy_and_f1() -> None:
    assert is_one_class(0.0, 0.4, 2 * 0.16 / 1.4)
    assert not is_one_class(0.0, 0.5, 0.5)
    assert not is_one_class(0.01, 0.4, 2 * 0.16 / 1.4)
    assert is_one_class(0.0)
    assert not is_one_class(None)


def test_a_run_has_collapsed_if_it_predicts_one_class_on_any_split() -> None:
    good: dict[str, list[float | None]] = {"test_mcc": [0.3], "test_accuracy": [0.6]}
    assert collapsed(one_class("dev", 0.6), good) == [True]
    assert collapsed({"dev_mcc": [0.2]}, one_class("test", 0.6)) == [True]
    assert collapsed({"dev_mcc": [0.2, None]}, {}) == [False, False]
    assert collapsed({}, {}) == []
