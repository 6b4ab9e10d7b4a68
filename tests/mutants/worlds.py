"""Worlds of this project: rewards, limits, tasks, experts, what is forgotten and what is shown."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_UNIT = "tests/unit/environments"

MODULES = (
    Module(
        "environments/_options.py",
        (f"{_UNIT}/test__options.py",),
        (
            Mutation("half of the tasks never come", 'len(SPLITS["train"])', 'len(SPLITS["train"]) // 2'),
            Mutation("a random task for validation", 'len(SPLITS["train"])', 'SPLITS["test"].start'),
            Mutation("numbers of NumPy are no tasks", "int | np.integer", "int"),
            Mutation("fractions are tasks", "isinstance(task, int | np.integer) and task", "task"),
            Mutation(
                "a draw that nobody needs",
                'task = int(rng.integers(len(SPLITS["train"]))) if given is None else given',
                'drawn = int(rng.integers(len(SPLITS["train"])))\n    task = drawn if given is None else given',
            ),
        ),
    ),
    Module(
        "environments/glimpse.py",
        (f"{_UNIT}/test_glimpse_env.py",),
        (
            Mutation("every picture is worth 1", "is_right / self.pictures", "float(is_right)"),
            Mutation("one right is enough", "self.num_right == self.pictures}", "self.num_right > 0}"),
            Mutation("earlier successes count", "self.num_right = self.turn = 0", "self.turn = 0"),
            Mutation("one ground for all", "default_rng([self.seed, self.turn])", "default_rng([self.seed])"),
            Mutation("a blank shows", "None if self.blank else", "None if False else"),
            Mutation("spelling counts", "action.strip().lower()", "action"),
            Mutation("the first answers come alone", "len(answers), size", "2, size"),
            Mutation("never the largest", "rng.integers(3, 5)", "rng.integers(3, 4)"),
            Mutation("light on dark", "np.where(ink > 0, 30, 230)", "np.where(ink > 0, 230, 30)"),
            Mutation("no square", "        width = height\n", "        pass\n"),
        ),
    ),
    Module(
        "environments/blocksworld/env.py",
        (f"{_UNIT}/test_blocksworld_env.py",),
        (
            Mutation("rewards exchanged", 'self.reward == "sparse"', 'self.reward != "sparse"'),
            Mutation("what was there at first is paid", "- at_first) / (self", ") / (self"),
            Mutation(
                "the towers' order counts",
                "self.world.support == self.problem.goal.support",
                "self.world == self.problem.goal",
            ),
            Mutation("all is always to do", 'self.goal == "remaining"', "False"),
            Mutation(
                "the seed of problems has no effect", "self.num_blocks, self.problem_seed)", "self.num_blocks, 0)"
            ),
            Mutation("an end without success", ', "success": True}', "}"),
            Mutation("the moment is a new beginning", "len(blocks_in_place(initial", "len(blocks_in_place(world"),
        ),
    ),
    Module(
        "environments/blocksworld/problems.py",
        (f"{_UNIT}/test_blocksworld_problems.py",),
        (
            Mutation("tests that were trained on", "if split_of(problem) == split:", "if True:"),
            Mutation("one problem for all tasks", "[seed, num_blocks, task]", "[seed, num_blocks]"),
            Mutation("nothing to do", "if initial.support != goal.support:", "if True:"),
            Mutation("towers of one height come too often", "p=weights / weights.sum()", "p=None"),
            Mutation("names count", "tuple(sorted(map(min, walks.values())))", "tuple(map(min, walks.values()))"),
        ),
    ),
    Module(
        "environments/blocksworld/planner.py",
        (f"{_UNIT}/test_blocksworld_planner.py",),
        (
            Mutation(
                "always to the table first", "return block\n                break", "break\n                break"
            ),
            Mutation("on what is not in place", "target in blocks_in_place(world, goal.support) and any(", "any("),
        ),
    ),
    Module(
        "environments/countdown/arithmetic.py",
        (f"{_UNIT}/test_countdown_arithmetic.py",),
        (
            Mutation("a number twice", "            left.remove(used)\n", ""),
            Mutation("0 is negative", "self.left < self.right", "self.left <= self.right"),
            Mutation("the result first", "(*left, self.result)", "(self.result, *left)"),
            Mutation("halves are whole", "or self.left % self.right", "or False"),
            Mutation("what is claimed is believed", "if claimed is not None and int", "if False and int"),
            Mutation("twice the same", "            continue\n", "            pass\n"),
        ),
    ),
    Module(
        "environments/countdown/puzzles.py",
        (f"{_UNIT}/test_countdown_puzzles.py",),
        (
            Mutation("99 never comes", "rng.integers(1, 100", "rng.integers(1, 99"),
            Mutation("targets above 10", "10 <= left[0]", "10 < left[0]"),
            Mutation("targets below 100", "left[0] <= 100", "left[0] < 100"),
            Mutation("1000 is too much", "found.result <= _LARGEST", "found.result < _LARGEST"),
            Mutation("0 on the way", "if 0 < found.result", "if 0 <= found.result"),
            Mutation("the order makes another puzzle", "sorted(puzzle.numbers)", "list(puzzle.numbers)"),
            Mutation("any split", "if split_of(puzzle) == split:", "if True:"),
            Mutation("a tenth less for training", "share < 8", "share < 7"),
        ),
    ),
    Module(
        "environments/countdown/env.py",
        (f"{_UNIT}/test_countdown_env.py",),
        (
            Mutation("the target among others is enough", "(len(numbers) == 1 or not self.use_all)", "True"),
            Mutation(
                "numbers of the last episode",
                "        self.numbers = self.puzzle.numbers\n",
                '        self.numbers = getattr(self, "numbers", self.puzzle.numbers)\n',
            ),
            Mutation("one turn too few", "2 * (self.num_numbers - 1)", "2 * self.num_numbers - 3"),
            Mutation("it never ends", "over = solved or len(left) == 1", "over = solved"),
            Mutation("the strategy has no effect", 'if self.strategy == "mixed":', "if True:"),
            Mutation("given once, used twice", "            left.remove(number)\n", "            pass\n"),
        ),
    ),
    Module(
        "environments/countdown/streams.py",
        (f"{_UNIT}/test_countdown_streams.py",),
        (
            Mutation("nearer than the threshold", "rank(child.numbers) <= limit", "rank(child.numbers) < limit"),
            Mutation("one child less", "node.children(rank)[:width]", "node.children(rank)[: width - 1]"),
            Mutation("shorter than the longest", "len(stream.text) <= longest", "len(stream.text) < longest"),
            Mutation("the first state", "states[-1].split", "states[0].split"),
            Mutation("the end is believed", "if numbers == (puzzle.target,)", "if puzzle.target in numbers"),
            Mutation("the seed has no effect", "default_rng([given.seed, task])", "default_rng([task])"),
            Mutation("by the sum", '"multiply": _distance_to_factors', '"multiply": _mean_distance'),
        ),
    ),
    Module(
        "environments/crafter/env.py",
        (f"{_UNIT}/test_crafter_rules.py",),
        (
            Mutation("pain does not stop it", "blocked or self.world.player.health < health", "blocked"),
            Mutation("walls do not stop it", "if new or blocked or", "if new or"),
            Mutation("plans are free", "len(new) - cost", "float(len(new))"),
            Mutation("the plan of the last episode", 'self.plan, self.num_plans = "", 0', "self.num_plans = 0"),
            Mutation("plans are counted on", 'self.plan, self.num_plans = "", 0', 'self.plan = ""'),
            Mutation("one achievement is enough", "not self._left()", "len(self._left()) < len(self.level.goal)"),
            Mutation(
                "death is no end",
                "return self._observe(), len(new) - cost, dead or success",
                "return self._observe(), len(new) - cost, success",
            ),
            Mutation("every world is the first", "self.world.reset(self.seed)", "self.world.reset(0)"),
            Mutation(
                "a level has a thousand turns",
                "self.plan_cost, self.max_turns = plan_cost, self.level.turns",
                "self.plan_cost, self.max_turns = plan_cost, 1000",
            ),
        ),
    ),
    Module(
        "environments/crafter/expert.py",
        (f"{_UNIT}/test_crafter_script.py",),
        (
            Mutation("it drinks at three", 'has["drink"] < _LOW', 'has["drink"] <= _LOW'),
            Mutation("it does not eat", 'if has["food"] < _LOW and', "if False and"),
            Mutation("zombies are let be", '[1] == "zombie"', '[1] == "ghost"'),
            Mutation("the last goal first", "self._towards(left[0])", "self._towards(left[-1])"),
            Mutation("too little is enough", "has[item] < amount", "has[item] < amount - 1"),
            Mutation(
                "a table each time",
                "return self._walk(near) if near else self._place(station)",
                "return self._place(station)",
            ),
            Mutation("any way", "if spent > best[place] or spent > _SIGHT:", "if spent > best[place] or spent > 5:"),
            Mutation(
                "through water",
                "            return None\n        has = self",
                "            return 1\n        has = self",
            ),
        ),
    ),
    Module(
        "environments/crafter/world.py",
        (f"{_UNIT}/test_crafter_rules.py",),
        (
            Mutation("worlds pile up", "while len(_made) > _KEPT:", "while False:"),
            Mutation("the newest is forgotten", "popitem(last=False)", "popitem(last=True)"),
            Mutation(
                "an episode's number is in its world",
                "self.env._seed, self.env._episode = seed, 0",
                "self.env._seed = seed",
            ),
            Mutation("achieved again", "set(self.env._unlocked) - before", "set(self.env._unlocked)"),
            Mutation(
                "a kept world is played in",
                "return _copied({name: getattr(self.env, name) for name in _CHANGING})",
                "return {name: getattr(self.env, name) for name in _CHANGING}",
            ),
            Mutation("the eyes stay behind", "        self.env._sem_view._world = self.env._world\n", ""),
        ),
    ),
    Module(
        "environments/crafter/view.py",
        (f"{_UNIT}/test_crafter_rules.py",),
        (
            Mutation("the farthest", "if name not in found and name not in", "if name not in"),
            Mutation("always ripe", 'return "ripe plant" if world.ripe(x, y) else "sapling"', 'return "ripe plant"'),
            Mutation("dusk is day", "world.daylight > 0.5", "world.daylight >= 0.5"),
            Mutation("what is not there", "player.inventory.items() if number)", "player.inventory.items())"),
        ),
    ),
    Module(
        "environments/thought_graph/env.py",
        (f"{_UNIT}/test_thought_graph_rules.py", f"{_UNIT}/test_thought_graph_env.py"),
        (
            Mutation("shares below 0", "max(0.0, 1 - errors", "min(1.0, 1 - errors"),
            Mutation(
                "rewards exchanged", 'if self.reward == "sparse" else share', 'if self.reward != "sparse" else share'
            ),
            Mutation(
                "queries pile up",
                "        self.num_queries = 0\n",
                '        self.num_queries = getattr(self, "num_queries", 0)\n',
            ),
            Mutation("cutting costs", '0.0 if move.operator == "decompose" else self.query_cost', "self.query_cost"),
            Mutation("a stale score", "_with(thought, answer)", "_with(thought, answer, thought.errors)"),
            Mutation(
                "scored against the whole",
                "self.problem.items[thought.start : thought.end], self.problem)\n",
                "self.problem.items, self.problem)\n",
            ),
        ),
    ),
    Module(
        "environments/thought_graph/reasoners.py",
        (f"{_UNIT}/test_thought_graph_rules.py",),
        (
            Mutation("joining errs as solving", "self.error_rate * size / 256", "self.error_rate * size / 64"),
            Mutation("refining never errs", "self.error_rate * len(items) / 6400", "0.0"),
            Mutation("the first list", "said[-1]", "said[0]"),
            Mutation("never doubled", "rng.integers(len(slips))", "rng.integers(2) % 2"),
        ),
    ),
    Module(
        "environments/thought_graph/expert.py",
        (f"{_UNIT}/test_thought_graph_rules.py",),
        (
            Mutation("a leaf is cut", "thoughts[place].size > LEAF", "thoughts[place].size >= LEAF"),
            Mutation("errors are left", "thought.errors != 0:", "thought.errors is None:"),
        ),
    ),
    Module(
        "environments/textworld/env.py",
        (f"{_UNIT}/test_textworld_rules.py",),
        (
            Mutation(
                "rewards exchanged",
                '["way" if self.intermediate_reward else "score"]',
                '["score" if self.intermediate_reward else "way"]',
            ),
            Mutation("the score so far", "self._potential() - before", "self._potential()"),
            Mutation(
                "sparse pays the score", 'self.story.state.won or self.reward == "sparse"', "self.story.state.won"
            ),
            Mutation(
                "the way of another episode",
                "        self._way = len(self.story.state.policy_commands)\n",
                "        self._way = self._way or len(self.story.state.policy_commands)\n",
            ),
            Mutation("losing is no end", "over = bool(state.won or state.lost)", "over = bool(state.won)"),
            Mutation("losing is success", 'info["success"] = bool(state.won)', 'info["success"] = over'),
            Mutation("always a new interpreter", "if self._story is None or self._task_open != task:", "if True:"),
            Mutation("another task's game", "        self._task_open = task\n", ""),
            Mutation(
                "the interpreter is kept",
                "        self._story = None\n\n    @property",
                "        return\n\n    @property",
            ),
            Mutation("moved is invalid", "if state.moves == moves:", "if state.moves != moves:"),
        ),
    ),
    Module(
        "environments/textworld/levels.py",
        (f"{_UNIT}/test_textworld_levels.py",),
        (
            Mutation("the knife is at hand", ' + skills["cut"] + skills["open"]', ' + skills["open"]'),
            Mutation("more than the recipe's", "if take > recipe:", "if take > recipe + 1:"),
            Mutation("level 31", "if not 1 <= number <= 30:", "if not 1 <= number <= 31:"),
            Mutation("the tens run on", "((number - 1) % 10) / 9", "((number - 1) % 10) / 10"),
            Mutation("too many rooms", "// 100 + 1) > 100", "// 100 + 1) > 102"),
        ),
    ),
)
