"""Other masks at mask events: they change nothing, and their costs are those of the masks."""

import copy
import statistics
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from adapters.allocator import UpcomingEvent
from study.spec import StudySpec
from study.training.mask_probe import probed_events
from study.training.trial import Trial
from tests.study.training.tiny_trials import (
    CPU,
    assert_same,
    tiny_backbone,
    tiny_spec,
    tiny_task,
    trained,
)

PROBE = {"events": ["first", "middle", "last"], "masks": 3}


def trial(probe: dict[str, Any] | None = PROBE, **changes: Any) -> Trial:
    values = tiny_spec(**changes).model_dump(mode="json")
    spec = StudySpec.model_validate(values | {"mask_probe": probe})
    return Trial(spec, tiny_backbone(dropout=0.2), tiny_task(), CPU)


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
def test_training_is_bit_for_bit_that_without_a_probe(prune_mode: str) -> None:
    with_, without = trial(prune_mode=prune_mode), trial(None, prune_mode=prune_mode)
    assert with_.train_until(12) == without.train_until(12)
    assert_same(trained(with_), trained(without))
    assert with_.allocator is not None
    assert without.allocator is not None
    assert_same(with_.allocator.state_dict(), without.allocator.state_dict())
    assert without.probe is None


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
def test_the_model_that_is_evaluated_is_that_which_the_event_leaves(prune_mode: str) -> None:
    probed = trial(prune_mode=prune_mode)
    assert probed.allocator is not None
    seen: list[torch.Tensor] = []

    def look(event: UpcomingEvent) -> None:
        assert probed.allocator is not None
        with probed.allocator.keeping(event.keep):
            seen.append(torch.from_numpy(probed.logits(probed.data.dev)))
        probed.model.train()

    probed.allocator.before_event = look
    for step in (2, 4):
        probed.train_until(step)
        after = torch.from_numpy(probed.logits(probed.data.dev))
        torch.testing.assert_close(seen[-1], after, rtol=0, atol=1e-6)
        probed.model.train()


def test_costs_are_means_over_the_masks_with_their_standard_errors() -> None:
    probed = trial()
    assert probed.probe is not None
    scores: list[float] = []
    own = probed.probe.score
    probed.probe.score = lambda: scores.append(own()) or scores[-1]  # type: ignore[func-returns-value]
    probed.train_until(2)
    without, rest = scores[0], scores[1:]
    cost = [without - found for found in rest[::2]]
    reintroduction = [top - found for found, top in zip(rest[::2], rest[1::2], strict=True)]
    found = probed.facts()
    assert found["mask_cost_first"] == pytest.approx(statistics.fmean(cost))
    assert found["reintroduction_cost_first"] == pytest.approx(statistics.fmean(reintroduction))
    assert found["mask_cost_first_se"] == pytest.approx(statistics.stdev(cost) / 3**0.5)
    assert "mask_cost_middle" not in found
    probed.train_until(12)
    assert {name for name in probed.facts() if name.startswith("mask_cost")} == {
        f"mask_cost_{event}{end}" for event in ("first", "middle", "last") for end in ("", "_se")
    }


def test_other_masks_differ_from_each_other_and_are_drawn_with_the_rates() -> None:
    probed = trial(seeds={"mask": 3})
    probe, allocator = probed.probe, probed.allocator
    assert probe is not None
    assert allocator is not None
    events: list[UpcomingEvent] = []
    allocator.before_event = events.append
    probed.train_until(2)
    keeps = [allocator.other_mask(events[0], probe._seed(k)) for k in range(40)]
    assert len({tuple(keep.tolist()) for keep in keeps}) == 40
    dropped = sum(int((events[0].top & ~keep).sum()) for keep in keeps)
    assert dropped / (40 * int(events[0].top.sum())) == pytest.approx(0.3, abs=0.05)


def test_a_resumed_trial_has_the_costs_of_earlier_events() -> None:
    whole, first, second = (trial(PROBE | {"masks": 2}) for _ in range(3))
    whole.train_until(12)
    first.train_until(5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    second.train_until(12)
    assert whole.probe is not None
    assert second.probe is not None
    assert second.probe.results == whole.probe.results
    old = first.state_dict()
    del old["probe"]  # A checkpoint of an earlier version.
    second.load_state_dict(old)
    assert second.probe.results == {}


def test_events_without_a_random_mask_have_no_cost() -> None:
    last = trial(final_mask="deterministic")
    last.train_until(12)
    assert last.probe is not None
    assert {name.split("_")[2] for name in last.probe.results} == {"first", "middle"}
    never = trial(p=0.0)
    never.train_until(12)
    assert never.probe is not None
    assert never.probe.results == {}


def test_events_are_numbered_and_one_event_is_probed_once() -> None:
    names = ("first", "middle", "last")
    assert probed_events(names, 5) == {0: "first", 2: "middle", 4: "last"}
    assert probed_events(("last",), 5) == {4: "last"}
    assert len(probed_events(names, 1)) == 1


@pytest.mark.parametrize(
    ("probe", "method", "message"),
    [
        (PROBE, "lora", "must be given with adapter.method adalora_rs, but got lora"),
        ({"masks": 1}, "adalora_rs", "greater than or equal to 2"),
        ({"events": ["second"]}, "adalora_rs", "first"),
        ({"events": []}, "adalora_rs", "at least 1"),
    ],
)
def test_what_cannot_be_probed_is_refused(
    probe: dict[str, Any], method: str, message: str
) -> None:
    values = tiny_spec(method).model_dump(mode="json")
    with pytest.raises(ValidationError, match=message):
        StudySpec.model_validate(values | {"mask_probe": probe})
