import pytest

from study.analysis.study.winner import parameters, triplets
from tests.study.analysis.study.made_studies import SPEC, MadeStudy, made_trace


def test_without_a_complete_trial_there_is_nothing_to_say(study: MadeStudy) -> None:
    study.run(0, [0.5])
    assert parameters(study.read()) == []
    assert triplets(study.read()) == ""


def test_parameters_are_adapter_kept_head_and_total(finished: MadeStudy) -> None:
    assert parameters(finished.read()) == [
        ("adapter_parameters", "92,400"),
        ("kept_parameters", "47,880"),
        ("head_parameters", "256"),
        ("trainable_parameters", "92,656"),
    ]


def test_budget_kept_and_rank_are_three_numbers(finished: MadeStudy) -> None:
    text, last = triplets(finished.read()), made_trace()[-1]
    assert last["kept"] != last["budget"]
    assert f"the budget was {last['budget']} singular triplets" in text
    assert f"so {last['kept']} were kept" in text
    assert f"is {sum(last['ranks'].values())} summed over all matrices" in text
    assert "keeps (1 − p) b + p (n b0 − b) = 60.0 of the n b0 = 120 triplets" in text


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("p_reintroduce: 0.0", "(1 − p) b + p_reintroduce (n b0 − b) = 54.0"),
        (
            "final_mask: deterministic",
            "final_mask: deterministic the number kept at the last event equals the budget",
        ),
    ],
)
def test_the_expected_number_kept_follows_the_settings(
    finished: MadeStudy, setting: str, words: str
) -> None:
    finished.folder.spec.write_text(SPEC.replace("deltaT: 10", f"deltaT: 10\n  {setting}"))
    assert words in triplets(finished.read())


def test_without_a_mask_the_whole_budget_is_kept(study: MadeStudy) -> None:
    domain = "  p: {type: float, low: 0.0, high: 0.3}\n"
    spec = SPEC.replace("adalora_rs", "adalora").replace(domain, "")
    study.folder.spec.write_text(spec)
    study.run(0, [0.5] * 8, {"b0": 10, "bT_ratio": 0.5, "lr": 1e-3})
    study.set_winner(0, made_trace())
    assert "With p = 0 the number kept equals the budget" in triplets(study.read())


def test_a_method_without_a_budget_has_no_sentences_on_triplets(finished: MadeStudy) -> None:
    text = finished.folder.journal.read_text().replace('"budget": 120, "kept": 118, ', "")
    finished.folder.journal.write_text(text)
    (finished.folder.best / "budget_trace.json").unlink()
    assert triplets(finished.read()) == ""
