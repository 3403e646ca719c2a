"""Several studies on one page, side by side.

comparing.py  the answer of each study; whether their scores can be compared
page.py       write_several: the page, from several.html.jinja and several.js
"""
