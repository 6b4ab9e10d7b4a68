"""Cases as people write them: as a file of tests, and in an issue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from agentgym.environments.swe.cases import Call, Case, cases_of
from agentgym.environments.swe.grading import answers_of

__all__ = ["called", "test_file"]


def called(case: Case, answer: str) -> str:
    """A case in one line, and what must come of it."""
    *_, last = json.loads(answer)
    if isinstance(last, dict) and "raises" in last:
        return f"{case.text} should raise {last['raises']}."
    return f"{case.text} should be {last!r}."


def test_file(package: str, module: str, numbers: Sequence[int]) -> str:
    """A file of tests with these cases of a module."""
    head = f"import unittest\n\nfrom {package} import {module}\n\n\nclass Test(unittest.TestCase):\n"
    tests = []
    for number in numbers:
        lines = _lines(module, cases_of(module)[number], json.loads(answers_of(module)[number]))
        tests.append(f"    def test_{number}(self):\n" + "".join(f"        {line}\n" for line in lines))
    return head + "\n".join(tests)


def _lines(module: str, case: Case, answer: list[object]) -> Iterator[str]:
    owner = module
    for number, (call, value) in enumerate(zip(case.calls, answer, strict=False)):
        written = _call(owner, call)
        if isinstance(value, dict) and "raises" in value:
            yield f"with self.assertRaises({value['raises']}):"
            yield f"    {written}"
        elif number == 0 and call[0][0].isupper():
            owner = "made"
            yield f"made = {written}"
        else:
            yield f"self.assertEqual({written}, {value!r})"


def _call(owner: str, call: Call) -> str:
    name, *arguments = call
    return f"{owner}.{name}({', '.join(map(repr, arguments))})"
