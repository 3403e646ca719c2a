"""Launching a study where a cluster's own queue decides when: `python -m study.cluster slurm …`.

    __main__.py         the command: options, and the study's own arguments behind `--`
    launch.py           what is to be launched, checked as far as it can be from here
    slurm.sh.jinja      a batch script: Ray's head on the first node, workers on the others
    kuberay.yaml.jinja  a RayJob: KubeRay makes the cluster, runs the study, removes the cluster
    ray_up.yaml.jinja   a cluster of machines that answer to ssh, for `ray up`

Nothing here starts anything: what is printed is meant to be read, and kept beside the study.
"""
