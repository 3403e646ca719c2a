"""Print a job file that runs a study on a cluster: `python -m study.cluster slurm … -- --space …`.

After `--` come the arguments of study.run; the address of the cluster is added to them and, once
the study's folder exists, --resume. Exit status: 0 done, 2 bad input.
"""

import argparse
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath

from study.cli import DONE, Parser, exit_with, path_option, run_command
from study.cluster.launch import job_name, launch, render
from study.errors import InputError

Option = Callable[..., argparse.Action]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    cut = given.index("--") if "--" in given else len(given)
    study = given[cut + 1 :]

    def run(arguments: argparse.Namespace) -> int:
        print(arguments.render(arguments, study), end="")  # noqa: T201
        return DONE

    return run_command(run, parse(given[:cut]))


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line up to `--`."""
    parser = Parser.of(
        "cluster",
        "Print a job file that runs a study on a cluster: a Slurm script, a RayJob for KubeRay, "
        "or a cluster for `ray up`. The study's arguments follow after `--`.",
        [
            "slurm --help",
            "slurm --time 12:00:00 -- --space adalora_rs --storage /shared/runs > job.sh",
            "kuberay --image IMAGE --claim VOLUME -- --space adalora_rs --storage /shared/runs",
            "ray-up --head HOST --workers HOST HOST --user ME > cluster.yaml",
        ],
    )
    targets = parser.add_subparsers(required=True, metavar="slurm|kuberay|ray-up")
    add = _target(targets.add_parser("slurm", help="a batch script for sbatch"), slurm)
    add("--nodes", type=_count, default=1, metavar="N", help="number of nodes (1)")
    add("--time", type=_TIME, metavar="TIME", required=True, help="12:00:00, or 1-12 for 36 hours")
    for name, (kind, metavar, text) in REQUESTS.items():
        add(f"--{name}", type=kind, metavar=metavar, help=text)
    text = "generic resources of a node, in place of --gpus-per-node, e.g. gpu:a100:4"
    add("--gres", type=_GRES, metavar="LIST", help=text)
    text = "existing folder of the log NAME-JOBID.log (where sbatch is called)"
    add("--log-dir", type=path_option, metavar="DIR", help=text)
    add("--setup", default="", metavar="SHELL", help="runs first, e.g. source venv/bin/activate")
    add = _target(targets.add_parser("kuberay", help="a RayJob for kubectl"), kuberay)
    add(
        "--nodes",
        type=_count,
        default=1,
        metavar="N",
        help="number of workers, besides the head (1)",
    )
    add("--image", required=True, help="a container image with this package and Ray")
    add("--claim", type=_NAME, required=True, help="volume claim that the pods share")
    add(
        "--mount",
        type=PurePosixPath,
        default=PurePosixPath("/shared"),
        help="path of the claim (/shared)",
    )
    add("--memory", type=_SIZE, default="32Gi", help="memory of every pod (32Gi)")
    add = _target(targets.add_parser("ray-up", help="a cluster for `ray up`"), ray_up, study=False)
    add("--head", type=_NAME, required=True, metavar="HOST", help="first machine")
    add("--workers", type=_NAME, nargs="*", default=[], metavar="HOST", help="other machines")
    add("--user", type=_NAME, required=True, help="user for ssh")
    add(
        "--setup",
        default="",
        metavar="SHELL",
        help="runs before Ray, e.g. source venv/bin/activate",
    )
    return parser.parse_args(argv)


def _target(
    parser: argparse.ArgumentParser, make: Callable[..., str], study: bool = True
) -> Option:
    parser.set_defaults(render=make)
    parser.add_argument("--job-name", metavar="NAME", help="name of the job (the study's)")
    if study:
        parser.add_argument(
            "--benchmark", action="store_true", help="the arguments are study.benchmark's"
        )
        parser.add_argument(
            "--gpus-per-node", type=_number, default=0, metavar="N", help="GPUs per node (0)"
        )
        parser.add_argument(
            "--cpus-per-node", type=_count, default=8, metavar="N", help="CPU cores per node (8)"
        )
    return parser.add_argument


def _number(text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text):
        raise argparse.ArgumentTypeError(f"must be a number, but got {text!r}")
    return int(text)


def _count(text: str) -> int:
    if _number(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, but got {text}")
    return int(text)


def _word(pattern: str, example: str) -> Callable[[str], str]:
    """Returns an argparse type for text that is written without quotes."""

    def word(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"must be like {example}, but got {text!r}")
        return text

    return word


_FEATURES = _word(r"[\w.,:&|*()\[\]-]+", "a100 or 'a100|h100'")
_GRES = _word(r"\w+(:[\w.-]+){0,2}(,\w+(:[\w.-]+){0,2})*", "gpu:4 or gpu:a100:4")
_TIME = _word(r"(\d+-)?\d+(:\d{2}){0,2}", "12:00:00")
_NAME = _word(r"[\w.,:-]+", "gpu_1 or 10.0.0.1")
_SIZE = _word(r"\d+[KMGT]i", "32Gi")
_MEMORY = _word(r"\d+[KMGT]?", "64G, or 0 for all of a node")
REQUESTS = {
    "partition": (_NAME, "NAME", "partition of the job"),
    "account": (_NAME, "NAME", "account that is charged"),
    "qos": (_NAME, "NAME", "quality of service"),
    "mem": (_MEMORY, "SIZE", "memory of a node, e.g. 64G; 0: all of it"),
    "constraint": (_FEATURES, "LIST", "features that nodes must have"),
    "exclude": (_NAME, "NODES", "nodes that are not used"),
    "reservation": (_NAME, "NAME", "reservation of the job"),
}
"""Options of `slurm` that become lines of the script as they are."""


def slurm(arguments: argparse.Namespace, study: Sequence[str]) -> str:
    """Returns the batch script of a study."""
    job = launch(study, benchmark=arguments.benchmark, read_space=True, name=arguments.job_name)
    options = _options(arguments)
    options["gpus_per_node"] = _gpus(arguments)
    given = {name: options[name] for name in REQUESTS if options[name] is not None}
    output = _output(arguments.log_dir, job.name)
    return render(
        "slurm.sh.jinja", job=job, here=Path.cwd(), requests=given, output=output, **options
    )


def _gpus(arguments: argparse.Namespace) -> int:
    """Returns the GPUs of a node; those of --gres, if it is given.

    Raises:
        InputError: the number of GPUs is also given as --gpus-per-node.
    """
    if arguments.gres is None:
        return int(arguments.gpus_per_node)
    if arguments.gpus_per_node:
        raise InputError(
            "--gres: must be given without --gpus-per-node, which asks for the same, but got "
            f"{arguments.gres} and {arguments.gpus_per_node}; leave one out"
        )
    gpus = 0
    for name, *rest in (one.split(":") for one in arguments.gres.split(",")):
        if name == "gpu":
            gpus += int(rest[-1]) if rest and rest[-1].isdecimal() else 1
    return gpus


def _output(folder: Path | None, name: str) -> str:
    """Returns the log file as Slurm reads it; %j is the job's number.

    Raises:
        InputError: the folder does not exist; Slurm would end the job without a word.
    """
    if folder is None:
        return f"{name}-%j.log"
    if not folder.is_dir() or re.search(r'["\\]', str(folder)):
        raise InputError(
            f"--log-dir: must be an existing folder without quotes and backslashes, but got "
            f"{str(folder)!r}; make it first"
        )
    path = str(folder.absolute()).replace("%", "%%")
    return f'"{path}/{name}-%j.log"' if " " in path else f"{path}/{name}-%j.log"


def kuberay(arguments: argparse.Namespace, study: Sequence[str]) -> str:
    """Returns the RayJob of a study."""
    job = launch(study, benchmark=arguments.benchmark, read_space=False, name=arguments.job_name)
    if arguments.mount not in PurePosixPath(job.study).parents:
        raise InputError(
            f"--storage: must be below {arguments.mount}, where the pods see the claim, but got "
            f"{job.study.parent}; give another, or another --mount"
        )
    ray_version = metadata.version("ray")
    return render("kuberay.yaml.jinja", job=job, ray_version=ray_version, **_options(arguments))


def ray_up(arguments: argparse.Namespace, study: Sequence[str]) -> str:
    """Returns the cluster file, for any number of studies."""
    if study:
        raise InputError(
            "ray-up: must not have a study after `--`, as its cluster is for many, but got "
            f"{shlex.join(study)[:60]}; submit studies with `ray job submit`"
        )
    name = job_name(arguments.job_name or "studies")
    return render("ray_up.yaml.jinja", name=name, **_options(arguments))


def _options(arguments: argparse.Namespace) -> dict[str, object]:
    return {name: value for name, value in vars(arguments).items() if name != "render"}


if __name__ == "__main__":
    exit_with(main)
