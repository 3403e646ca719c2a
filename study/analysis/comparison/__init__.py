"""Statistics of comparison folders: scores over seeds, paired tests, variance components.

    results.py     results.csv and spec.yaml -> ComparisonResults
    outputs.py     labels.npz and outputs/ -> predicted classes and kept triplets
    design.py      scores by configuration and seeds -> Design
    scale.py       Fisher's z or logit scale for scores near their limits
    analysis.py    analyse(folders) -> Analysis, all numbers
    scores/        means, paired comparisons, several tasks
    components/    variance components by REML; number of runs needed
    agreement/     overlap of kept triplets, ranks, differing predictions
    sentences/     the results in sentences
    page/          tables/, figures and report.html

`analyse` computes, `write_analysis` writes. Only results.csv, spec.yaml, labels.npz and outputs/
are read; neither Ray nor torch is needed. README.md describes the statistics for users.
"""

from study.analysis.comparison.analysis import Analysis, analyse
from study.analysis.comparison.page.page import write_analysis

__all__ = ["Analysis", "analyse", "write_analysis"]
