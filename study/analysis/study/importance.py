"""Importance of the searched parameters, estimated by Optuna from the complete trials."""

from typing import Any

from study.analysis.study.reading import StudyData
from study.spec.space import distributions

NEEDED = 10
"""Minimum number of complete trials for an estimate."""


def importances(study: StudyData) -> dict[str, float] | str:
    """Returns each parameter's share of the score's variance, largest first, or why there is none.

    The shares come from functional ANOVA on a random forest (Hutter et al. 2014) with a fixed
    seed, and add up to 1. Only complete trials count, so parameter values that lead to early
    stopping or failure are under-represented.
    """
    complete = [t for t in study.record.in_state("complete") if t.value is not None]
    if len(study.spec.domains) < 2:
        return "No estimate: fewer than two parameters are searched."
    if len(complete) < NEEDED:
        return (
            f"No estimate: at least {NEEDED} complete trials are needed, and this study has "
            f"{len(complete)}."
        )
    spaces = distributions(study.spec)
    varied = [name for name in spaces if len({trial.params[name] for trial in complete}) > 1]
    if len(varied) < 2 or len({trial.value for trial in complete}) == 1:
        return "No estimate: the complete trials differ too little."
    return _fanova(study, {name: spaces[name] for name in varied})


def _fanova(study: StudyData, spaces: dict[str, Any]) -> dict[str, float]:
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        direction = "maximize" if study.maximize else "minimize"
        optimization = optuna.create_study(direction=direction)
        for trial in study.record.in_state("complete"):
            if trial.value is not None:
                params = {name: trial.params[name] for name in spaces}
                optimization.add_trial(
                    optuna.trial.create_trial(
                        params=params, distributions=spaces, value=trial.value
                    )
                )
        evaluator = FanovaImportanceEvaluator(seed=0)
        return dict(get_param_importances(optimization, evaluator=evaluator))
    finally:
        optuna.logging.set_verbosity(verbosity)
