"""The procedural datasets of reasoning-gym (arXiv 2505.24760), each as an environment: a question, and answers to it.

Questions and scores are the package's. Question number n of a dataset is drawn from the seed ``seed + n``, so that the
splits, which are ranges of numbers, share no draw; small datasets may still draw the same question twice.

The package reads some answers by evaluating them as code. A policy's words are never evaluated here: where scoring
does that, an answer is scored only when all its characters are those of numbers or of plain lists, and three datasets,
whose answers are formulas, are refused.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from agentgym.env import SPLITS, Env, Expert
from agentgym.environments._questions import Questions
from agentgym.errors import ConfigError, UserError
from agentgym.registry import register
from agentgym.types import Observation, TaskId

__all__ = ["ReasoningGym"]

_DEFAULT = "chain_sum"
_DEFAULT_CONFIG = {"max_terms": 2, "max_digits": 2}
_SIZE = SPLITS["test"].stop
_SMALL = {"acre": 2_000, "word_ladder": 2_000}
"""Datasets that are drawn all at once, or that have so many questions and no more."""
_LONGEST_ANSWER = 5_000
"""Characters; what is longer is not scored."""

_SHORTEST_SUM = re.compile(r"[\d\s+\-*/()]{1,200}", re.ASCII)


def _is_arithmetic(answer: str) -> bool:
    """Numbers and the four operations: ``**`` could ask for more digits than there is memory."""
    return bool(_SHORTEST_SUM.fullmatch(answer)) and "**" not in re.sub(r"\s", "", answer)


def _is_plain(answer: str) -> bool:
    """Words without punctuation, or a list of them: nothing that evaluating could call."""
    if re.fullmatch(r"[\w\s.\-]*", answer, re.ASCII):
        return True
    try:
        return isinstance(ast.literal_eval(answer.strip()), list)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False


_HARMLESS: dict[str, Callable[[str], bool]] = {
    "countdown": _is_arithmetic,
    "puzzle24": _is_arithmetic,
    "binary_matrix": _is_plain,
    "n_queens": _is_plain,
    "spiral_matrix": _is_plain,
    "string_insertion": _is_plain,
}
"""Dataset whose scoring evaluates answers → which of them may be scored."""


@register
class ReasoningGym(Env):
    """Answer a question of a procedural dataset.

    Example::

        env = ReasoningGym(name="leg_counting")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("<answer>12</answer>")
    """

    kind = "reasoning"
    extra = "reasoning-gym"
    max_turns = 1
    instructions = "Answer the question. The action is the answer alone, or ends with <answer>…</answer>."

    def __init__(
        self,
        *,
        name: str | None = None,
        config: Mapping[str, Any] | str | None = None,
        seed: int = 0,
        max_attempts: Annotated[int, Field(ge=1)] = 1,
        leave_out_wrong: bool = False,
    ) -> None:
        """Make the dataset.

        Args:
            name: dataset of the package, such as "leg_counting"; none given: sums of two short numbers. The id
                ``reasoning-gym:leg_counting`` is short for it.
            config: the dataset's own settings, a mapping or JSON, such as {"max_terms": 3}. With a "size" of n there
                are n questions, the last two tenths of them for validation and test.
            seed: shifts all questions.
            max_attempts: answers that a policy may give; it is told the score of each.
            leave_out_wrong: ask another question in the place of one that contradicts itself or whose answer is known
                to be wrong (``_questions.WRONG_QUESTIONS``).

        Raises ConfigError for an unknown dataset, or for settings that it does not take; MissingExtraError.
        """
        settings = {**(_DEFAULT_CONFIG if name is None else {}), **_mapping(config)}
        self.dataset_name, self.max_turns = name or _DEFAULT, max_attempts
        self.size = settings.setdefault("size", _SMALL.get(self.dataset_name, _SIZE))
        self.dataset = Questions(self.dataset_name, {"seed": seed, **settings})
        self.splits = SPLITS if self.size == _SIZE else _cut(self.size)
        self.leave_out_wrong = leave_out_wrong

    def tasks(self, split: str) -> Sequence[TaskId]:
        """Numbers of the questions of a split. Raises UserError."""
        Env.tasks(self, split)  # knows the splits
        return self.splits[split]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Ask the question that is the task, or a random one of the training split. Raises UserError.

        The info says "wrong_question", and why, of one that is known to be wrong.
        """
        given = (options or {}).get("task")
        task = int(self.np_random.integers(len(self.splits["train"]))) if given is None else given
        if not any(task in numbers for numbers in self.splits.values()):
            raise UserError(f"task {task!r} does not exist: tasks are the numbers 0 to {self.splits['test'][-1]}")
        wrong = self._ask(int(task))
        self.attempts = 0
        return str(self.entry["question"]), {"wrong_question": wrong} if wrong else {}

    def _ask(self, number: int) -> str | None:
        """Draw the question, or the next one in its place; what is wrong with it.

        A place has the numbers n, n + size, n + 2 size and so on: they are in no other place, so in no other split.
        """
        self.entry = self.dataset[number]
        wrong = self.dataset.what_is_wrong(self.entry)
        while wrong and self.leave_out_wrong:
            number += self.size
            self.entry = self.dataset[number]
            wrong = self.dataset.what_is_wrong(self.entry)
        return wrong

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Score an answer. The episode ends with one that is right, or with the last; its score is the reward."""
        self.attempts += 1
        score = self._score(_answer_in(action))
        if score >= 1 or self.attempts == self.max_turns:
            return f"Score: {score:.2g}", score, True, False, {"success": score >= 1}
        left = self.max_turns - self.attempts
        told = f"Score: {score:.2g}, which is not right. Answer again; {left} of {self.max_turns} answers left."
        return Observation(told), 0.0, False, False, {}

    def expert(self) -> Expert | None:
        """The answer that comes with the question, where the package itself scores it as right; otherwise None."""
        answer = self.entry["answer"]
        if not isinstance(answer, str) or self._score(answer) < 1:
            return None
        return lambda observation: str(self.entry["answer"])

    def get_state(self) -> dict[str, Any]:
        """The question, and how many answers were given."""
        return {"entry": self.entry, "attempts": self.attempts}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self.entry, self.attempts = state["entry"], state["attempts"]

    def _score(self, answer: str) -> float:
        is_harmless = _HARMLESS.get(self.dataset_name)
        if len(answer) > _LONGEST_ANSWER or (is_harmless and not is_harmless(answer)):
            return 0.0
        try:
            score = float(self.dataset.score_answer(answer, self.entry))
        except Exception:  # whatever the scoring of any of a hundred datasets cannot read is not right
            return 0.0
        return min(1.0, max(0.0, score))


def _answer_in(action: str) -> str:
    """What stands in the last <answer> tags, or else all of it.

    >>> _answer_in("so <answer> 12 </answer>"), _answer_in(" 12 ")
    ('12', '12')
    """
    found = action[: 2 * _LONGEST_ANSWER].rpartition("<answer>")[2] if "</answer>" in action else action
    return str(found).partition("</answer>")[0].strip()


def _cut(size: Any) -> dict[str, range]:
    """``size`` questions in three splits, a tenth each for validation and test."""
    if not isinstance(size, int) or size < 10:
        raise ConfigError(f"the size in config is {size!r}, expected 10 or more: there are three splits")
    tenth = size // 10
    ends = (size - 2 * tenth, size - tenth)
    return {"train": range(ends[0]), "validation": range(*ends), "test": range(ends[1], size)}


def _mapping(given: Mapping[str, Any] | str | None) -> dict[str, Any]:
    try:
        found = json.loads(given) if isinstance(given, str) else given or {}
    except json.JSONDecodeError as error:
        raise ConfigError(f"config is {given!r}, which is no JSON: {error}") from None
    if not isinstance(found, Mapping):
        raise ConfigError(f'config is {given!r}, expected settings such as {{"max_terms": 3}}')
    return dict(found)
