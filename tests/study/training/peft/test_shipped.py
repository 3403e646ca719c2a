"""The shipped spaces with PEFT are checked and counted as a dry run does it."""

import pytest

from study.models import empty_backbone, inspect_backbone
from study.spec import load_spec, resolve
from study.spec.loading import shipped_spaces
from study.spec.space import corners
from study.training.methods import count_trained
from study.training.peft.check import check_peft

OF_PEFT = [name for name in shipped_spaces() if load_spec(name).adapter.method == "peft"]


@pytest.mark.parametrize("name", OF_PEFT)
def test_the_ends_of_a_shipped_space_can_be_prepared(name: str) -> None:
    spec = load_spec(name)
    check_peft(spec)
    info = inspect_backbone(str(spec.backbone.name), with_weights=False)
    backbone, steps = empty_backbone(info, num_labels=2), spec.training.steps
    assert steps is not None
    lowest, highest = (
        count_trained(resolve(spec, params), backbone, steps) for params in corners(spec)[:2]
    )
    assert 0 < lowest.adapter <= highest.adapter
