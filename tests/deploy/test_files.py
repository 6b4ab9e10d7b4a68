"""What is in deploy/, by the tools that know its languages, and what they cannot know: who may do what."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from agentgym.cluster.connection import _LEAST
from tests.kit import ROOT

DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}", **variables}
    return subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(
    "command",
    [
        ("hadolint", "deploy/Containerfile"),
        ("shellcheck", "deploy/slurm.sbatch"),
        ("yamllint", "--strict", "--config-file", "deploy/yamllint.yaml", "deploy"),
        ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml"),
        ("kubernetes-validate", "--strict", "deploy/kuberay.yaml"),
    ],
    ids=lambda command: command[0],
)
def test_it_is_well_formed(command: tuple[str, ...]) -> None:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


# -- the image ---------------------------------------------------------------------------------------------


def test_the_last_stage_is_not_root_and_builds_nothing() -> None:
    *_, last = re.split(r"^FROM ", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE)
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert "pip" not in last


def test_torch_is_that_of_the_project() -> None:
    (version,) = re.findall(r"torch==(\S+)", (DEPLOY / "Containerfile").read_text())
    assert f"torch=={version}" in (ROOT / "Makefile").read_text()


# -- compose -----------------------------------------------------------------------------------------------


COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


@pytest.mark.parametrize("name", COMPOSE)
def test_a_service_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = COMPOSE[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service, "nothing is open to others"
    assert not service.keys() & {"privileged", "user", "pid"}


def test_one_profile_has_a_gpu_and_the_other_does_not() -> None:
    (device,) = COMPOSE["train-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert "deploy" not in COMPOSE["train"]
    assert [COMPOSE[name]["profiles"] for name in ("train", "train-gpu")] == [["cpu"], ["gpu"]]


# -- Kubernetes --------------------------------------------------------------------------------------------


KUBERNETES = {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text())}
CLUSTER = KUBERNETES["RayJob"]["spec"]["rayClusterSpec"]
GROUPS = [CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]]

# Fields of KubeRay's own kinds, from its reference: https://ray-project.github.io/kuberay/reference/api/
JOB_FIELDS = {
    "entrypoint",
    "submissionMode",
    "shutdownAfterJobFinishes",
    "ttlSecondsAfterFinished",
    "activeDeadlineSeconds",
    "rayClusterSpec",
}
CLUSTER_FIELDS = {"rayVersion", "authOptions", "headGroupSpec", "workerGroupSpecs"}
HEAD_FIELDS = {"serviceType", "rayStartParams", "template"}
WORKER_FIELDS = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}


def test_fields_of_kuberay_are_known() -> None:
    job = KUBERNETES["RayJob"]
    assert job["apiVersion"] == "ray.io/v1"
    assert job["spec"].keys() <= JOB_FIELDS
    assert CLUSTER.keys() <= CLUSTER_FIELDS
    assert CLUSTER["headGroupSpec"].keys() <= HEAD_FIELDS
    assert all(group.keys() <= WORKER_FIELDS for group in CLUSTER["workerGroupSpecs"])
    for group in CLUSTER["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_ray_asks_for_a_token_and_is_open_to_nobody_else() -> None:
    assert CLUSTER["authOptions"] == {"mode": "token"}
    assert tuple(map(int, CLUSTER["rayVersion"].split(".")[:2])) >= _LEAST
    assert CLUSTER["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert "dashboard-host" not in CLUSTER["headGroupSpec"]["rayStartParams"]
    policy = KUBERNETES["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    labels = policy["podSelector"]["matchLabels"].items()
    assert all(labels <= group["template"]["metadata"]["labels"].items() for group in GROUPS)
    own, operator = policy["ingress"]
    assert own == {"from": [{"podSelector": policy["podSelector"]}]}
    assert operator["ports"] == [{"port": 8265}]
    assert not {"Ingress", "Service"} & KUBERNETES.keys()


def test_ray_is_one_that_the_extra_allows() -> None:
    tomllib = pytest.importorskip("tomllib")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (ray,) = map(Requirement, extras["ray"])
    assert CLUSTER["rayVersion"] in ray.specifier


def pods() -> Iterator[dict[str, Any]]:
    for group in GROUPS:
        yield group["template"]["spec"]


def test_pods_are_not_root_and_have_limits() -> None:
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"] == container["resources"]["requests"]
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
            assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}


def test_a_submitter_in_the_head_s_pod_needs_one_that_is_not_restarted() -> None:
    assert KUBERNETES["RayJob"]["spec"]["submissionMode"] == "SidecarMode"
    assert CLUSTER["headGroupSpec"]["template"]["spec"]["restartPolicy"] == "Never"


# -- Slurm, whose commands are played by others ------------------------------------------------------------


STAND_IN = """#!/usr/bin/env bash
printf '%s %s\\n' "${0##*/}" "$*" >>"$LOG"
case ${0##*/} in
scontrol) [ "$1" != show ] || printf 'node1\\nnode2\\n' ;;
srun) while [ "$1" != ray ] && [ "$1" != torchrun ]; do shift; done; "$@" ;;
python) echo secret ;;
agentgym) until [ "$(grep -c '^ray start' "$LOG")" -ge 2 ]; do sleep 0.01; done ;;  # it takes longer than that
esac
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a job runs, with a log of what it typed."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("scontrol", "srun", "agentgym", "ray", "torchrun", "python"):
        (commands / name).write_text(STAND_IN)
        (commands / name).chmod(0o755)
    job = {"JOB_ID": "7", "JOB_NODELIST": "node[1-2]", "NNODES": "2", "CPUS_PER_TASK": "4"}
    for name, value in job.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(folder: Path, *words: str) -> tuple[int, list[str], str]:
    done = subprocess.run(["bash", DEPLOY / "slurm.sbatch", *words], capture_output=True, text=True, timeout=60)
    log = folder / "log"
    return done.returncode, log.read_text().splitlines() if log.exists() else [], done.stderr


def test_torchrun_meets_at_the_first_node(slurm: Path) -> None:
    code, log, errors = typed(slurm, "torchrun", "--env", "webshop", "--output", "runs/a")
    assert code == 0, errors
    (line,) = [line for line in log if line.startswith("torchrun")]
    assert "--nnodes 2 --nproc-per-node 1" in line
    assert "--rdzv-endpoint node1:20007" in line
    assert line.endswith("-m agentgym train --env webshop --output runs/a")


def test_ray_has_a_token_that_is_gone_afterwards(slurm: Path) -> None:
    code, log, errors = typed(slurm, "ray", "--env", "webshop")
    assert code == 0, errors
    assert "agentgym train --cluster ray:node1:20007 --env webshop" in log
    (head,) = [line for line in log if line.startswith("ray start --head")]
    assert "--dashboard-host 127.0.0.1" in head
    assert "ray start --block --address node1:20007 --num-cpus 4" in log
    assert not list(slurm.glob(".ray-token-*"))


def test_a_job_that_is_queued_again_goes_on(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    (slurm / "runs").mkdir()
    (slurm / "runs" / "config.json").write_text("{}")
    _, log, _ = typed(slurm, "torchrun", "--env", "webshop", "--output", "runs")
    assert [line for line in log if line.endswith("-m agentgym train --resume runs")]


@pytest.mark.parametrize(
    ("words", "told"),
    [([], "type: sbatch deploy/slurm.sbatch torchrun"), (["mpi"], '"mpi" is no way to work together')],
)
def test_what_cannot_be_is_told(words: list[str], told: str, slurm: Path) -> None:
    code, _, errors = typed(slurm, *words)
    assert code != 0
    assert told in errors
