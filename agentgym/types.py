"""The vocabulary of an episode: what is seen, said, sampled and recorded.

An observation and an action *are* strings that may carry more, so that an environment which only
knows text returns and receives plain ``str``. Records (``Turn``, ``Sample``, ``Trajectory``) are
pydantic models: what goes to disk comes back equal, and nothing else is accepted.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agentgym.columns import Bools, Floats, Ints, Record

__all__ = [
    "Action",
    "Media",
    "Message",
    "Observation",
    "Role",
    "Sample",
    "SamplingRecord",
    "StepResult",
    "StopReason",
    "TaskId",
    "ToolCall",
    "Trajectory",
    "Turn",
    "succeeded",
]

TaskId: TypeAlias = int | str
Message: TypeAlias = dict[str, Any]
"""One chat message in the form chat templates take: ``{"role": ..., "content": ..., ...}``."""
Role: TypeAlias = Literal["policy", "expert", "partner"]
"""Who plays: the policy in training, the environment's expert, or a second policy that learns with the first."""


class Observation(str):
    """What the environment shows: text, and where it has them admissible actions, tools and images.

    >>> seen = Observation("You are in a shop.", admissible=("look", "leave"))
    >>> seen == "You are in a shop.", seen.admissible
    (True, ('look', 'leave'))
    """

    admissible: tuple[str, ...] | None
    """Actions that would have an effect now; None when the environment cannot list them."""
    tools: tuple[Mapping[str, Any], ...]
    """JSON schemas of the tools that can be called now."""
    images: tuple[Any, ...]
    """Pillow images, arrays (height, width, 3) of uint8 or bytes of PNG or JPEG; past the environment: ``Media``."""

    def __new__(
        cls,
        text: str = "",
        *,
        admissible: Sequence[str] | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
        images: Sequence[Any] = (),
    ) -> Observation:
        self = super().__new__(cls, text)
        if isinstance(admissible, str):  # whose letters would be the actions
            raise TypeError(f"admissible is text {admissible!r:.80}, expected a list of actions: [{admissible!r:.80}]")
        self.admissible = None if admissible is None else tuple(admissible)
        self.tools, self.images = tuple(tools), tuple(images)
        return self

    @property
    def text(self) -> str:
        """The plain string."""
        return str(self)

    @classmethod
    def of(cls, value: str) -> Observation:
        """``value`` itself when it already is one, otherwise an observation of that text."""
        return value if isinstance(value, cls) else cls(value)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool by name."""

    name: str
    arguments: dict[str, Any]
    id: str = ""


class Action(str):
    """What the policy said, parsed: text, or calls of tools (then the text is their JSON).

    >>> Action(tool_calls=[ToolCall(name="add", arguments={"a": 1})])
    '[{"name": "add", "arguments": {"a": 1}}]'
    """

    tool_calls: tuple[ToolCall, ...]

    def __new__(cls, text: str | None = None, *, tool_calls: Sequence[ToolCall] = ()) -> Action:
        if text is None:
            calls = [{"name": call.name, "arguments": call.arguments} for call in tool_calls]
            text = json.dumps(calls) if calls else ""
        self = super().__new__(cls, text)
        self.tool_calls = tuple(tool_calls)
        return self

    @property
    def text(self) -> str:
        """The plain string."""
        return str(self)

    @classmethod
    def of(cls, value: str) -> Action:
        """``value`` itself when it already is one, otherwise an action of that text."""
        return value if isinstance(value, cls) else cls(value)


class StepResult(NamedTuple):
    """Gymnasium's 5-tuple with names."""

    observation: Observation
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


def succeeded(info: Mapping[str, Any], total: float) -> bool:
    """Whether an episode that ended so is a success: as the environment says, or else by a ``total`` of 1 or more."""
    return bool(info.get("success", total >= 1))


class StopReason(StrEnum):
    """Why an episode ended. Exactly one holds."""

    TERMINATED = "terminated"
    """The environment reached its end."""
    TRUNCATED = "truncated"
    """The environment cut the episode."""
    TURN_LIMIT = "turn_limit"
    CONTEXT_LIMIT = "context_limit"
    """The next turn would not fit the engine's context."""
    INVALID_LIMIT = "invalid_limit"
    """More invalid actions than allowed."""
    ABORTED = "aborted"
    """Stopped from outside, for instance by Ctrl-C."""
    ENV_ERROR = "env_error"
    """The environment broke: the episode is void."""
    DEADLINE = "deadline"
    """The episode took longer than it may: it is void."""

    @property
    def is_truncated(self) -> bool:
        """Cut by a limit rather than ended by the rules."""
        return self in _TRUNCATIONS

    @property
    def is_void(self) -> bool:
        """Not the policy's doing: excluded from statistics and counted."""
        return self in (StopReason.ENV_ERROR, StopReason.ABORTED, StopReason.DEADLINE)


_TRUNCATIONS = frozenset({StopReason.TRUNCATED, StopReason.TURN_LIMIT, StopReason.CONTEXT_LIMIT})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """An image on its way to a policy, named by its content."""

    digest: str
    """BLAKE2b of ``data``, 32 hexadecimal digits."""
    data: bytes = dataclasses.field(repr=False)
    """The image as PNG."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Sample(Record):
    """One append-only token sequence of an episode; its columns have length T. JSON has lists in their place.

    Example, one turn with prompt (5, 6) and reply (7, 2):
        token_ids=[5, 6, 7, 2]  loss_mask=[False, False, True, True]  logprobs=[0, 0, -0.1, -0.2]
        turn_index=[0, 0, 0, 0]  policy_versions=[-1, -1, 3, 3]
    """

    token_ids: Ints = Field(default_factory=lambda: np.zeros(0, np.int32))
    loss_mask: Bools = Field(default_factory=lambda: np.zeros(0, np.bool_))
    """True exactly on the tokens that the policy sampled."""
    logprobs: Floats = Field(default_factory=lambda: np.zeros(0, np.float32))
    """Behavior log-probabilities; 0.0 where the mask is False."""
    turn_index: Ints = Field(default_factory=lambda: np.zeros(0, np.int32))
    """The turn that brought each token in."""
    policy_versions: Ints = Field(default_factory=lambda: np.zeros(0, np.int32))
    """Weights that sampled each token; -1 where the mask is False."""
    media: list[str] = Field(default_factory=list)
    """Digests of the images that its tokens show, in order."""

    @model_validator(mode="after")
    def _equal_lengths(self) -> Sample:
        lengths = {name: len(getattr(self, name)) for name in _PER_TOKEN}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"a sample's lists must have equal length, found {lengths}")
        if not np.isfinite(self.logprobs).all():
            raise ValueError("logprobs must be finite numbers")
        for name, lowest in (("token_ids", 0), ("turn_index", -1), ("policy_versions", -1)):
            if (found := int(getattr(self, name).min(initial=lowest))) < lowest:
                raise ValueError(f"{name} has {found}, expected {lowest} or more")
        if (likeliest := float(self.logprobs.max(initial=0.0))) > _ROUNDING:
            raise ValueError(f"logprobs has {likeliest:g}, expected logarithms of probabilities: 0 at most")
        return self

    @property
    def num_trained(self) -> int:
        """Tokens with a loss."""
        return int(np.count_nonzero(self.loss_mask))


_ROUNDING = 1e-3
"""By which what is computed in half precision may be above 0."""
_PER_TOKEN = ("token_ids", "loss_mask", "logprobs", "turn_index", "policy_versions")


class Turn(_Record):
    """One completion and the environment's reply to it."""

    observation: str
    """What the policy saw before it spoke."""
    reply: str
    """The decoded completion, without the token that ended it."""
    action: str | None = None
    """The parsed action; None when the reply could not be parsed (the environment was not stepped)."""
    reward: float = 0.0
    breakdown: dict[str, float] = Field(default_factory=dict)
    """The reward by named channel: "environment" and one entry for each shaper."""
    channels: dict[str, float] = Field(default_factory=dict)
    """Numbers that the environment reported of this turn, by name: ``info["channels"]``."""
    tool_calls: list[ToolCall] = Field(default_factory=list)
    """The calls of the action."""
    media: list[str] = Field(default_factory=list)
    """Digests of the images that the policy saw before it spoke."""
    value: float | None = None
    """What a search or a critic holds this turn to be worth."""
    visits: int | None = None
    """How often a search came by."""
    critic: float | None = None
    """Its place among what a critic compared it with in a search, 0 to 1."""
    error: str | None = None
    """What was wrong with the reply or the action, as told to the policy."""
    is_summary: bool = False
    """The reply sums up the episode so far, to go on with less context; the environment was not stepped."""
    role: Role | None = None
    """Who spoke; None: who plays the episode."""

    @model_validator(mode="after")
    def _finite(self) -> Turn:
        for channel, value in {"reward": self.reward, **self.breakdown, **self.channels}.items():
            if not math.isfinite(value):
                raise ValueError(f"{channel} is {value}, expected a finite number")
        return self


class SamplingRecord(_Record):
    """How a policy's tokens were drawn, as ``engine.Sampling`` says; the defaults are its own distribution."""

    model_config = ConfigDict(frozen=True)

    temperature: float = 1.0
    """0: greedy."""
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether the log-probabilities of the tokens are those of the policy itself."""
        return self == SamplingRecord()

    def __str__(self) -> str:
        """What a person would type, without the filters that are off."""
        values = {"temperature": self.temperature} | {name: value for name, value in self if value != _PLAIN[name]}
        return ", ".join(f"{name} {value:g}" for name, value in values.items())


_PLAIN = SamplingRecord().model_dump()


class Trajectory(_Record):
    """The record of one episode: serves every trainer, the viewer and the replay."""

    env: str
    task: TaskId | None
    seed: int
    """Seed given to ``reset``."""
    episode_id: str
    group_id: str = ""
    ordinal: int | None = None
    """Place of the task in the order of training; None outside it."""
    split: str = ""
    """Of the task: "train", "validation", "test"; "" where it is not known."""
    stage: str = ""
    """Of the run in which it was played: "warm_start", "before", "train", "after"; "" outside one."""
    update: int | None = None
    """Update that it was learned from or measured after, from 1 in training; None outside a run."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Given to ``reset`` beside the task."""
    level: float | None = None
    """How hard the curriculum held it to be."""
    strength: float = 0.0
    """How strong the augmentations around the environment were; 0 is the environment as it is."""
    shown_turns: int = 0
    """First turns that the expert was to play."""
    max_turns: int | None = None
    """Turns that the curriculum let it have; None where it set no limit of its own."""
    channels: dict[str, float] = Field(default_factory=dict)
    """Numbers that the environment reported at the reset, by name: ``info["channels"]``."""
    role: Role = "policy"
    """Who played it."""
    sampling: SamplingRecord | None = None
    """How the policy's tokens were drawn; None where no policy spoke, or where that is not known."""
    tokenizer: str = ""
    """Fingerprint of the vocabulary that the token ids belong to."""
    attempt: int = 0
    """0, or how many times the environment broke on this episode before."""
    turns: list[Turn] = Field(default_factory=list)
    samples: list[Sample] = Field(default_factory=list)
    """More than one where the chat template rewrote history and the stream forked."""
    stop_reason: StopReason = StopReason.TERMINATED
    terminated: bool = False
    truncated: bool = False
    success: bool = False
    final_observation: str = ""
    error: str | None = None
    shaping_error: str | None = None
    """Why a reward beside the environment's could not be told; the environment's are on record all the same."""
    parent_id: str | None = None
    """Episode this one branched from, at ``branch_turn``."""
    branch_turn: int | None = None

    @property
    def unfit(self) -> str:
        """Why it is not to be learned from by its rewards, or ""."""
        if self.stop_reason.is_void:
            return "void"
        return "" if self.shaping_error is None else "not shaped"

    @property
    def reward(self) -> float:
        """Undiscounted sum of the turns' rewards, as it is learned from: with what shapers added."""
        return sum(turn.reward for turn in self.turns)

    @property
    def environment_reward(self) -> float:
        """The same without what shapers added: what reports, metrics and the archive's cards call reward."""
        return sum(turn.breakdown.get("environment", 0.0) for turn in self.turns)

    @property
    def num_tokens(self) -> int:
        """Tokens in all samples."""
        return sum(len(sample.token_ids) for sample in self.samples)

    @property
    def media(self) -> set[str]:
        """Digests of the images that were shown."""
        shown = [turn.media for turn in self.turns] + [sample.media for sample in self.samples]
        return {digest for media in shown for digest in media}

    @property
    def shown(self) -> set[int]:
        """The turns in which the expert spoke."""
        return {index for index, turn in enumerate(self.turns) if (turn.role or self.role) == "expert"}

    def said_by_expert(self, sample: Sample) -> NDArray[np.bool_]:
        """True on the tokens of ``sample``, one of this episode's, that an expert said."""
        return sample.loss_mask & np.isin(sample.turn_index, list(self.shown))

    def sampled(self, sample: Sample) -> NDArray[np.bool_]:
        """True on the tokens of ``sample``, one of this episode's, that a policy sampled and no expert said."""
        return sample.loss_mask & ~self.said_by_expert(sample)
