"""`python -m study.cluster`: bad options, the RayJob of KubeRay, the cluster of `ray up`."""

import pytest
import ray
from ray.autoscaler._private.util import prepare_config, validate_config
from ruamel.yaml import YAML

from study.cluster.__main__ import main

STUDY = ("--", "--space", "adalora_rs", "--storage", "/shared/my runs")
KUBERAY = ("kuberay", "--image", "lab/study:1", "--claim", "data")
RAY_UP = ("ray-up", "--head", "10.0.0.1", "--user", "me")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "required"),
        (("slurm", *STUDY), "--time"),
        (("slurm", "--time", "soon", *STUDY), "--time: must be like 12:00:00, but got 'soon'"),
        (("slurm", "--time", "60", "--nodes", "0", *STUDY), "must be at least 1, but got 0"),
        (("slurm", "--time", "60", "--nodes", "two", *STUDY), "must be a number, but got 'two'"),
        (("slurm", "--time", "60", "--partition", "a b", *STUDY), "--partition: must be like"),
        (("slurm", "--time", "60", "--mem", "64 GB", *STUDY), "--mem: must be like 64G, or 0"),
        (("slurm", "--time", "60", "--qos", "a\n#SBATCH x", *STUDY), "--qos: must be like"),
        (("slurm", "--time", "60", "--gres", "gpu:", *STUDY), "--gres: must be like gpu:4"),
        (("slurm", "--time", "60", "--gres=gpu:2", "--gpus-per-node=2", *STUDY), "leave one out"),
        (("slurm", "--time", "60", "--log-dir", "/no", *STUDY), "must be an existing folder"),
        (("slurm", "--time", "60", "--log-dir", "", *STUDY), "--log-dir: must be a path"),
        (("slurm", "--time", "60"), "--space is required"),
        (("slurm", "--time", "60", *STUDY, "--sapce", "x"), "unrecognized arguments"),
        (("slurm", "--time", "60", *STUDY, "--trials", "0"), "trials >= 1 must hold"),
        (("slurm", "--time", "60", "--", "--space", "nowhere.yaml"), "must be an absolute path"),
        (("slurm", "--time", "60", *STUDY, "--resume"), "--resume: must not be given"),
        (("slurm", "--time", "60", *STUDY, "--extend", "4"), "error: --extend: must not be given"),
        (("slurm", "--time", "60", *STUDY, "--extend=4"), "the number of all trials as --trials"),
        (("slurm", "--time", "60", *STUDY, "--address", "auto"), "--address: must not be given"),
        (("slurm", "--time", "60", *STUDY, "--no-token"), "--no-token: must not be given"),
        (("slurm", "--time", "60", *STUDY, "--print-schema"), "--print-schema: must not be"),
        (("slurm", "--time", "60", "--job-name", "…", *STUDY), "must have letters or digits"),
        ((*KUBERAY, "--mount", "/data", *STUDY), "must be below /data"),
        ((*KUBERAY, "--memory", "lots", *STUDY), "--memory: must be like 32Gi"),
        ((*RAY_UP, *STUDY), "ray-up: must not have a study"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as end:
        raise SystemExit(main(arguments))
    printed = capsys.readouterr()
    assert end.value.code == 2
    assert message in printed.err.splitlines()[-1]
    assert printed.out == ""


def test_a_rayjob_has_what_kuberay_needs(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--nodes", "3", "--gpus-per-node", "2", "--cpus-per-node", "16", "--memory", "64Gi")
    assert main([*KUBERAY, *options, *STUDY, "--name", "A _name_"]) == 0
    job = YAML(typ="safe").load(capsys.readouterr().out)
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job["metadata"]["name"] == "a-name"
    spec = job["spec"]
    assert spec["entrypoint"] == (
        "python -m study.run --space adalora_rs --storage '/shared/my runs' --name 'A _name_' "
        "--address auto $(test ! -e '/shared/my runs/A _name_/spec.yaml' || echo --resume)"
    )
    assert spec["shutdownAfterJobFinishes"] is True
    cluster = spec["rayClusterSpec"]
    assert cluster["rayVersion"] == ray.__version__
    assert cluster["authOptions"] == {"mode": "token"}
    head = cluster["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    [workers] = cluster["workerGroupSpecs"]
    assert [workers[key] for key in ("replicas", "minReplicas", "maxReplicas")] == [3, 3, 3]
    assert workers["groupName"]
    assert workers["rayStartParams"] == {}
    for group in (head, workers):
        pod = group["template"]["spec"]
        [container] = pod["containers"]
        assert container["image"] == "lab/study:1"
        [mount] = container["volumeMounts"]
        [volume] = pod["volumes"]
        assert mount == {"name": volume["name"], "mountPath": "/shared"}
        assert volume["persistentVolumeClaim"] == {"claimName": "data"}
    limits = workers["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "2"}
    limits = head["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert "nvidia.com/gpu" not in limits


@pytest.mark.parametrize("workers", [(), ("10.0.0.2", "10.0.0.3")])
def test_ray_accepts_the_cluster_of_ray_up(
    capsys: pytest.CaptureFixture[str], workers: tuple[str, ...]
) -> None:
    setup = ("--setup", 'source "/opt/v/bin/activate"')
    assert main([*RAY_UP, *setup, *(("--workers", *workers) if workers else ())]) == 0
    config = YAML(typ="safe").load(capsys.readouterr().out)
    assert config["provider"]["worker_ips"] == list(workers)
    for command in config["head_start_ray_commands"] + config["worker_start_ray_commands"]:
        begins = 'source "/opt/v/bin/activate" && export RAY_AUTH_MODE=token && ray '
        assert command.startswith(begins)
    assert config["file_mounts"] == {"~/.ray/auth_token": "~/.ray/auth_token"}
    assert any("--dashboard-host=127.0.0.1" in c for c in config["head_start_ray_commands"])
    validate_config(prepare_config(config))


def test_a_space_may_be_a_path_that_exists_only_in_the_pods(
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = ("--", "--space", "/shared/spaces/mine.yaml", "--storage", "/shared/runs")
    assert main([*KUBERAY, *study]) == 0
    assert "/shared/runs/mine/spec.yaml" in capsys.readouterr().out
