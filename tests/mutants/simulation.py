"""The model of a run's events, and the closed form of its staleness."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/simulation/engine.py",
        ("tests/unit/simulation/test_engine.py",),
        (
            Mutation("each is alone", "self.position += seconds / self.speed.step(num)", "self.position += seconds"),
            Mutation(
                "weights are there at once",
                "seconds = now - max(self._now, min(now, self.stalled_until))",
                "seconds = now - self._now",
            ),
            Mutation(
                "it wakes while it is stalled",
                "return max(self._now, self.stalled_until) + left",
                "return self._now + left",
            ),
        ),
    ),
    Module(
        "agentgym/simulation/admission.py",
        ("tests/unit/simulation/test_admission.py", "tests/unit/simulation/test_model.py"),
        (Mutation("whoever is first", "or not self._is_within_reach(self._ended[0], update, room)", ""),),
    ),
    Module(
        "agentgym/simulation/model.py",
        ("tests/unit/simulation/test_model.py",),
        (
            Mutation("places are never free", "        self._free += 1\n", ""),
            Mutation("groups are there at once", "if not self._left[episode.group]:", "if True:"),
            Mutation("one learner", " * self.plan.per_update / self.plan.learners", " * self.plan.per_update"),
            Mutation("one process", "(self._next_shard + 1) % self.plan.shards", "0"),
            Mutation("one engine", "episode.engine = min(self.engines, key=_held)", "episode.engine = self.engines[0]"),
            Mutation(
                "nothing stalls", "            engine.stall(self._now, self.workload.publish)\n", "            pass\n"
            ),
        ),
    ),
    Module(
        "agentgym/simulation/staleness.py",
        ("tests/unit/simulation/test_staleness.py",),
        (
            Mutation("a bound too few", "+ learn) / (max_staleness + 1))", "+ learn) / max(1, max_staleness))"),
            Mutation("nobody waits", "max(0.0, (max_staleness + 1) * seconds - flowing - learn)", "0.0"),
            Mutation("tokens until the end", "np.maximum(0.0, sample - answer)", "sample"),
            Mutation("all begin at once", "    if episodes <= actors:\n", "    if True:\n"),
        ),
    ),
    Module(
        "agentgym/simulation/choice.py",
        ("tests/unit/simulation/test_choice.py",),
        (
            Mutation("the most, whatever it takes", ">= ENOUGH * most", ">= most"),
            Mutation("as many groups as before", "round(base.groups * num / base.actors)", "base.groups"),
            Mutation("the stalest", "plan.shards, row.outcome.staleness,", "plan.shards, -row.outcome.staleness,"),
        ),
    ),
    Module(
        "agentgym/launch/workload.py",
        ("tests/unit/launch/test_workload.py",),
        (
            Mutation("the first updates count", "learned[_FIRST:] or learned", "learned"),
            Mutation("nothing computes", 'rollout.get("hosts") == "loop"', "False"),
        ),
    ),
)
