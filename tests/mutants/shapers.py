"""Rewards beside the environment's, and what environments report for them."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_TESTS = "tests/unit/rewards/test_"
_CONTRACT = "tests/contract/test_rewards.py"

MODULES = (
    Module(
        "agentgym/tools/matching.py",
        ("tests/unit/tools/test_matching.py",),
        (
            Mutation("once is enough", "_normal_call, made)) &", "_normal_call, {*made})) |"),
            Mutation("any place is exact", "            break\n", "            continue\n"),
            Mutation("true is 1", 'return "constant", value  # True is not 1', "return value"),
            Mutation(
                "an object is a list of its names",
                "(name, _normal(item)) for name, item in value",
                "name for name in value",
            ),
            Mutation(
                "lists in any order",
                'return "list", tuple(map(_normal, value))',
                'return "list", frozenset(map(_normal, value))',
            ),
            Mutation("case counts", "value.translate(_UNIMPORTANT).lower()", "value.translate(_UNIMPORTANT)"),
            Mutation("marks count", "value.translate(_UNIMPORTANT).lower()", "value.lower()"),
            Mutation("any name", "return call.name, frozenset", 'return "", frozenset'),
            Mutation("the order of arguments is exact", "sort_keys=True", "sort_keys=False"),
        ),
    ),
    Module(
        "rewards/progress.py",
        (f"{_TESTS}progress.py", _CONTRACT),
        (
            Mutation("of the turns that were reached", "else verdict / total for", "else verdict / num_ended for"),
            Mutation("a verdict may be missing", "self.verdict, at_end=True", '"calls", at_end=True'),
            Mutation("a cut episode must have ended a turn", "self.verdict, at_end=True,", "self.verdict,"),
            Mutation("more than all", "if total < num_ended:", "if False:"),
            Mutation("its own names", "turn.channels.get(self.verdict)", 'turn.channels.get("turn_success")'),
        ),
    ),
    Module(
        "rewards/call_format.py",
        (f"{_TESTS}call_format.py", _CONTRACT),
        (
            Mutation("no gate", "    if not num_calls:\n", "    if not turns:\n"),
            Mutation("failed calls are right", "(num_calls - num_failed) / num_calls", "num_calls / num_calls"),
            Mutation(
                "a failed call is unreadable",
                'turn.error is not None and not turn.channels.get("calls")',
                "turn.error is not None",
            ),
            Mutation("summaries are turns", " if not turn.is_summary]", "]"),
            Mutation("anything goes", '    check_reported("call-format", trajectory, "calls")\n', ""),
        ),
    ),
    Module(
        "rewards/call_match.py",
        (f"{_TESTS}call_match.py", _CONTRACT),
        (
            Mutation("calls too many", "made == expected == same", "expected == same"),
            Mutation("calls too few", "made == expected == same", "made == same"),
            Mutation("any calls", "made == expected == same", "made == expected"),
            Mutation("any form", "expected is not None and has_form and", "expected is not None and"),
            Mutation("form once lost", "            has_form = has_form or expected is not None\n", ""),
            Mutation(
                "form of one reply alone", "has_form = has_form and turn.error is None", "has_form = turn.error is None"
            ),
            Mutation("modes exchanged", 'if mode == "ast" else', 'if mode != "ast" else'),
            Mutation("a cut episode must have compared", ", at_end=True)", ")"),
        ),
    ),
    Module(
        "rewards/strict_schedule.py",
        (f"{_TESTS}strict_schedule.py", _CONTRACT),
        (
            Mutation("strict first", "(update - self.midpoint)", "(self.midpoint - update)"),
            Mutation("twice as steep", "(update - self.midpoint) / 2", "(update - self.midpoint)"),
            Mutation("oldest weights", "    return max((int", "    return min((int"),
            Mutation("calls too many are strict", "(made == expected == matched)", "(expected == matched)"),
            Mutation("no offset", "(overlap - 0.5)", "overlap"),
            Mutation("silence is never right", "if expected else float(not made)", "if expected else 0.0"),
            Mutation(
                "of the calls made", "overlap = matched / expected if expected", "overlap = matched / made if made"
            ),
            Mutation("a cut episode must have compared", ", at_end=True)", ")"),
        ),
    ),
    Module(
        "rewards/conciseness.py",
        (f"{_TESTS}conciseness.py", _CONTRACT),
        (
            Mutation("tokens of the environment too", "length_of(trajectory) for", "trajectory.num_tokens for"),
            Mutation("one rate", "alpha=self.rate", "alpha=0.05"),
            Mutation("by reward", "[trajectory.success for", "[trajectory.reward > 0 for"),
        ),
    ),
    Module(
        "rewards/repetition.py",
        (f"{_TESTS}repetition.py", _CONTRACT),
        (
            Mutation("case counts", "reply.lower().split()", "reply.split()"),
            Mutation("one run too few", "len(words) - self.size + 1)", "len(words) - self.size)"),
            Mutation("of its own runs", "sum(_repeated(said)) / num_runs", "sum(_repeated(said)) / max(len(said), 1)"),
            Mutation("wherever", "(turn.observation, turn.action)", '("", turn.action)'),
            Mutation("what was not read is an act", "one is not None and one in seen", "one in seen"),
            Mutation("of all turns", "max(len(acts) - 1, 1)", "max(len(acts), 1)"),
            Mutation("paid", "return [-(sum(", "return [+(sum("),
        ),
    ),
    Module(
        "rewards/plan_cost.py",
        (f"{_TESTS}plan_cost.py", _CONTRACT),
        (
            Mutation("greedy", "}.*?(?:", "}.*(?:"),
            Mutation("an end is needed", "|\\\\Z)", ")"),
            Mutation("one line", ", re.DOTALL)", ")"),
            Mutation("marks are expressions", "re.escape(begin)", "begin"),
            Mutation("tokens of all turns", "turns == number", "turns >= 0"),
            Mutation("tokens of the environment too", "sample.turn_index[sample.loss_mask]", "sample.turn_index"),
            Mutation("nothing is no mistake", "if not (token_cost or plan_cost):", "if False:"),
            Mutation("each turn has a plan", "* bool(self._plan.search(turn.reply))", ""),
        ),
    ),
    Module(
        "rewards/diversity.py",
        (f"{_TESTS}diversity.py", _CONTRACT),
        (
            Mutation("with oneself", "max(len(compared) - 1, 1)", "len(compared)"),
            Mutation("failures too", "trajectory.success or not self.successes_only", "True"),
            Mutation(
                "what was refused counts", "turn.action is not None and turn.error is None", "turn.action is not None"
            ),
            Mutation("case counts", "turn.action.lower().split()", "turn.action.split()"),
            Mutation("paid for the same", "other != actions for", "other == actions for"),
        ),
    ),
    Module(
        "rewards/rank.py",
        (f"{_TESTS}rank.py", _CONTRACT),
        (
            Mutation("shaped rewards", "trajectory.environment_reward for", "trajectory.reward for"),
            Mutation("the worst first", "other < reward and", "other > reward and"),
            Mutation("equals lose", "(less + same / 2)", "less"),
            Mutation(
                "to the last bit", "math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)", "one == other"
            ),
            Mutation("alone is best", "return 0.5", "return 1.0"),
        ),
    ),
)
