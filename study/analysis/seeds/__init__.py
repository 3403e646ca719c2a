"""What runs with many seeds say: how much of a score is luck, and whose.

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

numpy and scipy alone; neither Ray nor torch.
"""
