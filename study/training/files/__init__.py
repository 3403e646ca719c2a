"""The files of a trained trial: written by `save_artifacts`, read by `load_trained`.

Map:

    artifacts.py     writes a trained trial to files
    mask_events.py   the triplets that every mask event kept, as arrays of one of the files
    identity.py      what these files are of: settings and seeds
    trained.py       the trained model, from these files
"""
