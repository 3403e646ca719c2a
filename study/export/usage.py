"""The code of a model card: it loads the exported folder and predicts."""

from collections.abc import Sequence

from study.models import BackboneInfo
from study.models.tokenization import load_tokenizer

EXAMPLE = "GGGCGCCTATAAAAGGCGCGCCATTCGACGATCGATTACGG"


def usage(
    info: BackboneInfo, imports: Sequence[str], model: Sequence[str], forward: Sequence[str]
) -> str:
    """Returns the code; `imports`, `model` and `forward` are the lines that differ.

    It reads `folder` and `sequences`, and computes `probabilities` from `batch`.
    """
    return "\n".join(
        [
            *imports,
            "",
            'folder = "."  # this folder, or its name on the hub',
            f'sequences = ["{EXAMPLE}"]',
            *_words(info),
            "tokenizer = AutoTokenizer.from_pretrained(folder)",
            *model,
            *forward,
        ]
    )


def torch_forward() -> list[str]:
    """Returns the lines of a model of torch."""
    return [
        'batch = tokenizer(sequences, return_tensors="pt", padding=True)',
        "probabilities = model(**batch).logits.softmax(dim=-1)",
    ]


def pooled(imports: list[str], load: list[str], call: str) -> tuple[list[str], list[str]]:
    """Returns imports and lines that load a model, with the call of its pooling if any."""
    if not call:
        return imports, load
    own = ["from study.models import Pooling"]
    return [*imports, *([] if imports[-1].startswith("from study.") else [""]), *own], [
        *load,
        call,
    ]


def imports_of(classifier: str) -> tuple[list[str], str]:
    """Returns the lines that import AutoTokenizer and a class, and the name of the class."""
    module, _, name = classifier.rpartition(".")
    if module == "transformers":
        name = "AutoModelForSequenceClassification"
        return [f"from transformers import {name}, AutoTokenizer"], name
    return ["from transformers import AutoTokenizer", "", f"from {module} import {name}"], name


def _words(info: BackboneInfo) -> list[str]:
    """Returns the line that writes sequences as k-mers, for a tokenizer that reads such words."""
    k = load_tokenizer(info).overlap
    if k is None or k == 1:
        return []
    words = f'" ".join(one[i : i + {k}] for i in range(len(one) - {k - 1}))'
    return [f"sequences = [{words} for one in sequences]"]
