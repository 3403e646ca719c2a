"""Hyperparameter and robustness studies of AdaLoRA+RS on genomic classification.

Map:

    run, seeds, benchmark         commands that train: `python -m study.run --space adalora_rs`
    status, report, doctor/, export/  commands that read a study folder
    serve/                        the studies of a folder in a browser
    cluster/                      the command that prints job files for Slurm, KubeRay and `ray up`
    pretrain, card                commands that train and measure the embedded backbone
    cli/                          what commands share: exit statuses, options, how to resume
    errors                        errors that the user can fix: one line, exit status 2
    paths                         paths that a user gives, as paths of this machine
    csv_table                     csv files of tasks and results, read and checked by a schema
    hub, deadline                 access to the Hugging Face hub; time limits of network requests
    spec/                         the specification: YAML -> typed, validated settings
    tasks/                        labelled sequences: generated, published, csv files
    models/                       backbones, tokenizers, heads; the embedded opt-dna-mini
    training/                     one trial: model, adapters, optimizer, data; in any process
    storage/                      one study folder: journal, record, tables
    engine/                       runs studies with Ray Tune, Optuna, ASHA and MLflow
    analysis/                     a study folder -> numbers, sentences, pictures, report.html
    paper/                        the numbers published with the method

Imports go one way: commands -> engine -> training -> tasks, models; models -> adapters -> torch;
engine, analysis -> storage -> spec -> paper; tasks, analysis -> paper. Every layer except adapters
and paper may import spec. tests/test_architecture.py has the exact rules (`LAYERS`).

Glossary (the same names in YAML, code, Optuna, MLflow and tables):

    study           one search for the best settings of a space; one folder (storage/)
    space           the YAML of a study: every setting is a value or a domain (spec/schema.py)
    leaf            one setting of a space, e.g. `adapter.b0`; searched if it is a domain
    configuration   settings with one value each; in a comparison with a label
    trial           one configuration of a study, trained with its own seeds (training/trial.py)
    report          the metrics of a trial after one interval of steps; counted from 1
    rung            a report at which ASHA may stop a trial (engine/scheduling/rungs.py)
    objective       the metric that decides, e.g. `dev_mcc`, and its direction (spec/goals.py)
    point           settings that a study tries first (spec/points.py)
    finalists, race the best trials of a study, trained again with fresh seeds to choose the
                    winner (storage/race.py, engine/comparison/finalists.py)
    candidate       a trial in the race of the finalists
    winner          the trial that the race, or the best score, has chosen; `best.yaml`, `best/`
    benchmark       backbones x tasks x methods x seeds (spec/benchmark/, engine/benchmark/)
    cell            one backbone, task and method of a benchmark (spec/benchmark/cells.py)
    comparison      configurations trained with crossed seeds: `study.seeds` (engine/comparison/,
                    analysis/comparison/)
    opponent        a configuration of another method with all other settings of the first one
                    (spec/comparison/opponents.py)
    leader          the configuration that the others are compared with: the first, in a race the
                    best (analysis/comparison/analysis.py); of a study its best trial so far
    run             one training of a cell or of a compared configuration with given seeds; a row
                    of results.csv (storage/runs.py)
    MLflow run      the entry of a study, trial or run in MLflow (engine/tracking/)
    prefix          the steps of a run before its first mask event, which runs that differ only in
                    the mask can share (engine/comparison/shared_prefixes.py)
    replicate       one of several trials or runs with equal settings, each with other seeds
    factor          a kind of seed that is varied: mask, init, data (spec/comparison/schema.py)
    variance component  the part of a score's variance due to one factor or an interaction
                    (analysis/comparison/components/)
    event           one line of events.jsonl, the journal (storage/events.py)
    record          the state of all trials, computed from the events (storage/record.py)
    ledger          journal and record of a running study, updated together (storage/ledger.py)
    mask event      a step at which the allocator prunes (adapters/allocator.py)
    budget, kept, rank  triplets asked for; alive after the random mask; with non-zero lam
    method          adalora_rs, adalora, lora, fmft, linear_probe or peft
    backbone        a pretrained model and its tokenizer (models/)
    task            three splits of labelled sequences: train, dev, test (tasks/)
"""

__version__ = "0.1.0"
