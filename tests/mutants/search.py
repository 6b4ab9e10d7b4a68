"""Trees and the searches that grow them."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_EDGES = "tests/unit/searches/test_edges.py"
_TREE = "tests/unit/search/test_tree.py"

MODULES = (
    Module(
        "agentgym/search/lanes.py",
        ("tests/unit/search/test_lanes.py",),
        (
            Mutation("goes on from anywhere", "        if self._at is moment:\n", "        if True:\n"),
            Mutation("what is left behind is lost", "if self._at is not None and self._at.num_lanes:", "if False:"),
            Mutation("what nobody comes back to is saved", "is not None and self._at.num_lanes:", "is not None:"),
            Mutation("left twice", "        if not self.is_left:\n", "        if True:\n"),
            Mutation("a replay that failed is tried again", "None, moment.mark, None\n", "None, moment.mark, mark\n"),
            Mutation("saved twice", "if self._at is not None and self._at.mark is None:", "if self._at is not None:"),
            Mutation("a broken step is where it was", "        self._at = None\n        result", "        result"),
            Mutation("replays take turns", 'rung == "replay"', 'rung == "none"'),
            Mutation("all keep the environment", 'self._marks[0].rung == "replay"', "True"),
            Mutation("forgets nothing", "            await self.host.forget(*marks)", "            pass"),
            Mutation("restores are not counted", "        self.num_restores += 1\n", ""),
        ),
    ),
    Module(
        "agentgym/search/tree.py",
        (_TREE, _EDGES),
        (
            Mutation("summaries count as moments", "if not turn.is_summary]", "]"),
            Mutation("what was summed up is not counted", "self.spent.sampled += sampled_now - sampled", "pass"),
            Mutation("all sample alike", "member=seed_of(self.specs[0].member, place))", "member=0)"),
            Mutation("the group's seeds are not the root's", "if node.parent is None and number <", "if number < 0 *"),
            Mutation("a proposal that fails stays", "        self._plays.append(play)\n", ""),
            Mutation("a first line may be missing", "(self.lines and self.spent.exceeds", "(self.spent.exceeds"),
            Mutation("equal ones are two", "if _told(child) == _told(other):", "if False:"),
            Mutation("unread ones are one", "return node.action or node.play.read(_said(node))", "return node.action"),
            Mutation(
                "lost ones are not counted",
                "            self.spent.lost += 1\n            self._leave",
                "            self._leave",
            ),
            Mutation("backed up twice", "node.is_over and not node.is_backed_up", "node.is_over"),
            Mutation("lines as they ended", "self.lines[:] = [node.play.trajectory for node in ends]", "pass"),
            Mutation(
                "branched off at the first",
                "        if moment.line:\n",
                "        if moment.line and not record.parent_id:\n",
            ),
            Mutation("everything is saved", "elif is_kept and self.comes_back:", "else:"),
            Mutation("nothing is released", "        self.engine.release(play.session)\n", ""),
            Mutation("steps are free", "        self.spent.steps += 1\n", ""),
        ),
    ),
    Module(
        "agentgym/search/search.py",
        ("tests/unit/search/test_search.py", _TREE, _EDGES),
        (
            Mutation("on the same host again", "seat(fresh=attempt > 0)", "seat()"),
            Mutation(
                "a broken host is used again",
                "                    seat.is_spoiled = True\n                    return",
                "                    return",
            ),
            Mutation("the last attempt is all", "error is None or len(found.lines) > len(lines)", "True"),
            Mutation("void ones count", "(not line.stop_reason.is_void, worth(line))", "worth(line)"),
            Mutation(
                "forgetting breaks the tree",
                "                except EnvError:  # the lines",
                "                except KeyError:  # the lines",
            ),
            Mutation("equal ones differ", "(worth.count(own) - 1) / 2", "0"),
            Mutation("silence is not counted", "            spent.unjudged += 1\n", ""),
            Mutation("costs of the last attempt alone", "spent += found.spent", "spent = found.spent"),
        ),
    ),
    Module(
        "agentgym/searches/mcts.py",
        ("tests/unit/searches/test_mcts.py",),
        (
            Mutation("visits without one", "/ (1 + visits))", "/ max(1, visits))"),
            Mutation("a loss stays", "                    node.hold(-1)\n", "                    pass\n"),
            Mutation("no virtual loss", "visits = child.visits + child.pending", "visits = child.visits"),
            Mutation("the last goes first", "child.score or 0.0, -child.number", "child.score or 0.0, child.number"),
            Mutation("the critic has no say", "return True, child.score or 0.0,", "return True, 0.0,"),
            Mutation("all may branch", "self.depth is None or node.depth < self.depth", "True"),
            Mutation("two at one moment", "if node is None or (node.is_taken and node in wave):", "if node is None:"),
        ),
    ),
    Module(
        "agentgym/searches/beam.py",
        ("tests/unit/searches/test_beam.py", _EDGES),
        (
            Mutation(
                "the worst are kept", "key=lambda node: -(node.score or 0.0)", "key=lambda node: node.score or 0.0"
            ),
            Mutation("the worst roll-outs", "key=lambda node: -node.value", "key=lambda node: node.value"),
            Mutation("what is over falls out", "pool = [node for node in beam if node.is_over]", "pool = list[Node]()"),
            Mutation("rolled out again", "if not (node.visits or node.is_over)]", "if not node.is_over]"),
            Mutation("the budget does not matter", "            if tree.goes_on:\n", "            if True:\n"),
        ),
    ),
    Module(
        "agentgym/searches/lookahead.py",
        ("tests/unit/searches/test_lookahead.py",),
        (
            Mutation("the least sure", "return min(proposed", "return max(proposed"),
            Mutation("the worst", "return max(proposed", "return min(proposed"),
            Mutation("spends on", "1 if tree.spent.exceeds(tree.budget) else ", ""),
        ),
    ),
    Module(
        "agentgym/searches/vine.py",
        ("tests/unit/searches/test_vine.py", _TREE),
        (
            Mutation(
                "the seed line is no way", "moment.num_proposed + self.ways - 1", "moment.num_proposed + self.ways"
            ),
            Mutation("the ends of the parts", "(2 * part + 1) * num_turns", "(2 * part) * num_turns"),
            Mutation("all is kept", "not self.turns or node.depth in self.turns", "True"),
            Mutation("one place for all lines", "tree.specs[0].member, end.name", "0"),
            Mutation("always one seed", "max(1, num // in_all)", "1"),
        ),
    ),
    Module(
        "agentgym/searches/entropy.py",
        ("tests/unit/searches/test_entropy.py",),
        (
            Mutation(
                "where it was sure", "(moments[i].num_proposed, -worth[i])", "(moments[i].num_proposed, worth[i])"
            ),
            Mutation("the same moment again", "(moments[i].num_proposed, -worth[i])", "-worth[i]"),
            Mutation("no rise", "if self.rise else 0.0", "if False else 0.0"),
            Mutation("all from the reset", "max(1, num // 2)", "num"),
        ),
    ),
    Module(
        "agentgym/searches/fragments.py",
        ("tests/unit/searches/test_fragments.py",),
        (
            Mutation("tries for ever", "tried[moment] >= self.tries", "False"),
            Mutation("a success is tried again", "is_mended = end is not None and before is None", "is_mended = False"),
            Mutation("errors do not count", "        if turn.error is not None:\n", "        if False:\n"),
            Mutation("a failure does not count", "if record.environment_reward > 0 or not turns", "if True"),
        ),
    ),
    Module(
        "agentgym/searches/best_of_n.py",
        ("tests/unit/searches/test_best_of_n.py",),
        (
            Mutation("the reward decides", "if self.critic is None:", "if True:"),
            Mutation("all at once", "if self.budget.is_bounded else", "if False else"),
            Mutation("all sample alike", "seed_of(first.member, number)", "first.member"),
        ),
    ),
)
