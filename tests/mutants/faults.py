"""Rows of docs/faults.md whose fault is not in the table of the file that it is about."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

FAULTS = "tests/faults"

MODULES = (
    Module(
        "agentgym/launch/resuming.py",
        ("tests/integration/test_resume.py::test_what_a_kill_left_of_older_checkpoints_goes",),
        (
            Mutation(
                "what a kill left of checkpoints stays",
                "        checkpoint.prune(bench.run.checkpoints, keep=bench.settings.keep_checkpoints)\n",
                "        pass\n",
            ),
        ),
    ),
    Module(
        "agentgym/boundary.py",
        (f"{FAULTS}/test_garbage.py::test_nothing_strange_reaches_a_trainer",),
        (Mutation("garbage is learned from", "    if not math.isfinite(found):\n", "    if False:\n"),),
    ),
    Module(
        "agentgym/watchdog.py",
        (f"{FAULTS}/test_clock.py::test_nothing_but_records_asks_the_wall",),
        (Mutation("beats by the clock of the wall", "self._last = time.monotonic()", "self._last = time.time()"),),
    ),
    Module(
        "agentgym/rollout/runner.py",
        (f"{FAULTS}/test_soak.py::test_nothing_grows",),
        (
            Mutation(
                "episodes are kept for ever",
                "                break\n        return trajectory\n",
                '                break\n        self.__dict__.setdefault("kept", []).append(trajectory)\n'
                "        return trajectory\n",
            ),
        ),
    ),
    Module(
        "agentgym/scheduler.py",
        (f"{FAULTS}/test_staleness.py::test_nothing_is_too_old_thrown_away_or_twice",),
        (
            Mutation(
                "whatever is ready, though another is due",
                "return 1 if in_order else reach(due, update, room, per_update)",
                "return 1 if in_order else 10**9",
            ),
        ),
    ),
    Module(
        "agentgym/learn/objectives/preference.py",
        ("tests/unit/learn/objectives/test_preference.py::test_a_log_ratio_of_any_size_leaves_the_loss_finite",),
        (
            Mutation(
                "the sigmoid before its logarithm",
                "-(1 - label_smoothing) * logsigmoid(margin_P) -",
                "-(1 - label_smoothing) * margin_P.sigmoid().log() -",
            ),
        ),
    ),
    Module(
        "environments/mcp/env.py",
        ("tests/unit/environments/test_mcp_calls.py::test_over_http_a_call_is_made_again_where_that_does_no_harm",),
        (
            Mutation(
                "a lost call is not made again",
                "            if self.address.url and (tool.repeatable or not lost.sent):\n",
                "            if False:\n",
            ),
        ),
    ),
)
