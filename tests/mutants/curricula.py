"""Curricula: which arm is drawn how often, what is counted, and what comes back from a checkpoint."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_TESTS = "tests/unit/curricula/test_"

MODULES = (
    Module(
        "agentgym/curricula/_arms.py",
        (f"{_TESTS}pools.py",),
        (
            Mutation("no review", "        if turn is None:\n", "        if True:\n"),
            Mutation("the unknown weigh nothing", "unknown * (len(self.arms) - len(weights))", "0.0"),
            Mutation("the next arm", 'side="right")), len(weights)) - 1]', 'side="right")), len(weights)) - 2]'),
            Mutation("all ordinals alike", "type(self).__name__, ordinal", "type(self).__name__"),
        ),
    ),
    Module(
        "agentgym/curricula/pools.py",
        (f"{_TESTS}pools.py",),
        (
            Mutation("a quarter is normal", "if share <= self.low:", "if share < self.low:"),
            Mutation("three quarters are easy", "if share <= self.high", "if share < self.high"),
            Mutation("the first group decides", "self.latest[arm] =", "self.latest[arm] = self.latest.get(arm) or"),
        ),
    ),
    Module(
        "agentgym/curricula/bandit.py",
        (f"{_TESTS}bandit.py",),
        (
            Mutation("the sign of the worth", "(worth - _UNKNOWN) /", "(_UNKNOWN - worth) /"),
            Mutation("worth nothing at first", "_UNKNOWN = 1.0", "_UNKNOWN = 0.0"),
            Mutation("the learnability", "2 * math.sqrt(share * (1 - share))", "4 * share * (1 - share)"),
        ),
    ),
    Module(
        "agentgym/curricula/buckets.py",
        (f"{_TESTS}buckets.py",),
        (
            Mutation("more than solved", "min(1.0, self._solved(bucket) / self.enough)", "self._solved(bucket)"),
            Mutation("the place at the edge", "(nth + 0.5 - place)", "(nth - place)"),
            Mutation("empty ones count", "sorted({*self.bucket_of.values()})", "range(self.num)"),
            Mutation("put in another bucket later", "self.bucket_of.setdefault(arm, first)", "first"),
            Mutation("large buckets more often", "nearness[own] / sizes[own]", "nearness[own]"),
        ),
    ),
    Module(
        "agentgym/curricula/hard_cases.py",
        (f"{_TESTS}hard_cases.py",),
        (
            Mutation("of this phase too", "if known.phase < now]", "if known.phase <= now]"),
            Mutation("the easy again", "1 / mean_of(", "mean_of("),
            Mutation("the easiest are kept", "[-self.capacity :]", "[: self.capacity]"),
            Mutation("levels without end", "min(now, max(0, len(self.levels) - 1))", "min(now, len(self.levels))"),
        ),
    ),
    Module(
        "agentgym/curricula/horizon.py",
        (f"{_TESTS}horizon.py",),
        (
            Mutation("one phase more", "if now < self.phases", "if now <= self.phases"),
            Mutation("no growth", "self.start + now * self.step", "self.start"),
        ),
    ),
    Module(
        "agentgym/curricula/by_perplexity.py",
        (f"{_TESTS}by_perplexity.py",),
        (
            Mutation(
                "the least sure first", "key=lambda arm: -self.logprobs[arm]", "key=lambda arm: self.logprobs[arm]"
            ),
            Mutation("all move it", "if review(outcome.ordinal, self.every) is not None:", "if True:"),
            Mutation("the window stays", "place = self.begin + ", "place = "),
            Mutation("the newest alone", "_KEPT = 0.5", "_KEPT = 0.0"),
        ),
    ),
    Module(
        "agentgym/curricula/adaptive_strength.py",
        (f"{_TESTS}adaptive_strength.py",),
        (
            Mutation("those with help count", "if strength == 0]", "if strength >= 0]"),
            Mutation("clean for ever", "kept * self.clean[1] + len(clean)", "self.clean[1] + len(clean)"),
            Mutation("one is enough", "_ENOUGH = 4.0", "_ENOUGH = 1.0"),
            Mutation("help rises", "(self.high - success) /", "(success - self.low) /"),
        ),
    ),
    Module(
        "agentgym/curricula/staged.py",
        (f"{_TESTS}staged.py",),
        (
            Mutation("all tasks in every stage", "        if not stage.tasks:", "        if True:"),
            Mutation("success alone", "rise < self.slope and statistics", "rise < self.slope or statistics"),
            Mutation("it may go on rising", "rise < self.slope and", "True and"),
            Mutation("at the bound", "rise < self.slope", "rise <= self.slope"),
            Mutation("the bound of another stage", "self.stages[self._now].max_updates or self", "self"),
            Mutation("looks of other stages", "        self.looks = []\n", ""),
            Mutation("norms of other stages", "self.at + 1, 0, []", "self.at + 1, 0, self.norms"),
            Mutation("it never ends", "return self.at >= len(self.stages)", "return False"),
            Mutation("the stage under way is not told", "begun = [] if self.is_over else", "begun = [] if True else"),
            Mutation("stages may be others", '    if list(state["stages"])', '    if False and list(state["stages"])'),
        ),
    ),
    Module(
        "agentgym/curricula/reverse.py",
        (f"{_TESTS}reverse.py",),
        (
            Mutation("never from the beginning", "shown = 0 if review", "shown = self.shown if review"),
            Mutation("other starts count", "outcome.draw.shown_turns == self.shown and ", ""),
            Mutation("there is no way back", "else 1 if share <= self.low else 0", "else 0"),
            Mutation(
                "later than where it began", "min(max(0, self.shown + step), self.start)", "max(0, self.shown + step)"
            ),
            Mutation("what another start showed", "self.shown, self.counts = goal, (0.0, 0.0)", "self.shown = goal"),
        ),
    ),
)
