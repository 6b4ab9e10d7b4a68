"""The shape of the project: links, imports, layers, what is shipped, and what its source must not contain."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.apart import apart

ROOT = Path(__file__).parent.parent
LINKED = ("environments", "rewards", "trainers")
SOURCES = sorted(
    file
    for folder in ("agentgym", *LINKED)
    for file in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in file.parts
)


@pytest.mark.parametrize("name", LINKED)
def test_the_links_are_relative_and_resolve(name: str) -> None:
    link = ROOT / "agentgym" / name
    assert link.is_symlink()
    assert os.readlink(link) == f"../{name}"
    assert link.resolve() == ROOT / name
    assert (link / "__init__.py").is_file()


@pytest.mark.parametrize("name", LINKED)
def test_a_linked_package_has_one_import_name(name: str) -> None:
    python("-c", f"import agentgym.{name}")
    bare = subprocess.run(
        [sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert bare.returncode == 1
    assert f"import agentgym.{name}, not {name}" in bare.stderr


def outcome(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def python(*arguments: str) -> str:
    done = outcome(sys.executable, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_agentgym_imports_nothing_heavy() -> None:
    loaded = python("-c", "import agentgym, sys; print(*sys.modules)").split()
    heavy = {"torch", "vllm", "transformers", "ray", "matplotlib", "scipy", "bm25s", "rich", "prompt_toolkit"}
    assert heavy & set(loaded) == set()


def test_importing_a_trainer_loads_no_torch() -> None:
    """An unknown setting is told in under a second; torch alone takes longer."""
    trainers = sorted(file.stem for file in (ROOT / "trainers").glob("[!_]*.py"))
    heavy = "print({'torch', 'transformers'} & set(sys.modules))"
    found = apart("import agentgym", [f"import agentgym.trainers.{name}\n{heavy}" for name in trainers])
    assert dict(zip(trainers, found, strict=True)) == dict.fromkeys(trainers, "set()\n")


def test_an_unknown_name_or_key_is_told_before_torch_is_loaded() -> None:
    given: list[dict[str, object]] = [
        {"env": "webshpo"},
        {"env": "webshop", "updaets": 3},
        {"env": {"id": "webshop", "catalog": "x"}},
        {"env": "webshop", "trainer": {"group_siz": 4}},
        {"env": "webshop", "model": {"widht": 4}},
        {"env": "webshop", "rewards": {"sucess": 1}},
        {"env": "webshop", "protocol": "plian"},
    ]
    program = """
try:
    agentgym.train({})
except agentgym.errors.UserError as error:
    print(error, "torch" in sys.modules)
"""
    for settings, told in zip(given, apart("import agentgym", map(program.format, given)), strict=True):
        assert told.startswith("unknown "), settings
        assert told.endswith("False\n"), settings


def test_the_layers_hold() -> None:
    done = outcome(Path(sys.executable).with_name("lint-imports"), "--no-cache")
    assert done.returncode == 0, done.stdout


def test_every_module_has_a_layer() -> None:
    """A new module that no layer names would be free of the contract."""
    import tomllib

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = {
        name.strip(" ()").removeprefix("agentgym.") for layer in contracts[0]["layers"] for name in layer.split("|")
    }
    modules = {file.stem if file.is_file() else file.name for file in (ROOT / "agentgym").iterdir() if is_module(file)}
    assert modules - named == set()


def test_no_module_imports_itself_in_the_end() -> None:
    """Nor by way of others, imports for types among them."""
    import grimp

    graph = grimp.build_graph("agentgym", cache_dir=None)
    left = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while free := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in free}
    assert sorted(left) == []


def test_files_are_of_a_size_to_be_read() -> None:
    """Of more than 400 lines a file is usually two nouns; what launches is kept smaller still."""
    lengths = {file.relative_to(ROOT): len(file.read_text().splitlines()) for file in SOURCES}
    assert {file: length for file, length in lengths.items() if length > 400} == {}
    launch = Path("agentgym/launch")
    assert {file: length for file, length in lengths.items() if file.is_relative_to(launch) and length > 250} == {}


def is_module(path: Path) -> bool:
    if path.name.startswith("__") or path.name == "py.typed":
        return False
    return path.suffix == ".py" or (path / "__init__.py").is_file()


PICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
TRIES_OUT = {ROOT / "agentgym" / "pickling.py"}
"""It looks whether somebody else could pickle an environment, and writes and reads no pickle itself."""
CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "torch.save", "np.load", "numpy.load"}


def test_no_source_unpickles_or_evaluates() -> None:
    assert SOURCES
    found = [found for file in SOURCES if file not in TRIES_OUT for found in dangers(file)]
    assert found == []
    assert [len(dangers(file)) for file in TRIES_OUT] == [1]
    assert all("loads" not in file.read_text() for file in TRIES_OUT)


def dangers(file: Path) -> list[str]:
    """Where a file imports a pickler, evaluates text, or loads with a pickler inside."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Import(names=names):
                used = {alias.name.partition(".")[0] for alias in names} & PICKLERS
            case ast.ImportFrom(module=str(module)):
                used = {module.partition(".")[0]} & PICKLERS
            case ast.Call(func=function):
                used = {ast.unparse(function)} & CALLS
            case _:
                continue
        found += [f"{file}:{node.lineno}: {name}" for name in used]
    return found


def test_the_search_for_dangers_finds_them(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("import pickle\nfrom dill import loads\neval('1')\nimport torch\ntorch.load('x')\nmodel.eval()\n")
    assert len(dangers(file)) == 4


def test_environments_know_no_trainer_and_trainers_no_environment() -> None:
    for folder, other in (("environments", "trainers"), ("trainers", "environments")):
        for file in (ROOT / folder).rglob("*.py"):
            assert f"agentgym.{other}" not in file.read_text(), file


@pytest.mark.slow
def test_the_wheel_holds_the_tree(tmp_path: Path) -> None:
    tracked = outcome("git", "ls-files").stdout.splitlines()
    for name in tracked:  # a copy: building in place leaves folders behind, and takes up what earlier builds left
        copy = tmp_path / "copy" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy, follow_symlinks=False)
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(tmp_path)]
    python("-m", "pip", "wheel", *options, str(tmp_path / "copy"))
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if not name.split("/")[0].endswith(".dist-info")}
    own = [name for name in tracked if name.startswith(("agentgym/", *(f"{name}/" for name in LINKED)))]
    expected = {name if name.startswith("agentgym/") else f"agentgym/{name}" for name in own}
    expected -= {f"agentgym/{name}" for name in LINKED}
    assert packed == expected
