"""Reports: the folder of a study, comparison or benchmark -> numbers, sentences, pictures, pages.

    study/        a study folder -> report.html: settings, winner, race, learning curves, ranks
    comparison/   results.csv of a comparison -> statistics over seeds, report.html
    benchmark/    results.csv of a benchmark -> the paper's tables and figures, report.html
    hurdle/       runs without a usable score: rates, the range of guessing
    several/      several studies side by side on one page
    html.py       fills a page template; writes files atomically
    base.html.jinja  the frame of all pages
    shell/        style and scripts of all pages; its README is the guide to charts
    figure.py     Figure: the numbers and words of a chart that a script draws
    text.py       how values are shown in tables and sentences
    layers.py     module name -> layer and matrix (q, k, v, o, f1, f2)
    drawing.py    the colours, style and SVG output that all pictures share

Each of the packages has its own map. Only their writing functions change files. Neither Ray
nor torch is imported, so that a report can be written on a machine without them, and while a study
runs; tests/test_architecture.py enforces this.
"""
