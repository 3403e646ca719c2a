"""The names that `task.name` may have: the generated task, and the published ones."""

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from study.spec.rules import refusal, shown, suggestion

GENERATED = "promoters"
HISTONES = (
    "H3", "H3K14ac", "H3K36me3", "H3K4me1", "H3K4me2", "H3K4me3", "H3K79me3", "H3K9ac", "H4",
    "H4ac",
)  # fmt: skip
SUBSETS = ("all", "notata", "tata")
NT_PROMOTERS = ("promoter_all", "promoter_no_tata", "promoter_tata")

PUBLISHED = (
    *(f"emp/{mark}" for mark in HISTONES),
    *(f"prom/{subset}" for subset in SUBSETS),
    *(f"prom_core/{subset}" for subset in SUBSETS),
    *(f"nt/{name}" for name in (*HISTONES, *NT_PROMOTERS)),
)
"""From the hub or a local copy; the facts of each are in study/tasks/published.py."""

_SUMMARY = (
    f"{GENERATED}, emp/MARK and nt/MARK for {', '.join(HISTONES)},"
    f" prom/ and prom_core/ {'|'.join(SUBSETS)}, nt/{'|'.join(NT_PROMOTERS)}"
)


def _known(name: str) -> str:
    if name != GENERATED and name not in PUBLISHED:
        near = suggestion(name, (GENERATED, *PUBLISHED)) or f"; known: {_SUMMARY}"
        raise refusal(f"must be a known task, but got {shown(name)}{near}")
    return name


TaskName = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": [GENERATED, *PUBLISHED]}),
]
