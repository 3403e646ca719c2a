"""The shipped spaces are planned as a dry run plans them."""

import pytest

from study.models import empty_backbone, inspect_backbone
from study.spec import PeftSpec, load_spec
from study.spec.loading import shipped_spaces
from study.training.forecast import forecast
from study.training.peft.check import check_peft

EMBEDDED = [name for name in shipped_spaces() if not name.endswith(("_promoters", "_emp"))]


@pytest.mark.parametrize("name", EMBEDDED)
def test_every_corner_of_a_shipped_space_can_be_prepared(name: str) -> None:
    spec = load_spec(name)
    check_peft(spec)
    backbone = spec.backbone
    info = inspect_backbone(str(backbone.name), backbone.revision, with_weights=False)
    points = forecast(spec, 3000, empty_backbone(info, num_labels=2))
    assert all(point.parameters.head > 0 for point in points)
    if isinstance(spec.adapter, PeftSpec):
        assert all(point.parameters.adapter > 0 for point in points)
