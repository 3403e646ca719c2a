"""The code of the guide loads the winner with transformers and `adapters` alone."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from study.engine.stored_winner import StoredWinner
from study.training.prediction.predictor import Predictor
from tests.study.finished_studies import finish, spec_of, three_classes, trained
from tests.study.models.checkpoints import random_dna, write_checkpoint

GUIDE = Path(__file__).parents[3] / "study" / "models" / "README.md"


def test_the_adapters_and_the_head_give_the_winners_probabilities(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    [code] = [block for block in blocks if "load_adapters" in block]
    assert len(code.strip().splitlines()) <= 12
    write_checkpoint(tmp_path / "backbone", "opt")
    trial = trained(spec_of(tmp_path / "backbone", three_classes(tmp_path / "task"), "adalora_rs"))
    study = finish(tmp_path / "study", trial)
    sequences = [random_dna(1, bases, seed=bases)[0] for bases in (20, 50)]
    given: dict[str, Any] = {
        "backbone": str(tmp_path / "backbone"),
        "study": str(study.path),
        "sequences": sequences,
    }
    with torch.no_grad():
        exec(code.replace("num_labels=2", "num_labels=3"), given)
    winner = StoredWinner.read(study.path)
    expected = Predictor(winner.spec, *winner.load()).probabilities(sequences)
    np.testing.assert_allclose(given["probabilities"], expected, rtol=0, atol=1e-6)
