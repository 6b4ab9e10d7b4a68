"""Software tasks and Harbor's: what is compared, what is taken from an agent, how tasks are read and split."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_TESTS = "tests/unit/environments/test_"

MODULES = (
    Module(
        "environments/swe/grading.py",
        (f"{_TESTS}swe_judging.py",),
        (
            Mutation("numbers as truth values", "told.get(number) != {answer}]", "answer not in told.get(number, ())]"),
            Mutation("the last word counts", "told.setdefault(number, set()).add(values)", "told[number] = {values}"),
            Mutation("true is the number 1", "number if type(number) is int else -1", "number"),
            Mutation("deep nonsense is an error", "(ValueError, TypeError, RecursionError)", "(ValueError, TypeError)"),
            Mutation("losses are gains", "max(before - after, 0) / before", "abs(before - after) / before"),
        ),
    ),
    Module(
        "environments/swe/artifact.py",
        (f"{_TESTS}swe_judging.py",),
        (
            Mutation("links are files", 'return entry.kind == "f" and', "return"),
            Mutation("what hides is taken", "and not hidden and", "and"),
            Mutation("any file is taken", ' and parts[-1].endswith(".py")', ""),
            Mutation("conftest is taken", " and parts[-1] not in _NEVER", ""),
            Mutation("one file too many", "len(taken) > _MOST_FILES:", "len(taken) > _MOST_FILES + 1:"),
            Mutation("any size", "> _MOST_BYTES:", "> 2 * _MOST_BYTES:"),
            Mutation("what is gone comes back", " if not path.startswith(source)}", "}"),
        ),
    ),
    Module(
        "environments/swe/judge.py",
        (f"{_TESTS}swe_judging.py",),
        (
            Mutation("only what failed is tried", "if trial.failing or path in changed]", "if trial.failing]"),
            Mutation("other files change nothing", "    if not changed <= by_path.keys():\n", "    if False:\n"),
        ),
    ),
    Module(
        "environments/swe/slicing.py",
        (f"{_TESTS}swe_tasks.py",),
        (
            Mutation("what it needs needs nothing", "        waiting += sorted(new)\n", ""),
            Mutation("all is needed", "(used & defined.keys()) - needed", "set(defined) - needed"),
        ),
    ),
    Module(
        "environments/swe/tasks.py",
        (f"{_TESTS}swe_tasks.py",),
        (
            Mutation("the seed does not matter", "[seed, int(level[1:]), number]", "[0, int(level[1:]), number]"),
            Mutation("one bug is enough", '2 if level == "s4" else 1', "1"),
            Mutation("a repair anywhere", "found.strip() and wrong.count(found) == 1", "found.strip()"),
            Mutation("words name the function", 'if level in ("s3", "s4"):', "if False:"),
        ),
    ),
    Module(
        "environments/harbor/form.py",
        (f"{_TESTS}harbor_form.py",),
        (
            Mutation("the internet is off", "setting.allow_internet is not False", "False"),
            Mutation("links are files", " and not file.is_symlink()", " and file.name != 'count.sh'"),
            Mutation("GPUs are there", "bool(environment.gpus),", "False,"),
            Mutation("a verifier of its own", "verifier.environment is not None,", "False,"),
            Mutation("no place is told", "task.toml'}: {place}: {problem", "task.toml'}: {problem"),
        ),
    ),
    Module(
        "environments/harbor/verifier.py",
        (f"{_TESTS}harbor_form.py",),
        (
            Mutation("the verdict is carried", "if not _is_under(entry.path, OURS)\n        and (", "if ("),
            Mutation("what the image has is left out", "entry.what == getattr(", "False and entry.what == getattr("),
            Mutation("modules may shadow", "shadows = name", "shadows = False and name"),
            Mutation("hooks of site-packages", 'or name.endswith(".pth") or', "or"),
            Mutation("programs on the path", "shadows or _is_under(path, programs)", "shadows"),
            Mutation("the text goes before", 'if "reward.json" in found:', 'if "reward.txt" not in found:'),
            Mutation("true is a number", "isinstance(value, bool) or not isinstance", "not isinstance"),
            Mutation("any number is finite", "or not abs(value) <= sys.float_info.max:", "or False:"),
            Mutation("the sum of several", "/ len(numbers)), numbers", "), numbers"),
        ),
    ),
    Module(
        "environments/harbor/images.py",
        (f"{_TESTS}harbor_form.py",),
        (
            Mutation("stages are images", "stages.add(words[2])", "pass"),
            Mutation("other services are left out", 'set(services) - {"main"}', "set()"),
        ),
    ),
    Module(
        "environments/harbor/contents.py",
        (f"{_TESTS}harbor_form.py",),
        (
            Mutation("hard links are empty", "if member.islnk() else member", "if False else member"),
            Mutation("modes are plain", "member.mode & 0o7777", "member.mode & 0o777"),
        ),
    ),
    Module(
        "environments/harbor/env.py",
        (f"{_TESTS}harbor_form.py",),
        (
            Mutation("splits of any size", "if len(tasks) < _FEWEST:", "if len(tasks) < 1:"),
            Mutation("one id in every split", 'task.id if split == "train" else f"{task.id}@{split}"', "task.id"),
            Mutation("no task for validation", "max(len(ordered) // 10, 1)", "max(len(ordered) // 20, 1)"),
            Mutation("refusals are passed over", "needs = [*task.refusals, *(", "needs = [*("),
        ),
    ),
)
