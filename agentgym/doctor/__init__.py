"""The contract of an environment, as checks that can be run.

Each check is a function from ``make_env``, which makes a fresh environment, and the seconds it may take, to one line
on what was seen; it raises where the contract is broken, and the message says how. A ``Remark`` in place of a line is
something to know that breaks nothing. ``diagnose`` runs them all. The contract tests run them over every registered
environment, ``agentgym doctor ID`` over one.

- ``playing``: episodes with random actions or by the expert, as many as time allows;
- ``basics``: Gymnasium's own check, splits, the expert;
- ``repeats``: the same episode again, on another instance, in threads, in processes;
- ``snapshots``: coming back to a moment, and what that takes;
- ``measures``: rewards, sizes of observations, what a random policy reaches;
- ``abuse``: strange, random and dishonest actions;
- ``enumerations``: answers that list everything;
- ``browsers``: what a page keeps for the next episode;
- ``leftovers``: processes, threads, files that stay behind;
- ``tokens``: what a policy's tokenizer makes of it;
- ``cures``: checks that know what mends what they find;
- ``machine``: Python, packages, containers, a browser, room;
- ``speech``: what a model's tokenizer and chat template do;
- ``report``: the findings for people and for machines.

What no check can see: whether the task makes sense, and whether the reward measures it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from agentgym.blame import own_frames, place
from agentgym.doctor.abuse import STRANGE_ACTIONS, refuses_forged_rewards, stands_random_actions, stands_strange_actions
from agentgym.doctor.basics import has_disjoint_splits, passes_gymnasium, wins_as_expert
from agentgym.doctor.browsers import clears_the_browser
from agentgym.doctor.cheats import pays_no_cheat
from agentgym.doctor.enumerations import refuses_enumerations
from agentgym.doctor.leftovers import leaves_nothing_behind
from agentgym.doctor.machine import Machine, machine_findings
from agentgym.doctor.measures import gives_sane_rewards, plays_what_counts, shows_sane_observations, wins_at_random
from agentgym.doctor.playing import SECONDS, Check, MakeEnv, Moment, Remark, play_at_random, success_of
from agentgym.doctor.repeats import (
    forgets_former_episodes,
    keeps_instances_apart,
    repeats_by_seed,
    repeats_in_processes,
    repeats_in_threads,
)
from agentgym.doctor.report import Finding, as_json, findings_table, told_json
from agentgym.doctor.snapshots import comes_back_to_snapshots, tells_the_way_back
from agentgym.doctor.speech import speech_findings
from agentgym.doctor.tokens import keeps_tokens, shown_prompt, tokens_check
from agentgym.visit import Player

__all__ = [
    "CHECKS",
    "SECONDS",
    "STRANGE_ACTIONS",
    "Check",
    "Finding",
    "Machine",
    "MakeEnv",
    "Moment",
    "Player",
    "Remark",
    "as_json",
    "clears_the_browser",
    "comes_back_to_snapshots",
    "diagnose",
    "findings_table",
    "forgets_former_episodes",
    "gives_sane_rewards",
    "has_disjoint_splits",
    "keeps_instances_apart",
    "keeps_tokens",
    "leaves_nothing_behind",
    "machine_findings",
    "passes_gymnasium",
    "pays_no_cheat",
    "play_at_random",
    "plays_what_counts",
    "refuses_enumerations",
    "refuses_forged_rewards",
    "repeats_by_seed",
    "repeats_in_processes",
    "repeats_in_threads",
    "shown_prompt",
    "shows_sane_observations",
    "speech_findings",
    "stands_random_actions",
    "stands_strange_actions",
    "success_of",
    "tells_the_way_back",
    "tokens_check",
    "told_json",
    "wins_as_expert",
    "wins_at_random",
]

CHECKS: tuple[Check, ...] = (
    passes_gymnasium,
    has_disjoint_splits,
    plays_what_counts,
    repeats_by_seed,
    forgets_former_episodes,
    keeps_instances_apart,
    repeats_in_threads,
    repeats_in_processes,
    comes_back_to_snapshots,
    tells_the_way_back,
    wins_as_expert,
    wins_at_random,
    gives_sane_rewards,
    shows_sane_observations,
    stands_strange_actions,
    stands_random_actions,
    refuses_forged_rewards,
    clears_the_browser,
    refuses_enumerations,
    pays_no_cheat,
    leaves_nothing_behind,
)


def diagnose(
    make_env: MakeEnv,
    *,
    seconds: float = SECONDS,
    more: tuple[Check, ...] = (),
    on_check: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """Run every check, each whatever became of the others.

    Args:
        make_env: makes a fresh environment; an ``EnvFactory`` where it is to be tried in processes too.
        seconds: about how long each check may play; slow environments play fewer episodes, never none.
        more: further checks, such as ``tokens_check`` of a tokenizer.
        on_check: is told the name of each check before it runs.
    """
    findings = []
    for check in (*CHECKS, *more):
        on_check(check.__name__)
        findings.append(_finding(check, make_env, seconds))
    return findings


def _finding(check: Check, make_env: MakeEnv, seconds: float) -> Finding:
    started = time.perf_counter()
    status: Literal["pass", "info", "FAIL"]
    try:
        detail = check(make_env, seconds)
        status = "info" if isinstance(detail, Remark) else "pass"
    except Exception as error:
        where = f" ({place(error)})" if own_frames(error) else ""
        detail, status = f"{type(error).__name__}: {error}{where}", "FAIL"
    took = round(time.perf_counter() - started, 2)
    return Finding(name=check.__name__, status=status, detail=str(detail), seconds=took)
