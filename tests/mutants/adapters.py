"""Other people's environments: what is sent and told, whose seat it is, what is opened and closed."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_UNIT = "tests/unit/environments"

MODULES = (
    Module(
        "agentgym/serve.py",
        ("tests/unit/test_serve.py",),
        (
            Mutation("what was tried is left open", "    tried.close()\n", ""),
            Mutation("the port is not given back", "    with taken:\n        uvicorn", "    if True:\n        uvicorn"),
            Mutation("options are lost", "EnvFactory(env, dict(options or {}))", "EnvFactory(env, {})"),
            Mutation(
                "any number of sessions",
                "max_sessions=max_sessions, hosts",
                "max_sessions=MAX_SESSIONS, hosts",
            ),
            Mutation("no name of its own", "hosts={*names_of(host), *allowed_hosts}", "hosts=allowed_hosts"),
            Mutation("nobody is asked", "token=token)", "token=None)"),
            Mutation("no session is enough", "if max_sessions < 1:", "if max_sessions < 0:"),
            Mutation("the host has no effect", "take_port(host, port)", 'take_port("127.0.0.1", port)'),
            Mutation("open to all", 'host: str = "127.0.0.1"', 'host: str = "0.0.0.0"'),
        ),
    ),
    Module(
        "environments/openenv/env.py",
        (f"{_UNIT}/test_openenv_client.py",),
        (
            Mutation(
                "what cannot be made stays open",
                "        except BaseException:\n            self.close()\n",
                "        except BaseException:\n",
            ),
            Mutation(
                "a dead line is used again",
                "                self._link.close()\n                self._link = None\n            raise",
                "                self._link.close()\n            raise",
            ),
            Mutation(
                "a dead line stays open",
                "                self._link.close()\n                self._link = None\n            raise",
                "                self._link = None\n            raise",
            ),
            Mutation("the task is not sent", '            asked["task"] = given\n', "            pass\n"),
            Mutation("the first to part ends it", "if self.users == 0:", "if self.users >= 0:"),
            Mutation("nobody ends it", "                self.server.close()\n", "                pass\n"),
            Mutation(
                "parted twice",
                "            self._demo.part()\n            self._demo = None\n",
                "            self._demo.part()\n",
            ),
            Mutation("cut is ended", "over and not truncated, over and truncated", "over, False"),
            Mutation("the timeout has no effect", "timeout=self.timeout, ", "timeout=60.0, "),
            Mutation("the server's turns", "given or int(", "int("),
            Mutation(
                "unknown tasks are sent", "if self._splits and given is not None and not any(", "if False and not any("
            ),
            Mutation(
                "success is not told", '("success", "invalid_action", "channels")', '("invalid_action", "channels")'
            ),
        ),
    ),
    Module(
        "environments/openenv/server.py",
        (f"{_UNIT}/test_openenv_session.py",),
        (
            Mutation("environments are left open", "            self.player.close()\n", "            pass\n"),
            Mutation("the seed is lost", "self.player.reset(task, seed)", "self.player.reset(task)"),
            Mutation(
                "it goes on", "        self._server.should_exit = True\n        self._thread.join(_START_SECONDS)\n", ""
            ),
            Mutation(
                "its socket stays",
                "        self._thread.join(_START_SECONDS)\n        self._socket.close()\n",
                "        self._thread.join(_START_SECONDS)\n",
            ),
            Mutation("a reward before the first turn", "now.reward if now.num_turns else None", "now.reward"),
            Mutation("episodes share a name", "episode_id or uuid.uuid4().hex", 'episode_id or self.episode or "one"'),
            Mutation(
                "all errors are swallowed",
                '            if scope["type"] != "websocket":\n                raise\n',
                "            return\n",
            ),
            Mutation(
                "any number of sessions", "action, observation, max_sessions)", "action, observation, MAX_SESSIONS)"
            ),
        ),
    ),
    Module(
        "environments/textarena/env.py",
        (f"{_UNIT}/test_textarena_rules.py",),
        (
            Mutation("always the first seat", "self.seed % self.game.num_players if", "0 if"),
            Mutation("more than a draw", "reward >= self.success_at", "reward > self.success_at"),
            Mutation(
                "the other seat's reward",
                "self.game.rewards.get(self.mine, 0.0)",
                "self.game.rewards.get(1 - self.mine, 0.0)",
            ),
            Mutation("chance has no seed", "int(self.np_random.integers(len(seen.admissible)))", "0"),
            Mutation("no end of moves", "for _ in range(_MOST_MOVES):", "for _ in range(2 * _MOST_MOVES):"),
            Mutation("one seat too many", "0 <= seat < self.game.num_players", "0 <= seat <= self.game.num_players"),
            Mutation("brackets for all", "bracketed if bracketed in (self._last or ()) else str(action)", "bracketed"),
        ),
    ),
    Module(
        "environments/textarena/table.py",
        (f"{_UNIT}/test_textarena_rules.py",),
        (
            Mutation(
                "nobody hears of a move",
                "            wrong = self.game.play(action)\n            self.changed.notify_all()\n",
                "            wrong = self.game.play(action)\n",
            ),
            Mutation(
                "nobody hears who left",
                "            self.left.add(seat)\n            self.changed.notify_all()\n",
                "            self.left.add(seat)\n",
            ),
            Mutation(
                "who fails stays seated",
                "        finally:\n            await table.leave(number)",
                "        finally:\n            pass",
            ),
            Mutation("seated twice", "if self.has_begun or seat in self.seated:", "if self.has_begun:"),
            Mutation("left is won", '0.0, False, True, {"success": False', '0.0, True, False, {"success": True'),
            Mutation("out of turn", "self.game.over or self.game.to_move == seat or", "self.game.over or True or"),
        ),
    ),
    Module(
        "environments/textarena/game.py",
        (f"{_UNIT}/test_textarena_rules.py",),
        (
            Mutation(
                "the process's numbers are used up",
                "                random.setstate(outside)\n",
                "                pass\n",
            ),
            Mutation("told again and again", "        self.world.state.observations[seat] = []\n", ""),
            Mutation(
                "the rewards of the last game",
                "        self.rewards: dict[int, float] = {}\n",
                '        self.rewards: dict[int, float] = getattr(self, "rewards", {})\n',
            ),
            Mutation(
                "over for good", "        self.over = False\n", '        self.over = getattr(self, "over", False)\n'
            ),
            Mutation(
                "a moment that moves on",
                "return copy.deepcopy(self.world), self._random",
                "return self.world, self._random",
            ),
            Mutation("the first list", "listed[-1]", "listed[0]"),
        ),
    ),
    Module(
        "environments/browsergym/env.py",
        (f"{_UNIT}/test_adapter_browsergym.py",),
        (
            Mutation("heard again", 'self._heard = len(seen["chat_messages"])\n        lines', "lines"),
            Mutation("one's own words", 'if message["role"] == "user"]', "]"),
            Mutation("the whole log", 'first = text.strip().partition("\\n")[0]', "first = text.strip()"),
            Mutation("every end is a success", "self.total >= self.success_at", "True"),
            Mutation("totals add up", "self.total, self._heard = 0.0, len", "self.total, self._heard = 2.0, len"),
            Mutation("seeds go round first", "divmod(number, len(self.names))", "divmod(number, 1)"),
            Mutation("names are in every split", "if _split_of(name) == split]", "]"),
            Mutation("what is done can be undone", "if not self._is_seeded:", "if False:"),
            Mutation("any length", "if len(said) > _LONGEST:", "if False:"),
            Mutation(
                "an error is an error",
                "except Exception as error:\n            raise EnvError(",
                "except ImportError as error:\n            raise EnvError(",
            ),
            Mutation("stays where nobody answers", "if self._desk is not None and self._desk.is_lost:", "if False:"),
            Mutation("the world stays open", "desk.call(world.close)", "pass"),
            Mutation("never left", "            desk.leave()", "            pass"),
            Mutation("pictures elsewhere", 'if not head.startswith("data:image/") or', "if False and"),
            Mutation("one tab is told", 'if len(seen["open_pages_urls"]) > 1:', "if True:"),
            Mutation("its own patience", "pre_observation_delay=self._delay", "pre_observation_delay=0.5"),
        ),
    ),
    Module(
        "environments/browsergym/suites.py",
        (f"{_UNIT}/test_adapter_browsergym.py",),
        (
            Mutation("letters", "key=_natural", "key=str"),
            Mutation("a suite is no name", 'else f"{name}.*"', "else name"),
            Mutation("one set of actions", "return [chosen] if chosen in known else [*_GENERAL]", "return [*_GENERAL]"),
            Mutation("one place alone", "and not os.environ.get(_URL):", "and True:"),
        ),
    ),
    Module(
        "environments/browsergym/desk.py",
        (f"{_UNIT}/test_adapter_browsergym.py",),
        (
            Mutation("a desk each", "if _desk is None or _desk.pid != os.getpid():", "if True:"),
            Mutation("the first to leave", "if self.seats or self.is_lost", "if self.is_lost"),
            Mutation(
                "lost for good",
                "            if _desk is self:\n                _desk = None\n\n    def start",
                "            pass\n\n    def start",
            ),
            Mutation("the thread stays", "self._thread.shutdown(wait=False)", "pass"),
            Mutation("all wait at once", "        with self._turn:", "        if True:"),
            Mutation("patience", "return work.result(_SECONDS)", "return work.result()"),
            Mutation("every deadline is ours", "                if work.done():", "                if False:"),
        ),
    ),
)
