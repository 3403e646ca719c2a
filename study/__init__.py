"""Hyperparameter and robustness studies of AdaLoRA+RS on genomic classification.

    run, report, export           the commands: `python -m study.run --space adalora_rs.yaml`
    card, pretrain                how the embedded backbone was made and measured
    cluster/                      a command too: what launches a study on a cluster
    spec/                         what is asked: YAML -> typed, checked settings
    tasks/                        labelled sequences, generated, published or your own
    models/                       backbones, tokenizers, heads; the embedded opt-dna-mini
    training/                     one configuration, trained, in any process
    engine/                       the study: Ray Tune, Optuna, ASHA, MLflow, one journal
    analysis/                     a study folder -> report.html

Imports go one way: commands -> engine -> training -> models, tasks -> adapters -> torch; `spec`
is open to all, `analysis` to the commands alone.
"""

__version__ = "0.1.0"
