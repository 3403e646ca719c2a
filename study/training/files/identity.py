"""What the weights of a trial are of: the settings of its method, its pooling and its seeds."""

import json
from collections.abc import Mapping

from study.spec import StudySpec


def identity(spec: StudySpec) -> dict[str, str]:
    """Returns the settings of the method, the pooling and the seeds, each as JSON."""
    return {
        "adapter": spec.adapter.model_dump_json(),
        "backbone_settings": spec.backbone.model_dump_json(include=spec.backbone.searchable),
        "seeds": spec.seeds.model_dump_json(),
    }


def difference(metadata: Mapping[str, str], spec: StudySpec) -> str | None:
    """Returns in what a file differs from a resolved spec, as "NAME=VALUE, not VALUE".

    None if it does not, or if an older version wrote the file: settings that it lacks are not
    compared.
    """
    for section, text in identity(spec).items():
        try:
            stored = json.loads(metadata.get(section, "{}"))
        except ValueError:
            stored = None
        if not isinstance(stored, dict):
            return f"{section}={metadata[section][:80]!r}, which is not a JSON object"
        for name, value in json.loads(text).items():
            if stored.get(name, value) != value:
                place = section.removesuffix("_settings")
                return f"{place}.{name}={stored[name]!r}, not {value!r}"
    return None
