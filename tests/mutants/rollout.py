"""Episodes as they are played: turns, deadlines, branches, contexts."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/rollout/tree.py",
        ("tests/unit/rollout/test_tree.py",),
        (
            Mutation("branches where it began", "if turn > branched_at:", "if turn >= branched_at:"),
            Mutation("all forks sample alike", ", member=seed)", ")"),
            Mutation("one too few", "range(self.degree - 1, 0, -1)", "range(self.degree - 2, 0, -1)"),
            Mutation(
                "sessions not released",
                "                self.release(play.session)\n            traj",
                "                pass\n            traj",
            ),
        ),
    ),
)
