"""What a study will cost, before it is started: `study.run --calibrate`.

Map:

    calibration.py  times trials at the corners of the space, as many at once as are planned
    duration.py     the wall time of a study: trials that may stop early, race, start of workers
    memory.py       the memory of all processes

The trial itself is timed by study/training/timing.py.
"""
