from study.analysis.facts import asked
from study.spec import StudySpec


def test_random_weights_are_said_with_their_seed_and_usual_ones_not_at_all() -> None:
    spec = StudySpec.model_validate({"backbone": {"weights": "random", "weights_seed": 4}})
    assert dict(asked(spec))["backbone"] == (
        "opt-dna-mini, dtype=float32, weights=random, weights_seed=4"
    )
    assert dict(asked(StudySpec()))["backbone"] == "opt-dna-mini, dtype=float32"
