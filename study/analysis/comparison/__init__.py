"""What many seeds say: is the winner the winner, is p > 0 better, and whose luck is a score?

Map, from comparison folders to their pages:

    reading.py       results.csv -> Comparison: the runs of every configuration
    asked.py         spec.yaml: whether it is a race; the metric of the search
    outputs.py       labels.npz and outputs/: predicted classes, kept triplets
    statistics.py    IQM, CVaR, stratified bootstrap, P(improvement), Holm
    crossed.py       the mean of scores that share seeds: interval and p-value
    summary.py       a configuration over its seeds; failed and collapsed runs
    questions.py     which configurations are compared, and what for
    paired.py        two configurations on equal seeds
    stability.py     kept triplets and ranks across seeds
    disagreement.py  examples that another seed puts into another class
    tasks.py         several tasks: ranks, Wilcoxon, critical difference
    pooled.py        several tasks: IQM and P(improvement) with tasks as strata
    luck.py          variance components and further runs of a folder
    analysis.py      analyse: all of it, as numbers
    words.py         the answers in sentences; run_words.py: what was run; luck_words.py:
                     whose luck; task_words.py: what several tasks say; wording.py: how numbers
                     read in them; pair_words.py: what is said of a pair
    tables.py        the numbers as csv
    pictures.py      what the pictures show; plots.py draws it (matplotlib is there alone)
    page.py          write_analysis: tables/ and report.html

Map, variance components:

    design.py      configuration, seeds and score of every run -> Design; what is missing
    terms.py       the model: mask, init, data, their interactions; what a design can tell apart
    strata.py      a complete grid of scores as independent mean squares
    reml.py        the components by REML, from mean squares or from scores in any design
    draws.py       components that the scores admit, at random; missing scores too
    intervals.py   limits of components and shares from these
    components.py  all of it: variance_components(design) -> estimates, shares, intervals, reasons
    further.py     how many more seeds settle a difference, or the share of the mask
    scale.py       the scale on which scores near their limits are compared

All of it reads results.csv and what lies beside it; neither Ray nor torch is needed.
"""

from study.analysis.comparison.analysis import Analysis, analyse
from study.analysis.comparison.page.page import write_analysis

__all__ = ["Analysis", "analyse", "write_analysis"]
