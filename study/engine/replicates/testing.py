"""The test split, opened for replicates once the choice among them is made."""

from collections.abc import Sequence

import ray

from study.engine.folder import StudyFolder
from study.engine.ledger import Ledger
from study.engine.record import TrialRecord
from study.engine.replicates.outputs import answer
from study.engine.replicates.replicate import Replicate
from study.engine.replicates.results import write_results
from study.engine.replicates.running import Shared
from study.engine.resources import Resources
from study.engine.results import evaluated, trained
from study.engine.runs import Source, key_of, standing
from study.models.inspect import BackboneInfo
from study.spec import StudySpec
from study.training.encoded import EncodedTask


def evaluate_on_test(
    ledger: Ledger,
    source: Source[Replicate],
    chosen: Sequence[Replicate],
    shared: Shared,
) -> None:
    """Evaluates complete replicates on the test split, each once, and journals that.

    They are taken from their checkpoints, or trained again if those are gone.

    Raises:
        OSError: outputs or journal cannot be written.
        MemoryError: there is too little memory, at present.
    """
    folder, stands, wanted = ledger.folder, standing(ledger.record), shared.wanted
    measure = ray.remote(_measure).options(num_cpus=wanted.cpus, num_gpus=wanted.gpus)
    info, data = shared.info, ray.put(shared.data)
    trials = [(run, stands[key_of(run)]) for run in chosen]
    asked = {
        trial.number: measure.remote(run.spec, info, data, folder, trial, wanted)
        for run, trial in trials
        if trial.state == "complete" and not trial.tested
    }
    for number, found in asked.items():
        metrics = evaluated(found, f"run {number}", folder.output(number))
        ledger.note("tested", trial=number, metrics=metrics)
    write_results(folder, source(ledger.record), ledger.record, ledger.metric)


def _measure(
    spec: StudySpec,
    info: BackboneInfo,
    data: EncodedTask,
    folder: StudyFolder,
    record: TrialRecord,
    wanted: Resources,
) -> dict[str, float]:
    trial = trained(spec, info, data, folder, record, wanted)
    metrics = answer(folder, record.number, trial, ("dev", "test"))
    return {name: value for name, value in metrics.items() if name.startswith("test_")}
