"""The winner of a study as a pyfunc model: sequences -> class probabilities.

MLflow copies this file into the model and runs it when the model is loaded; `study` is then the
copy in the model, or the installed package. See winner_model.py.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Winner(PythonModel):  # type: ignore[misc]
    """Predicts the probability of each class for the sequences of a column."""

    def load_context(self, context: Any) -> None:
        """Loads backbone and weights."""
        from study.training.prediction.predictor import Predictor

        self._predictor = Predictor.load(Path(context.artifacts["winner"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Returns a row for each row of the table `model_input`, which has `sequence`."""
        found = self._predictor.probabilities([str(one) for one in model_input["sequence"]])
        return pd.DataFrame(found, columns=self._predictor.classes)


set_model(Winner())
