"""Whether the settings of a study fit the family of its backbone.

Imports no torch, so that settings that do not fit are refused before anything heavy is imported.
"""

from study.errors import InputError
from study.models.families import FAMILIES, check_pooling
from study.models.info import BackboneInfo
from study.spec import StudySpec
from study.spec.domains import extremes


def check_fit(spec: StudySpec, info: BackboneInfo) -> None:
    """Checks that every trial's pooling and matrices exist in the backbone.

    Raises:
        InputError: one does not; the message names the setting.
    """
    for pooling in extremes(spec.backbone.pooling):
        check_pooling(info.family, pooling)
    family = FAMILIES[info.family]
    for matrix in getattr(spec.adapter, "matrices", ()):
        if matrix not in family.matrices:
            fused = "f1 computes the gate too" if family.gated else "it has no gate"
            raise InputError(
                f"adapter.matrices: must be some of {', '.join(family.matrices)} for a model of "
                f"the {info.family} family, where {fused}, but got {matrix}; leave it out"
            )
