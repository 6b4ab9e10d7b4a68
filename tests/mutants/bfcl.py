"""BFCL: what is read as calls, what a turn is compared with, what comes back."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_TESTS = "tests/unit/environments/test_bfcl_"

MODULES = (
    Module(
        "environments/bfcl/grading.py",
        (f"{_TESTS}grading.py", f"{_TESTS}world.py"),
        (
            Mutation(
                "results as a set",
                "collections.Counter(expected.results) - collections.Counter(results)",
                "set(expected.results) - set(results)",
            ),
            Mutation(
                "results in their order", "results=not missing,", "results=list(results) == list(expected.results),"
            ),
            Mutation(
                "other results are wrong",
                "collections.Counter(expected.results) - collections.Counter(results)",
                "collections.Counter(results) - collections.Counter(expected.results)",
            ),
            Mutation("any result will do", "results=not missing,", "results=True,"),
            Mutation("any attribute will do", "return all(\n            getattr", "return any(\n            getattr"),
            Mutation("states are not compared", "state=_is_same(world.instances, expected.state)", "state=True"),
            Mutation("forced turns are right", "not self.forced and (", "("),
            Mutation("state or results", "self.state and self.results", "(self.state or self.results)"),
            Mutation("called or not", "(self.called and self.state", "(self.state"),
            Mutation("noise is silence", "(self.expects_calls or not self.called)", "True"),
            Mutation("a right turn scores whatever", "float(self.is_right and (", "float(("),
            Mutation("a shared state", "else copy.deepcopy(value)", "else value"),
            Mutation(
                "every turn from the beginning",
                "    for turn in task.truth:\n",
                "    for turn in task.truth:\n        world = World(benchmark, task)\n",
            ),
            Mutation("endless directories", "except RecursionError:", "except MemoryError:"),
            Mutation("turns backwards", "for turn in task.truth:", "for turn in task.truth[::-1]:"),
        ),
    ),
    Module(
        "environments/bfcl/episode.py",
        (f"{_TESTS}grading.py", f"{_TESTS}env.py"),
        (
            Mutation(
                "the turn before",
                "reference(self.task.id)[self.turn]\n        verdict",
                "reference(self.task.id)[self.turn - 1]\n        verdict",
            ),
            Mutation(
                "the last turn alone",
                "all(verdict.is_right for verdict in self.verdicts)",
                "self.verdicts[-1].is_right",
            ),
            Mutation(
                "calls of all turns",
                "self.steps, self.called, self.made = 0, False, []",
                "self.steps, self.called = 0, False",
            ),
            Mutation("what fits no tool equals a call", '"": list(call.positional)', "**{}"),
            Mutation(
                "refused calls are not made",
                "        self.made.append(ToolCall(name=call.name, arguments=unfit))\n",
                "        self.made += [ToolCall(name=call.name, arguments=unfit)] if call.name in self.tools else []\n",
            ),
            Mutation("any turn", "return all(verdict", "return any(verdict"),
            Mutation("one step more", "self.steps >= self.max_steps", "self.steps > self.max_steps"),
            Mutation(
                "steps of all turns",
                "self.steps, self.called, self.made = 0, False, []\n        self.tools",
                "self.called = False\n        self.tools",
            ),
            Mutation(
                "called in some turn",
                "self.steps, self.called, self.made = 0, False, []\n        self.tools",
                "self.steps, self.made = 0, []\n        self.tools",
            ),
            Mutation(
                "results of the turn alone",
                "self.verdicts.append(verdict)\n",
                "self.verdicts.append(verdict)\n        self.results.clear()\n",
            ),
            Mutation(
                "tools of the turn before",
                "        self.tools = self.benchmark.offered(self.task, self.turn)\n        return verdict",
                "        return verdict",
            ),
            Mutation(
                "tools of the beginning",
                "benchmark.offered(episode.task, episode.turn)",
                "benchmark.offered(episode.task, 0)",
            ),
            Mutation("nothing was done", "            episode.world.call(name, arguments)\n", "            pass\n"),
            Mutation(
                "a call that has failed is done again",
                "self.executed.append((tool.name, arguments))\n",
                "self.executed.insert(0, (tool.name, arguments))\n",
            ),
            Mutation("results of the next moment", '"results": list(self.results)', '"results": self.results'),
            Mutation("tools of other tasks", "tool is None or tool.api not in self.world.instances", "tool is None"),
            Mutation("the limit is not told", "called=self.called, forced=forced)", "called=self.called)"),
        ),
    ),
    Module(
        "environments/bfcl/env.py",
        (f"{_TESTS}env.py", f"{_TESTS}data.py"),
        (
            Mutation("the whole reward for each turn", "verdict.score / self.episode.num_turns", "verdict.score"),
            Mutation(
                "the end is enough",
                "float(self.episode.is_over and self.episode.is_right)",
                "float(self.episode.is_over)",
            ),
            Mutation(
                "right so far is enough",
                "float(self.episode.is_over and self.episode.is_right)",
                "float(self.episode.is_right)",
            ),
            Mutation(
                "rewards learn BFCL's verdict",
                '"turn_success": verdict.score',
                '"turn_success": float(verdict.is_right)',
            ),
            Mutation("refused calls alone fail", "reply.has_failed for", "reply.problem is not None for"),
            Mutation("unreadable calls are no steps", "                self.episode.steps += 1\n", ""),
            Mutation("calls after the last step", "forced = bool(calls) and self.episode.is_full", "forced = False"),
            Mutation(
                "an answer is forced", "forced = bool(calls) and self.episode.is_full", "forced = self.episode.is_full"
            ),
            Mutation(
                "one problem makes all invalid", "if len(problems) == len(replies) else {}", "if problems else {}"
            ),
            Mutation(
                "the limit after a restore",
                "Episode.from_state(self.benchmark, state, max_steps=self.max_steps",
                "Episode.from_state(self.benchmark, state, max_steps=5",
            ),
            Mutation("test scenarios for training", "if task.number % 2:", "if task.number % 4 == 1:"),
        ),
    ),
    Module(
        "environments/bfcl/calls.py",
        (f"{_TESTS}grading.py", f"{_TESTS}calls.py"),
        (
            Mutation("one call more", "if len(calls) > MAX_CALLS:", "if len(calls) > MAX_CALLS + 1:"),
            Mutation("one call less", "if len(calls) > MAX_CALLS:", "if len(calls) >= MAX_CALLS:"),
            Mutation("one character more", "if len(text) > _MAX_CHARACTERS:", "if len(text) > _MAX_CHARACTERS + 1:"),
            Mutation("one level more", "if depth > _MAX_DEPTH:", "if depth > _MAX_DEPTH + 1:"),
            Mutation(
                "the last of an argument given twice",
                "keyword.arg is None or keyword.arg in named",
                "keyword.arg is None",
            ),
            Mutation("numbers without an end", "if not math.isfinite(value):", "if False:"),
            Mutation(
                "the first call alone",
                "node.elts if isinstance(node, ast.List)",
                "node.elts[:1] if isinstance(node, ast.List)",
            ),
        ),
    ),
    Module(
        "environments/bfcl/world.py",
        (f"{_TESTS}world.py",),
        (
            Mutation(
                "a tool keeps what it is given",
                "copy.deepcopy(value) if isinstance(value, list | dict) else value for key",
                "value for key",
            ),
            Mutation("the module's padding", "setattr(instance, name, copy.deepcopy(value))", "pass"),
            Mutation("precision for good", "with _ONE_AT_A_TIME, decimal.localcontext(), ", "with _ONE_AT_A_TIME, "),
            Mutation("large negative numbers", "and abs(value) > most:", "and value > most:"),
        ),
    ),
    Module(
        "environments/_spelling.py",
        (f"{_TESTS}spelling.py",),
        (
            Mutation("the first place", "self.folded.rfind(wanted) if quoted", "self.folded.find(wanted) if quoted"),
            Mutation("quotes come last", "if quoted < 0 and text in self.shown:", "if text in self.shown:"),
            Mutation(
                "one character short",
                "self.places[start + len(wanted) - 1] + 1]",
                "self.places[start + len(wanted) - 1]]",
            ),
        ),
    ),
)
