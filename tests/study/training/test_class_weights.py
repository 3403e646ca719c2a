"""Class weights: as scikit-learn's, the same however a step is split, and in the scores of dev."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from study.errors import InputError
from study.spec import TrainingSpec
from study.training.class_weights import check_class_weights, class_weights
from study.training.trial import Trial
from tests.study.training.tiny_trials import tiny_backbone, tiny_task, tiny_trial, trained

WEIGHTS = (0.5, 3.0, 1.25)


def weighted(weights: Any = WEIGHTS, **changes: Any) -> Trial:
    """Returns a trial of three classes without dropout and clipping."""
    settings = {"max_grad_norm": 1e9, "gamma": 0.0} | changes
    on = tiny_backbone(dropout=0.0, labels=3)
    return tiny_trial(on=on, task=tiny_task(labels=3), class_weights=weights, **settings)


def gradients(trial: Trial) -> dict[str, torch.Tensor]:
    """Returns the gradients at the next step of the optimizer."""
    seen: dict[str, torch.Tensor] = {}

    def look(*_: object) -> None:
        named = trial.model.named_parameters()
        seen.update((name, p.grad.clone()) for name, p in named if p.grad is not None)

    trial.optimizer.register_step_pre_hook(look)
    trial.train_until(trial.step + 1)
    return seen


def literal_gradients(trial: Trial, weights: Any, step: int) -> dict[str, Any]:
    """Row by row: the gradient of sum(w loss) / sum(w) over the rows of a step."""
    loss, total = torch.zeros(()), 0.0
    for row in trial.order[step]:
        logits, [label] = trial._forward(trial.data.train, np.array([row]))
        loss = loss - weights[label] * torch.log(torch.softmax(logits[0].double(), 0)[label])
        total += weights[label]
    (loss / total).backward()
    named = trial.model.named_parameters()
    return {name: p.grad for name, p in named if p.grad is not None}


def test_balanced_weights_equal_scikit_learns() -> None:
    labels = np.array([0] * 7 + [1] * 2 + [2] * 30 + [3])
    found = class_weights(TrainingSpec(class_weights="balanced"), labels, 4)
    assert found == pytest.approx(compute_class_weight("balanced", classes=np.arange(4), y=labels))
    assert found is not None
    assert found[labels].mean() == pytest.approx(1)
    assert class_weights(TrainingSpec(), labels, 4) is None


@pytest.mark.parametrize("cut", [{"batch_size": 8}, {"batch_size": 3, "accumulation": 3}])
def test_the_gradient_of_a_step_is_that_of_the_weighted_mean_over_its_rows(
    cut: dict[str, int],
) -> None:
    """With 22 rows in steps of 8 or 9 the third step is smaller; in batches of 3 one has 1 row."""
    trial, reference = weighted(**cut), weighted(**cut)
    for step in (1, 3):
        trial.train_until(step - 1)
        reference.load_state_dict(trial.state_dict())
        found = gradients(trial)
        expected = literal_gradients(reference, WEIGHTS, step)
        assert found.keys() == expected.keys()
        for name, gradient in found.items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)
        reference.optimizer.zero_grad()


def test_a_step_does_not_depend_on_how_it_is_cut_into_batches() -> None:
    large = weighted("balanced", batch_size=8)
    small = weighted("balanced", batch_size=2, accumulation=4)
    assert large.train_until(3) == pytest.approx(small.train_until(3), rel=1e-5)
    for name, value in trained(large).items():
        torch.testing.assert_close(trained(small)[name], value, rtol=1e-3, atol=1e-5)


def test_equal_weights_of_any_size_change_nothing_and_other_weights_do() -> None:
    plain, equal, other = weighted("none"), weighted((7.0, 7.0, 7.0)), weighted()
    losses = [trial.train_until(2) for trial in (plain, equal, other)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    assert losses[2] != pytest.approx(losses[0], rel=1e-3)


def test_the_importance_scores_are_of_the_weighted_loss() -> None:
    """At the first step lam is 0 before, and then its sensitivity is of its new values."""
    trial, reference = weighted(), weighted()
    expected = literal_gradients(reference, WEIGHTS, 1)
    trial.train_until(1)
    assert trial.allocator is not None
    lam = trial.allocator._scores.groups[1].sensitivity
    name, layer = next(iter(trial.prepared.adapters.items()))
    used = 0.15 * (layer.lam * expected[f"{name}.lam"]).abs()
    torch.testing.assert_close(lam[0], used, rtol=1e-3, atol=0)


def test_the_loss_on_dev_is_without_weights() -> None:
    trial = weighted()
    logits = torch.from_numpy(trial.logits(trial.data.dev))
    labels = torch.from_numpy(trial.data.dev.labels)
    expected = float(torch.nn.functional.cross_entropy(logits, labels))
    assert trial.evaluate(trial.data.dev)["loss"] == pytest.approx(expected, rel=1e-6)


def test_weights_must_be_as_many_as_the_classes() -> None:
    check_class_weights(TrainingSpec(class_weights=(1, 2, 3)), "mine", 3)
    check_class_weights(TrainingSpec(class_weights="balanced"), "mine", 3)
    with pytest.raises(
        InputError,
        match=r"training.class_weights: must have a weight for each of the 3 classes of mine "
        r"\(a, b, c, in this order\), but got 2 weights; give 3, or write balanced",
    ):
        check_class_weights(TrainingSpec(class_weights=(1, 2)), "mine", 3, ("a", "b", "c"))
