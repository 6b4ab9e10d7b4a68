"""BFCL's multi-turn tasks as an environment: a user's messages and tools' replies as observations, calls as actions.

An episode at its beginning, and after the reply ``[cd(folder='document'), ls()]``::

    Tools: pwd(), ls(a=False), cd(folder), …
    User: Move 'final_report.pdf' within document directory to 'temp' directory in document. …

    cd: {"current_working_directory": "document"}
    ls: {"current_directory_content": ["final_report.pdf", "previous_report.pdf"]}

A reply without a call answers the user and brings the next message; after the last one the episode ends. Departs from
BFCL's own runs in that the tools stand in the first observation as one line besides their schemas, in the limit of
steps (see ``episode``), and in that a reply that looks like a call but cannot be read is answered with what is wrong
with it, instead of ending the user's turn.

Channels for rewards (``agentgym/reward.py``): ``user_turns`` at the reset; ``calls`` and ``failed_calls`` of each
reply; with the one that closes a turn ``turn_success``, its score whatever ``reward`` pays, and how the turn's calls
compare with those of the ground truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from agentgym.env import Env, Expert
from agentgym.environments.bfcl.calls import parse_calls, written
from agentgym.environments.bfcl.data import CATEGORIES, WRONG_TRUTHS, Task, open_benchmark
from agentgym.environments.bfcl.episode import Episode, Reply
from agentgym.environments.bfcl.grading import Verdict
from agentgym.environments.bfcl.hints import HINTS
from agentgym.errors import ParseError, UserError, did_you_mean
from agentgym.registry import register
from agentgym.spaces import TextSpace
from agentgym.types import Action, Observation, ToolCall

__all__ = ["BFCL", "LEVELS"]

Level: TypeAlias = Literal["base", "miss_func", "miss_param", "long_context", "all"]
LEVELS: dict[str, tuple[str, ...]] = {**{category: (category,) for category in CATEGORIES}, "all": CATEGORIES}
"""Level → categories of its tasks."""

_MOST_TURNS = 8
"""Turns of the user in the longest task."""

Reward: TypeAlias = Literal["progress", "sparse"]
Schemas: TypeAlias = Literal["full", "names"]
CallForm: TypeAlias = Literal["python", "tools"]

_ANY_REPLY = (
    "[pwd(), ls(a=True)]",
    "[mkdir(dir_name='new')]",
    "[get_zipcode_based_on_city(city='Rivermist')]",
    "Done.",
)
_NEW_TOOLS = "I have updated some more functions you can choose from. What about now?"


@register
class BFCL(Env):
    """Do what a user asks, over several turns, by calling tools.

    Example::

        env = BFCL()
        observation, info = env.reset(options={"task": "multi_turn_base_0"})
        observation, reward, terminated, truncated, info = env.step("[cd(folder='document')]")
    """

    kind = "tools"
    hints = HINTS
    extra = "bfcl"
    max_turns = 48
    instructions = (
        "Call tools until what the user asks is done, then answer in words: a reply without a call ends the user's "
        "turn. If no tool does what is asked, or something you must know is missing, say so. "
        "Calls: [tool(name=value), other(name=value)]."
    )

    def __init__(
        self,
        *,
        level: Level = "base",
        reward: Reward = "progress",
        max_steps: Annotated[int, Field(ge=1)] = 5,
        schemas: Schemas = "full",
        expert_calls: CallForm = "python",
        fold_case: bool = False,
        leave_out_wrong: bool = False,
    ) -> None:
        """Open the installed benchmark.

        Args:
            level: "base" says and offers all that is needed; "miss_func" holds a tool out for some turns, "miss_param"
                something that must be known; "long_context" pads what tools reply; "all" has the tasks of all four.
            reward: "progress" pays 1/T for each of the T turns of the user that is right, as the turn ends
                (Environment Tuning); "sparse" pays 1 at the end if all are.
            max_steps: replies with calls in one turn of the user; one more closes the turn, which is then wrong.
            schemas: "full" gives the tools' JSON schemas to the chat template; "names" leaves them out, which makes
                prompts some thousand tokens shorter. How each tool is called stands in the first observation anyway.
            expert_calls: how the expert calls: as text in "python" form, or as tool calls for the protocol "tools".
            fold_case: take names of tools and texts in arguments for those that the conversation or the tools'
                descriptions show in other case or with other blanks, for policies that cannot write them (nano).
            leave_out_wrong: have no tasks whose ground truth is known to be out of reach (``data.WRONG_TRUTHS``);
                scores are then no longer those of the benchmark as it is published.

        Raises ConfigError for another release of bfcl-eval, MissingExtraError where it is not installed.
        """
        self.level, self.reward, self.schemas = level, reward, schemas
        self.expert_calls, self.fold_case = expert_calls, fold_case
        self.max_steps, self.max_turns = max_steps, _MOST_TURNS * (max_steps + 1)
        self.benchmark = open_benchmark()
        wrong = WRONG_TRUTHS if leave_out_wrong else {}
        self._tasks = {
            id: task
            for id, task in self.benchmark.tasks.items()
            if task.category in LEVELS[level] and task.number not in wrong
        }
        self.action_space = TextSpace(_ANY_REPLY)

    def tasks(self, split: str) -> list[str]:
        """Task ids of "train", "validation" or "test": of each category 80, 20 and 100. Raises UserError.

        Half of the scenarios are for testing, as in Environment Tuning, which drew its half and did not publish it:
        here the odd ones, so that all domains are in both. Every fifth of the others is for validation. A scenario is
        in the same split in all four categories.
        """
        super().tasks(split)
        return [task.id for task in self._tasks.values() if _split(task) == split]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start the conversation ``options["task"]``, or any of the train split. Raises UserError."""
        task = self._task((options or {}).get("task"))
        self.episode = Episode(self.benchmark, task, max_steps=self.max_steps, fold_case=self.fold_case)
        usages = ", ".join(tool.usage for tool in self.episode.tools.values())
        channels = {"user_turns": float(self.episode.num_turns)}
        return self._observe(f"Tools: {usages}", self._user_says()), self._info_now(channels)

    def _task(self, given: Any) -> Task:
        if given is None:
            train = self.tasks("train")
            given = train[int(self.np_random.integers(len(train)))]
        if not isinstance(given, str) or given not in self._tasks:
            hint = did_you_mean(str(given), self._tasks)
            raise UserError(f'task {given!r} does not exist at level "{self.level}".{hint} For all: env.tasks(split)')
        return self._tasks[given]

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One reply: calls, or an answer that ends the user's turn."""
        try:
            calls = parse_calls(action)
        except ParseError as error:
            if not self.episode.is_full:
                self.episode.steps += 1
                info = self._info_now(_counted([]), invalid_action=str(error))
                return self._observe(f"Error: {error}"), 0.0, False, False, info
            calls = []
            forced = True
        else:
            forced = bool(calls) and self.episode.is_full
        if forced or not calls:
            return self._close_turn(forced=forced)
        replies = self.episode.call(calls)
        info = self._info_now(_counted(replies), **_invalid(replies))
        return self._observe(*map(_shown, replies)), 0.0, False, False, info

    def _close_turn(self, *, forced: bool) -> tuple[str, float, bool, bool, dict[str, Any]]:
        matches = self.episode.compared()
        verdict = self.episode.close_turn(forced=forced)
        channels = {**_counted([]), "turn_success": verdict.score, **matches}
        note = [f"The turn is closed: it had its {self.max_steps} steps."] if forced else []
        if not self.episode.is_over:
            said = self._observe(*note, *self._new_tools(), self._user_says())
            return said, self._reward(verdict), False, False, self._info_now(channels, verdict)
        verdicts = self.episode.verdicts
        right = f"The conversation is over: {sum(v.is_right for v in verdicts)} of {len(verdicts)} turns are right."
        info = self._info_now(channels, verdict, success=self.episode.is_right)
        return self._observe(*note, right), self._reward(verdict), True, False, info

    def _reward(self, verdict: Verdict) -> float:
        if self.reward == "progress":
            return verdict.score / self.episode.num_turns
        return float(self.episode.is_over and self.episode.is_right)

    def _user_says(self) -> str:
        return f"User: {self.episode.task.messages[self.episode.turn] or _NEW_TOOLS}"

    def _new_tools(self) -> list[str]:
        usages = ", ".join(tool.usage for tool in self.episode.new_tools())
        return [f"New tools: {usages}"] if usages else []

    def _observe(self, *lines: str) -> Observation:
        tools = [tool.schema for tool in self.episode.tools.values()] if self.schemas == "full" else []
        return Observation("\n".join(lines), tools=tools)

    def _info_now(self, channels: dict[str, float], verdict: Verdict | None = None, **more: Any) -> dict[str, Any]:
        """``turn`` and ``steps`` say where the episode is; ``verdict`` how a turn ended, where one just did."""
        ended = {} if verdict is None else {"verdict": verdict.as_json()}
        return {"turn": self.episode.turn, "steps": self.episode.steps, "channels": channels, **ended, **more}

    def expert(self) -> Expert:
        """An oracle that plays the ground truth: all calls of a turn in one reply, then an answer."""
        return self._next_reply

    def _next_reply(self, observation: Observation) -> str | Action:
        calls = self.episode.expected_calls()
        if not calls:
            return "I cannot do that with what I have."
        if self.episode.called:
            return "Done."
        if self.expert_calls == "tools":
            return Action(tool_calls=[ToolCall(name=call.name, arguments=call.arguments) for call in calls])
        return f"[{', '.join(written(call.name, call.arguments) for call in calls)}]"

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON."""
        return self.episode.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self.episode = Episode.from_state(self.benchmark, state, max_steps=self.max_steps, fold_case=self.fold_case)


def _split(task: Task) -> str:
    if task.number % 2:
        return "test"
    return "validation" if task.number % 10 == 8 else "train"


def _shown(reply: Reply) -> str:
    return f"{reply.name}: {reply.text}"


def _counted(replies: Sequence[Reply]) -> dict[str, float]:
    """The calls of a reply that were answered, as channels."""
    return {"calls": float(len(replies)), "failed_calls": float(sum(reply.has_failed for reply in replies))}


def _invalid(replies: Sequence[Reply]) -> dict[str, Any]:
    """The problems, where no call had an effect."""
    problems = [reply.problem for reply in replies if reply.problem is not None]
    return {"invalid_action": "; ".join(problems)} if len(problems) == len(replies) else {}
