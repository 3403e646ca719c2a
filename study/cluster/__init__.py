"""Job files that run a study on a cluster: `python -m study.cluster slurm …`.

    __main__.py         the command: its options, and the study's arguments after `--`
    launch.py           the study's arguments, checked as far as possible here; the templates
    slurm.sh.jinja      a batch script: Ray's head on the first node, workers on the others
    kuberay.yaml.jinja  a RayJob: KubeRay creates the cluster, runs the study, removes the cluster
    ray_up.yaml.jinja   a cluster of machines with ssh, for `ray up`

The command only prints; nothing is started.
"""
