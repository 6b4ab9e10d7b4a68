"""A tree of moments: what was said at each of them, what came of it, and who looks where next."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from agentgym.engine import Completion
from agentgym.rollout.play import Play
from agentgym.search.lanes import Lane
from agentgym.types import Trajectory, Turn

__all__ = ["Node"]


@dataclasses.dataclass(slots=True, eq=False)
class Node:
    """A moment of an episode: the one after its ``completion``, which is the root's reset where that is None.

    A node is proposed first; it is taken, and then ``play`` stands there, once its completion was said.
    """

    play: Play
    """Stands at this moment once the node is taken, before that at its parent's; others go on as forks of it."""
    parent: Node | None = None
    completion: Completion | None = None
    action: str = ""
    """What the completion says, as the environment would be told; "" where that cannot be read."""
    number: int = 0
    """Place among its siblings, in the order of proposing."""
    line: str = ""
    """Name of the first of the lines that go through here, once the tree is closed."""
    children: list[Node] = dataclasses.field(default_factory=list)
    num_merged: int = 0
    """Further proposals that said the same."""
    is_taken: bool = False
    is_closed: bool = False
    """Nothing more is to be proposed here."""
    is_over: bool = False
    """The episode ends here."""
    is_lost: bool = False
    """The environment did not come back to where this was proposed: it counts for nothing."""
    visits: int = 0
    """Returns that came by."""
    total: float = 0.0
    """Of them."""
    is_backed_up: bool = False
    """Whether the return of the line that ends here went up."""
    pending: int = 0
    """Simulations under way below: a virtual loss each."""
    score: float | None = None
    """Its place among what a critic compared it with, 0 to 1."""

    @property
    def value(self) -> float:
        """Mean of the returns that came by; 0 before the first."""
        return self.total / self.visits if self.visits else 0.0

    @property
    def lane(self) -> Lane:
        """The environment, as the episode has it."""
        assert isinstance(self.play.host, Lane)
        return self.play.host

    @property
    def num_proposed(self) -> int:
        """Replies that were sampled here, those that said the same included."""
        return sum(1 + child.num_merged for child in self.children)

    @property
    def depth(self) -> int:
        """Replies on the way from the root; summaries are none."""
        return 0 if self.parent is None else self.parent.depth + 1

    @property
    def name(self) -> str:
        """The way from the root: places among siblings, with dots."""
        return "" if self.parent is None else f"{self.parent.name}.{self.number}".lstrip(".")

    @property
    def is_done(self) -> bool:
        """Whether there is nothing below that has not been seen."""
        if self.is_lost or self.is_over:
            return True
        return self.is_closed and all(child.is_done for child in self.children)

    @property
    def path(self) -> list[Node]:
        """From the root to here."""
        return [*(self.parent.path if self.parent else ()), self]

    def surprise(self, num_tokens: int | None = None) -> float:
        """How unsure the policy was of what it said: the mean negative log-probability of the first tokens, in nats.

        That is their entropy as far as one sample tells of it; 0 at the root.
        """
        logprobs = [] if self.completion is None else self.completion.logprobs[:num_tokens]
        return -sum(logprobs) / len(logprobs) if logprobs else 0.0

    def walk(self) -> Iterator[Node]:
        """This one and all below, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def back_up(self, value: float) -> None:
        """A return came by here, on its way from below to the root."""
        for node in self.path:
            node.visits += 1
            node.total += value

    def hold(self, num: int) -> None:
        """So many simulations more, or fewer, are under way through here."""
        for node in self.path:
            node.pending += num

    def attempt(self) -> Trajectory:
        """The episode up to here, with its tokens; what is only proposed is its last turn, without a consequence."""
        if self.is_taken or self.completion is None:
            return self.play.record()
        so_far, stream = self.play.trajectory, self.play.stream.fork()
        stream.append(self.completion)
        reply = self.play.read(self.completion)
        said = Turn(observation=str(self.play.episode.observation), reply=reply, action=self.action or None)
        return so_far.model_copy(update={"turns": [*so_far.turns, said], "samples": stream.samples})
