"""Which parameters the score depends on, as Optuna estimates it from the complete trials."""

from typing import Any

from study.analysis.study.reading import StudyData
from study.spec.space import distributions

NEEDED = 10
"""Complete trials below which an estimate would be noise."""


def importances(study: StudyData) -> dict[str, float] | str:
    """Returns each parameter's share of the score's variance, largest first, or why it cannot.

    By functional ANOVA on a random forest (Hutter et al. 2014), with a fixed seed; shares add up
    to 1. Only complete trials count, so what led to an early stop or a failure is not seen.
    """
    complete = [t for t in study.record.in_state("complete") if t.value is not None]
    if len(study.spec.domains) < 2:
        return "It compares parameters, and fewer than two are searched here."
    if len(complete) < NEEDED:
        return (
            f"It needs at least {NEEDED} complete trials; this study has {len(complete)}, "
            "too few to say."
        )
    spaces = distributions(study.spec)
    varied = [name for name in spaces if len({trial.params[name] for trial in complete}) > 1]
    if len(varied) < 2 or len({trial.value for trial in complete}) == 1:
        return "The complete trials differ too little to say."
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
