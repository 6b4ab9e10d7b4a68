"""The image is built and used as a stranger would: not root, without a network, on a disk that cannot be written.

There is no registry to take the base from: it is made of this machine's package sources, as that of sandboxes is.
Wheels are fetched here, by pip as it is set up here, for the Python that the base has; the build needs no network.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentgym.sandbox.images import Recipe, ensure
from tests.kit import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.slow]

BASE = Recipe("python", "bookworm", ("ca-certificates", "python3", "python3-venv"))
PYTHON = "3.11.2"
"""That of the base: a wheel may want a later one."""
TAG = "agentgym-deploy-test"
CONFINED = [
    "--rm",
    "--network=none",
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
]
TINY = "--updates 1 --warm_start.max_updates 2 --warm_start.check_every 2 --trainer.groups 2 --trainer.group_size 2"


def done(*command: str | Path) -> str:
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=1200)
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-4000:]
    return ran.stdout


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    context = tmp_path_factory.mktemp("context")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, context / name, follow_symlinks=False)
    wheels, pip = context / "wheels", [sys.executable, "-m", "pip"]
    done(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, context)
    (own,) = wheels.glob("agentgym*")
    only = ["--only-binary=:all:", f"--python-version={PYTHON}"]
    done(*pip, "download", "--quiet", *only, "--dest", wheels, "torch==2.13.0", "setuptools>=77", own)
    own.unlink()
    shutil.rmtree(context / "build", ignore_errors=True)
    arguments = ["--build-arg", f"BASE={ensure(BASE)}", "--build-arg", "PIP_NO_INDEX=1", "--network", "none"]
    done(
        "docker", "build", "--quiet", "--file", context / "deploy" / "Containerfile", "--tag", TAG, *arguments, context
    )
    yield TAG
    subprocess.run(["docker", "image", "rm", "--force", TAG], capture_output=True)


def inside(image: str, script: str) -> str:
    return done("docker", "run", *CONFINED, "--entrypoint", "sh", image, "-c", script).strip()


def test_it_trains_where_nothing_else_is_allowed(image: str) -> None:
    train = f"agentgym train --env webshop {TINY} --eval.episodes 4 --eval.validation_episodes 4 --output /runs/tiny"
    told = inside(image, f"{train} >/tmp/log 2>&1 || cat /tmp/log; cat /runs/tiny/report.json")
    assert json.loads(told)["eval"]["after"]["episodes"] == 4


def test_the_machine_is_sound_there(image: str) -> None:
    told = done("docker", "run", *CONFINED, image, "doctor", "--machine")
    assert "fail" not in told.lower().split()


def test_nobody_is_root_and_nothing_builds(image: str) -> None:
    assert inside(image, "id -u; id -g; ls -ld /runs | cut -d' ' -f3").split() == ["10001", "10001", "agent"]
    assert inside(image, "command -v gcc cc g++ ld make cmake pip pip3 || echo none") == "none"
    changeable = r"find /opt /usr /etc -xdev \( -user agent -o -type f -perm -o+w \) 2>/dev/null || true"
    assert inside(image, changeable) == ""
