"""Merges trained adapters of PEFT into the weights of the backbone, where PEFT can."""

import warnings

from study.errors import InputError
from study.training.peft.adapters import PeftAdapters


def merge_peft(peft: PeftAdapters) -> None:
    """Replaces the adapted layers of the model by layers with the update in their weights.

    Raises:
        InputError: PEFT cannot merge adapters of this type; with its message.
    """
    if peft.subtracted:
        raise ValueError("adapters must have been loaded from a file before they are merged")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peft.model.merge_and_unload()
    except (NotImplementedError, ValueError, AttributeError) as error:
        raise InputError(
            f"adapter.peft_type: must be a type that PEFT can merge, but got "
            f"{peft.config.peft_type.value}: {' '.join(str(error).split())}; export it with "
            "--to peft"
        ) from error
