"""ALFWorld: states that are shared, interrupts, plans, games by number."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_TESTS = "tests/unit/environments/test_alfworld_"

MODULES = (
    Module(
        "environments/alfworld/world.py",
        (f"{_TESTS}graph.py", f"{_TESTS}world.py"),
        (
            Mutation(
                "an interrupt leaves the library as it was",
                "World._loaded, self._here, self._facts = None, self.start, self._new_facts(self._at_start)",
                "self._here, self._facts = self.start, self._new_facts(self._at_start)",
            ),
            Mutation(
                "an interrupt leaves the facts as they were",
                "World._loaded, self._here, self._facts = None, self.start, self._new_facts(self._at_start)",
                "World._loaded = None",
            ),
            Mutation(
                "only errors are recovered from",
                "except BaseException:\n            World",
                "except Exception:\n            World",
            ),
            Mutation(
                "an interrupt is swallowed",
                "self._new_facts(self._at_start)\n            raise\n",
                "self._new_facts(self._at_start)\n",
            ),
            Mutation(
                "every state is new",
                "self._states.get(changes) or self._new_state(changes, (state, command))",
                "self._new_state(changes, (state, command))",
            ),
            Mutation("what is as at the beginning counts as changed", "        changes -= self._at_start\n", ""),
            Mutation("what was taken back stays", "changes - {effect.negate()} | {effect}", "changes | {effect}"),
            Mutation("facts of the last effect alone", "            self._make_true(effect)\n", ""),
            Mutation(
                "the library is taken for the state",
                "World._loaded is not self or self._here is not state",
                "World._loaded is not self",
            ),
            Mutation(
                "another world's library",
                "World._loaded is not self or self._here is not state",
                "self._here is not state",
            ),
            Mutation("steps in the order they were found", "[*state.steps()][::-1]", "[*state.steps()]"),
            Mutation("what was known of the state before", "self._here.changes - state.changes:", "():"),
            Mutation("what is new in the state", "state.changes - self._here.changes:", "():"),
            Mutation(
                "contradictions are kept", "            self._facts.remove_fact(fact.negate())", "            pass"
            ),
            Mutation("facts that were never so", "(only is None or fact in only) and not", "not"),
            Mutation("nothing is forgotten", "if len(self._states) >= _MAX_STATES:", "if False:"),
            Mutation("nothing is kept", "found = state.known[command] = self._tried", "found = self._tried"),
            Mutation("a world that is won", "if self.start.won:", "if False:"),
            Mutation("the last opened goes first", "_WORLDS.popitem(last=False)", "_WORLDS.popitem(last=True)"),
            Mutation("the first opened goes first", "            _WORLDS.move_to_end(key)\n", "            pass\n"),
            Mutation("one world more", "while len(_WORLDS) > _MAX_WORLDS", "while len(_WORLDS) > _MAX_WORLDS + 1"),
            Mutation("one world less", "while len(_WORLDS) > _MAX_WORLDS", "while len(_WORLDS) >= _MAX_WORLDS"),
            Mutation(
                "planned from the beginning",
                "            self._go(state)\n            self._library.load_sas_replan",
                "            self._library.load_sas_replan",
            ),
        ),
    ),
    Module(
        "environments/alfworld/solver.py",
        (f"{_TESTS}household.py",),
        (
            Mutation("a lit lamp is turned off", 'if home.holds_true("istoggled", lamp):', "if False:"),
            Mutation("a dark lamp is lit", 'if home.holds_true("istoggled", lamp):', "if True:"),
            Mutation("a lit thing", 'home.holds_true("istoggled", lamp)', 'home.holds_true("istoggled", thing)'),
            Mutation("a lit lamp is not gone to", "            way.go(home.inside[lamp])\n", "            pass\n"),
            Mutation(
                "a lamp in the hand", "if lamp not in home.inside or not way.fetch(thing)", "if not way.fetch(thing)"
            ),
            Mutation("the longest way", "return min(ways, key=len", "return max(ways, key=len"),
            Mutation("nobody goes where they are", "if self.here != self.location[receptacle]:", "if True:"),
            Mutation("going leaves one where one was", "            self.here = self.location[receptacle]\n", ""),
            Mutation("what is open is opened", "if receptacle in self.closed:", "if True:"),
            Mutation("opened twice", "            self.closed.discard(receptacle)\n", ""),
            Mutation("all is closed", 'and ("opened", fact[1]) not in facts}', "}"),
            Mutation("the hand is always free", "if self.held is not None and not self._put_down():", "if False:"),
            Mutation("put down far away", "min(places, key=self._effort)", "max(places, key=self._effort)"),
            Mutation("opening costs nothing", "+ (receptacle in self.closed)", "+ 0"),
            Mutation("going costs nothing", "(self.location[receptacle] != self.here) +", "0 +"),
            Mutation("treated twice", "or home.holds_true(goal.treatment, thing)", "or False"),
            Mutation(
                "treated is treated",
                "or home.holds_true(goal.treatment, thing)",
                "or any(home.holds_true(name, thing) for name in _TREATMENTS)",
            ),
            Mutation("anything can be treated", "[1]) if able else []", "[1])"),
            Mutation("there is done", "== receptacle and not tool:", "== receptacle:"),
            Mutation("there is brought again", "if way.inside.get(thing) == receptacle and not tool:", "if False:"),
            Mutation(
                "a way changes the home",
                "dict(self.inside), set(self.closed), list(self.plan)",
                "self.inside, self.closed, self.plan",
            ),
            Mutation("things that are nowhere", "(id in self.location or self.is_there(id))", "True"),
            Mutation("things may lie anywhere", " if home.takes(receptacle, thing)]", "]"),
            Mutation(
                "one is enough", "itertools.permutations(things, goal.count)", "itertools.permutations(things, 1)"
            ),
            Mutation("two treatments", "or len(treatments) > 1:", "or False:"),
            Mutation("two places", "or len(receptacles) > 1 or", "or"),
            Mutation("two kinds are two", "or len(set(things)) > 1 or", "or"),
            Mutation(
                "the lamp is looked at",
                "Goal(lamp=things[0], thing=things[1])",
                "Goal(lamp=things[1], thing=things[0])",
            ),
        ),
    ),
    Module(
        "environments/alfworld/generated.py",
        (f"{_TESTS}generated.py",),
        (
            Mutation("the next type", "self.types[task % len(self.types)]", "self.types[(task + 1) % len(self.types)]"),
            Mutation("one seed for all", "default_rng([self.seed, task])", "default_rng([0, task])"),
            Mutation("one game for all", "default_rng([self.seed, task])", "default_rng([self.seed, 0])"),
            Mutation("half a file", 'and set(kept) == {"problem", "sentence", "walkthrough"}', ""),
            Mutation("nothing is written", "        os.replace(name, file)\n", ""),
            Mutation("a plan that was not tried", "or not world.follow(plan).won", ""),
        ),
    ),
    Module(
        "environments/alfworld/env.py",
        (f"{_TESTS}env.py",),
        (
            Mutation(
                "where it began", 'self.state = self.world.follow(state["path"])', 'self.world.follow(state["path"])'
            ),
            Mutation("a failure is a success", "if told == NOTHING:", "if told != NOTHING:"),
            Mutation("the stored plan from its beginning", "return list(stored[len(done) :])", "return list(stored)"),
            Mutation(
                "the stored plan wherever one is",
                "if done == stored[: len(done)] and len(done) < len(stored):",
                "if len(done) < len(stored):",
            ),
            Mutation("commands of the state before", "told, self.state = self.world.step", "told, _ = self.world.step"),
        ),
    ),
)
