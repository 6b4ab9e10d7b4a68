"""Environments where they live: what is kept of them, copied, closed, killed, given back."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

PROCESSES = "tests/unit/hosts/processes"
FAULTS = "tests/faults/test_hosts.py"

MODULES = (
    Module(
        "agentgym/snapshot.py",
        ("tests/unit/test_snapshot.py",),
        (
            Mutation("reward not in the digest", "tools, reward, terminated", "tools, terminated"),
            Mutation(
                "one kind of end for the other", "reward, terminated, truncated, told))", "reward, truncated, told))"
            ),
            Mutation("a cut is not in the digest", "terminated, truncated, told))", "terminated, told))"),
            Mutation("ends are one", "terminated, truncated, told))", "terminated or truncated, told))"),
            Mutation("success not in the digest", "truncated, told))", "truncated))"),
            Mutation("no success is a failure", 'info.get("success")', 'info.get("success", False)'),
            Mutation("images not in the digest", "in seen.images", "in ()"),
            Mutation("images in any order", "for image in seen.images", "for image in sorted(seen.images, key=id)"),
            Mutation("actions not in the digest", "seen.admissible, tools", "tools"),
            Mutation("no actions and none known are one", "seen.admissible, tools", "seen.admissible or None, tools"),
            Mutation("tools not in the digest", "for tool in seen.tools]", "for tool in ()]"),
            Mutation("the first digest for the last", "self.digests[-1]", "self.digests[0]"),
            Mutation("one turn too many", "return len(self.actions)", "return len(self.digests)"),
            Mutation(
                "a wrapper's moment is native", "            return self.state.rung", '            return "native"'
            ),
            Mutation("what came later stays", "            delattr(self.env, name)", "            pass"),
            Mutation("copies are given away", "update(self._copy(self._values))", "update(self._values)"),
            Mutation("nothing is copied", "self._copy(self._of(env))", "self._of(env)"),
            Mutation("all is copied", "if name not in self._but}", "}"),
            Mutation("the environment is copied too", ", {id(self.env): self.env})", ")"),
        ),
    ),
    Module(
        "agentgym/env.py",
        ("tests/unit/test_snapshot.py", "tests/unit/test_env.py"),
        (
            Mutation("the last reward for the sum", "self._total += turn.reward", "self._total = turn.reward"),
            Mutation("rewards go on over a reset", "self._done, self._total = False, 0.0", "self._done = False"),
            Mutation(
                "a cut is no end", "self._done = turn.terminated or turn.truncated", "self._done = turn.terminated"
            ),
            Mutation("replay drops options", ", options=dict(past.options))", ")"),
            Mutation("replay with another seed", "self.reset(seed=past.seed,", "self.reset(seed=None,"),
            Mutation(
                "the replayed reset is not verified",
                "        self._must_agree(past)\n        for",
                "        for",
            ),
            Mutation(
                "replayed steps are not verified",
                "            yield self.step(action)\n            self._must_agree(past)",
                "            yield self.step(action)",
            ),
            Mutation(
                "a restore by replay is not verified", "if self._digests[turn] == past.digests[turn]:", "if turn >= 0:"
            ),
            Mutation(
                "only the last turn is verified",
                "== past.digests[turn]:",
                "== past.digests[turn] or turn < past.num_turns:",
            ),
            Mutation(
                "a replay goes on past the end",
                "            if self._done:\n                raise Snap",
                "            if False:\n                raise Snap",
            ),
            Mutation("another's copy is brought back", "isinstance(state, Copied) and state.env is not self", "False"),
            Mutation(
                "the end is forgotten",
                "self._done, self._total = snapshot.done, snapshot.total",
                "self._total = snapshot.total",
            ),
            Mutation(
                "the sum is forgotten",
                "self._done, self._total = snapshot.done, snapshot.total",
                "self._done = snapshot.done",
            ),
            Mutation(
                "the seed is kept",
                "self._seed, self._options = snapshot.seed, dict(snapshot.options)",
                "self._options = dict(snapshot.options)",
            ),
            Mutation(
                "the options are kept",
                "self._seed, self._options = snapshot.seed, dict(snapshot.options)",
                "self._seed = snapshot.seed",
            ),
            Mutation("random numbers go on", "        self.np_random.bit_generator.state = ", "        _ = "),
            Mutation(
                "a moment's info is given away",
                "snapshot.observation, dict(snapshot.info)",
                "snapshot.observation, snapshot.info",
            ),
            Mutation("a moment shares info", "info=dict(self._info),", "info=self._info,"),
            Mutation(
                "a moment shares actions",
                "list(snapshot.actions), list(snapshot.digests)",
                "[], list(snapshot.digests)",
            ),
            Mutation("saved after a step that raised", "if len(self._digests) != len(self._actions) + 1:", "if False:"),
            Mutation(
                "saved where there is no way back", 'and self.restored_by == "none":', 'and self.restored_by == "no":'
            ),
            Mutation("instructions are not brought back", '("instructions", "max_turns"):', '("max_turns",):'),
            Mutation("limits are not brought back", '("instructions", "max_turns"):', '("instructions",):'),
            Mutation("a reset draws no seed", "seed = int(self.np_random.integers(2**31))", "seed = 0"),
            Mutation("a task is no seed", 'seed = self._seed_from(options["task"])', "pass"),
            Mutation("a negative task", "        if seed < 0:", "        if seed < -10:"),
            Mutation("a task that is zero is none", "if seed < 0:", "if seed <= 0:"),
            Mutation("steps after the end", "if self._seen is None or self._done:", "if self._seen is None:"),
            Mutation(
                "splits overlap", '"validation": range(1_000_000, 1_001_000)', '"validation": range(999_999, 1_001_000)'
            ),
            Mutation("the test split is the validation split", '"test": range(1_001_000,', '"test": range(1_000_000,'),
            Mutation("options are the caller's own", "options = dict(options or {})", "options = options or {}"),
        ),
    ),
    Module(
        "agentgym/exits.py",
        ("tests/unit/test_exits.py", "tests/unit/hosts/test_hosts.py"),
        (
            Mutation("whoever leaves ends the run", "in (_process.get(), _owned", "in (0, _owned"),
            Mutation("in a thread it ends the run", "_owned.get(caller)):", "0):"),
        ),
    ),
    Module(
        "agentgym/boundary.py",
        ("tests/unit/test_boundary.py", "tests/unit/test_env.py"),
        (
            Mutation("an endless reward", "if not math.isfinite(found):", "if math.isnan(found):"),
            Mutation("info of any class", "value if type(value) is dict else", "value if True else"),
            Mutation("a sum beyond all bounds", "if abs(total + paid) > MAX_REWARD:", "if False:"),
            Mutation("a reward beyond all bounds", "if abs(paid) > MAX_REWARD:", "if paid > MAX_REWARD:"),
            Mutation("any number is success", "and value in (0, 1):", "and value == value:"),
            Mutation("no word is a wrong action", "(isinstance(value, str) and str.__len__(value) == 0)", "False"),
            Mutation("tools without a name", "if not (isinstance(name, str) and name):", "if name is None:"),
            Mutation("tools are looked at each turn", "all(map(operator.is_, tools, known))", "tools == ()"),
            Mutation("a text's own idea of itself", "text = str.__str__(value)", "text = str(value)"),
            Mutation("true is a count", "-1 if isinstance(value, bool) else ", ""),
            Mutation(
                "stuck inside after an error",
                "                self._inside = False\n            return after",
                "                pass\n            self._inside = False\n            return after",
            ),
            Mutation(
                "stuck inside after a plain error",
                "        finally:\n            self._inside = False\n        return awaited",
                "        finally:\n            pass\n        self._inside = False\n        return awaited",
            ),
            Mutation(
                "stuck inside after a late error",
                "        finally:\n            self._inside = False\n        return after(self, settled)",
                "        finally:\n            pass\n        self._inside = False\n        return after(self, settled)",
            ),
            Mutation(
                "not inside while it is awaited",
                "        self._inside = True\n        try:\n            settled",
                "        try:\n            settled",
            ),
            Mutation(
                "checked at every super",
                "            if self._inside:\n                return await",
                "            if False:\n                return await",
            ),
            Mutation(
                "a plain one is checked at every super",
                "        if self._inside:\n            return method",
                "        if False:\n            return method",
            ),
        ),
    ),
    Module(
        "agentgym/wrapper.py",
        ("tests/unit/test_wrapper.py",),
        (
            Mutation(
                "success by what the wrapper pays",
                "succeeded(self._info, self.env._total)",
                "succeeded(self._info, self._total)",
            ),
            Mutation(
                "the wrapper draws what the wrapped draws",
                'default_rng([arguments["seed"], _depth(self)])',
                'default_rng(arguments["seed"])',
            ),
            Mutation("every wrapper draws the same", "return 1 + _depth(env.env)", "return 1"),
            Mutation(
                "the expert sees what the wrapper shows",
                "lambda _: inner(self.env._seen or Observation())",
                "lambda seen: inner(seen)",
            ),
            Mutation(
                "what may be kept is not replayed", "if may_keep and kind.get_state is own.get_state:", "if False:"
            ),
            Mutation(
                "only a step may keep",
                "kind.reset is not own.reset or kind.step is not own.step",
                "kind.step is not own.step",
            ),
            Mutation(
                "only a reset may keep",
                "kind.reset is not own.reset or kind.step is not own.step",
                "kind.reset is not own.reset",
            ),
            Mutation("a copy is made from outside", 'return "replay" if way == "copy" else way', "return way"),
            Mutation(
                "one way is all ways",
                '            self.restored_by = "none"',
                '            type(self).restored_by = "none"',
            ),
            Mutation(
                "a wrapper is not closed through",
                "    def close(self) -> Any:\n        return self.env.close()",
                "    def close(self) -> Any:\n        return None",
            ),
            Mutation("wrappers of Gymnasium are not closed", "return self.outermost.close()", "return None"),
            Mutation("a step begins the next episode", "    wrappers.Autoreset: ", "    type(None): "),
            Mutation("only the outermost is looked at", "        env = env.env\n", "        env = env.unwrapped\n"),
            Mutation("the wrapped tasks are not its own", "return self.env.has_own_tasks if", "return False if"),
            Mutation(
                "preload leaves one open",
                "        closing = cls(**options).close()",
                "        closing = cls(**options) and None",
            ),
        ),
    ),
    Module(
        "agentgym/hosts/resident.py",
        ("tests/unit/hosts/test_resident.py",),
        (
            Mutation("the first saved goes first", "        self._kept.move_to_end(mark.id)\n", ""),
            Mutation("one too many", "len(self._kept) > MAX_KEPT", "len(self._kept) > MAX_KEPT + 1"),
            Mutation("one too few", "len(self._kept) > MAX_KEPT", "len(self._kept) >= MAX_KEPT"),
            Mutation("the newest goes", "popitem(last=False)", "popitem(last=True)"),
            Mutation("nothing is forgotten", "self._kept.pop(id, None)", "self._kept.get(id, None)"),
            Mutation("closing keeps all", "        self._kept.clear()\n", ""),
            Mutation("nothing is closed", "return self.env.close()", "return None"),
            Mutation(
                "the expert of the last episode",
                "        self._expert, self._knows_expert = None, False\n        return",
                "        return",
            ),
            Mutation(
                "the expert of before the moment",
                "        self._expert, self._knows_expert = None, False\n        if",
                "        if",
            ),
            Mutation("an expert a turn", "self.env.expert(), True", "self.env.expert(), False"),
            Mutation("always a replay", "if mark.id not in self._kept:", "if True:"),
            Mutation("one mark is another's", "uuid.uuid4().hex", "'0'"),
            Mutation("nothing is an action", "    if said is None:\n        return None\n", ""),
        ),
    ),
    Module(
        "agentgym/hosts/loop.py",
        ("tests/unit/hosts/test_loop.py",),
        (
            Mutation(
                "killed and never closed",
                "task = loop.create_task(self.close())",
                "task = loop.create_task(asyncio.sleep(0))",
            ),
            Mutation("the end waits for nobody", "            self._closing.add(task)\n", ""),
            Mutation("closed twice", "        self._is_closed = True\n", ""),
            Mutation("closing has no deadline", "asyncio.timeout(CLOSE_SECONDS)", "asyncio.timeout(None)"),
            Mutation(
                "a hang is silent",
                "except (EnvError, UserError, TimeoutError) as error:",
                "except TimeoutError:\n            pass\n        except (EnvError, UserError) as error:",
            ),
            Mutation("an interrupt is an environment's", "return is_ctrl_c(error)", "return False"),
            Mutation("an environment cancels the run", "task is None or task.cancelling() > 0", "True"),
            Mutation("an environment is not cancelled", "task is None or task.cancelling() > 0", "task is None"),
            Mutation("a lost environment's last action", "        self._situation.action = action\n", ""),
        ),
    ),
    Module(
        "agentgym/hosts/threads.py",
        ("tests/unit/hosts/test_threads.py",),
        (
            Mutation("an async one is not told", "            task.cancel()", "            pass"),
            Mutation("given up and never closed", "            self.end()", "            pass"),
            Mutation("a thread that goes on waiting", "        self.calls.put(None)\n", ""),
            Mutation(
                "what hangs is not counted", "for host in (*self._abandoned, self) if", "for host in self._abandoned if"
            ),
            Mutation(
                "used after it was given up",
                "        if self._life.abandoned:\n            raise EnvError",
                "        if False:\n            raise EnvError",
            ),
            Mutation("warned of again", "        self._abandoned.clear()", "        pass"),
            Mutation(
                "one that cannot be made keeps its thread",
                "        except BaseException:\n            host.kill()\n            raise",
                "        except BaseException:\n            raise",
            ),
            Mutation("closing has no deadline", "asyncio.timeout(CLOSE_SECONDS)", "asyncio.timeout(None)"),
            Mutation("a thread that keeps the interpreter", "daemon=True", "daemon=False"),
            Mutation(
                "an answer that comes late is an error",
                "lambda: None if self._future.done() else settle(value)",
                "lambda: settle(value)",
            ),
            Mutation(
                "the thread's own environments are one",
                "self._resident = Resident(adopted(self._make_env()))",
                "self._resident = type(self)._of_all = getattr(type(self), '_of_all', None) or "
                "Resident(adopted(self._make_env()))",
            ),
        ),
    ),
    Module(
        "agentgym/hosts/failures.py",
        ("tests/unit/hosts/test_failures.py",),
        (
            Mutation("the task is not told", '(options or {}).get("task"), None', "None, None"),
            Mutation("the last action of before", '.get("task"), None', '.get("task"), self.action'),
            Mutation("the first action for the last", "mark.actions[-1] if", "mark.actions[0] if"),
            Mutation(
                "a mistake for people is an environment's",
                "for kind in (EnvError, SnapshotError, UserError,",
                "for kind in (EnvError, SnapshotError,",
            ),
            Mutation("a group is told as it is", "inner = innermost(error)", "inner = error"),
            Mutation("the line of one's own is lost", "if own and own[-1] not in shown:", "if False:"),
            Mutation("the first frames for the last", "shown = frames[-_FRAMES:]", "shown = frames[:_FRAMES]"),
            Mutation("frames of ours", "if not _is_ours(frame.filename)]", "]"),
            Mutation("one character too many is cut", "- head - tail) > 0:", "- head - tail) >= 0:"),
        ),
    ),
    Module(
        "agentgym/hosts/processes/channel.py",
        (f"{PROCESSES}/test_channel.py",),
        (
            Mutation(
                "what was not sent is lost",
                "            self._waiting.appendleft((data[sent:], None))",
                "            pass",
            ),
            Mutation("what was sent is sent again", "data[sent:]", "data"),
            Mutation("the rest goes last", "self._waiting.appendleft(", "self._waiting.append("),
            Mutation("a gift goes twice", "(data[sent:], None)", "(data[sent:], gift)"),
            Mutation("a gift stays open here", "[gift.fileno()])\n            gift.close()", "[gift.fileno()])"),
            Mutation(
                "a gift that waits stays open",
                "            _, gift = self._waiting.popleft()\n            if gift is not None:",
                "            _, gift = self._waiting.popleft()\n            if gift is None:",
            ),
            Mutation(
                "a gift to a closed one stays open",
                "        elif gift is not None:\n            gift.close()",
                "        elif gift is not None:\n            pass",
            ),
            Mutation(
                "what waits is kept",
                "            self._socket.close()\n            self._drop()",
                "            self._socket.close()",
            ),
            Mutation("the socket is kept", "            self._socket.close()\n", ""),
            Mutation(
                "the end is told twice",
                "        if self.is_open:\n            self.close()\n            self._on_end()",
                "        self.close()\n        self._on_end()",
            ),
            Mutation(
                "closing tells of it",
                "            self._drop()\n\n    def _read",
                "            self._drop()\n            self._on_end()\n\n    def _read",
            ),
            Mutation(
                "the loop is woken without end",
                "            self._writes = False\n            self._loop.remove_writer(self._socket)",
                "            self._writes = False",
            ),
            Mutation(
                "drained of one piece only", "while self.is_open and self._read():\n            pass", "self._read()"
            ),
            Mutation(
                "hanging up deafens", "self._socket.shutdown(socket.SHUT_WR)", "self._socket.shutdown(socket.SHUT_RDWR)"
            ),
            Mutation(
                "garbage is passed over",
                '            data = b""\n        if not data:',
                "            pass\n        if not data:",
            ),
        ),
    ),
    Module(
        "agentgym/hosts/processes/framed.py",
        (f"{PROCESSES}/test_process.py",),
        (
            Mutation(
                "what is equal is not sent", "known = observation is self._seen", "known = observation == self._seen"
            ),
            Mutation("the last step's observation is not known", "        self._seen = result.observation\n", ""),
            Mutation(
                "a reset keeps instructions",
                "_, self.instructions, self.max_turns, _ = self._read",
                "_, _, self.max_turns, _ = self._read",
            ),
        ),
    ),
    Module(
        "agentgym/hosts/processes/host.py",
        (f"{PROCESSES}/test_process.py",),
        (
            Mutation(
                "a deadline leaves the process",
                '        self._nurse.kill(self._number)\n        self._end(Death(None, "was given up"))',
                '        self._end(Death(None, "was given up"))',
            ),
            Mutation(
                "who is killed keeps callers waiting",
                '        self._nurse.kill(self._number)\n        self._end(Death(None, "was given up"))',
                "        self._nurse.kill(self._number)",
            ),
            Mutation(
                "closing leaves the process",
                "        finally:\n            self.kill()\n        await self._burial()",
                "        await self._burial()",
            ),
            Mutation("closing waits for no burial", "        await self._burial()\n", ""),
            Mutation(
                "closing does not ask",
                '                await self._call({"call": "close"})',
                "                await asyncio.sleep(0)",
            ),
            Mutation("the dead are closed", "        if self.death is not None:\n            return\n", ""),
            Mutation("the last answer is lost", "        self._channel.drain()  # it may have answered before\n", ""),
            Mutation(
                "one caller is told of the death",
                "            while self._waiting:\n                if",
                "            if self._waiting:\n                if",
            ),
            Mutation(
                "answers go to the last caller",
                "answer = self._waiting.popleft()\n            if not answer.done():  #",
                "answer = self._waiting.pop()\n            if not answer.done():  #",
            ),
            Mutation(
                "a later death takes the first's place",
                "        if self.death is None:\n            self.death = death",
                "        if True:\n            self.death = death",
            ),
            Mutation(
                "a silent one is left",
                '        self._nurse.kill(self._number)\n        self._end(Death(None, "closed its socket"))',
                '        self._end(Death(None, "closed its socket"))',
            ),
            Mutation(
                "a closed socket is taken at once",
                "call_later(_STATUS_SECONDS, self._on_silence)",
                "call_soon(self._on_silence)",
            ),
            Mutation(
                "a socket that closes is nothing",
                "        asyncio.get_running_loop().call_later(_STATUS_SECONDS, self._on_silence)",
                "        pass",
            ),
            Mutation(
                "a lost nursery is final",
                "        except NurseryLost:  # a new one is started, once\n            return await self._open()",
                "        except NurseryLost:\n            raise",
            ),
            Mutation("every host has a nursery", "if self._nurse is None or not self._nurse.is_alive or", "if True or"),
            Mutation("a dead nursery is asked", "not self._nurse.is_alive or self", "self"),
            Mutation("a dead nursery is left", "                self._nurse.end()\n", "                pass\n"),
            Mutation("the pool leaves its nursery", "            await nurse.close()", "            pass"),
            Mutation(
                "a closed nursery is asked again",
                "        nurse, self._nurse = self._nurse, None\n",
                "        nurse = self._nurse\n",
            ),
            Mutation(
                "one that cannot be made is left",
                "        except BaseException:\n            host.kill()\n            raise",
                "        except BaseException:\n            raise",
            ),
        ),
    ),
    Module(
        "agentgym/hosts/processes/nurse.py",
        (f"{PROCESSES}/test_nurse.py",),
        (
            Mutation(
                "the wrong host is told",
                'self._mourners.pop(head["died"], None)',
                "(self._mourners.popitem() if self._mourners else (0, None))[1]",
            ),
            Mutation("told twice", 'self._mourners.pop(head["died"], None)', 'self._mourners.get(head["died"], None)'),
            Mutation("a number that is gone is killed", "if number in self._mourners:", "if True:"),
            Mutation(
                "nobody is killed",
                '            self._channel.send(framed(Packet({"kill": number})))',
                "            pass",
            ),
            Mutation("the nursery is left running", "        self._process.kill()\n", ""),
            Mutation("the nursery is not reaped", "        self._process.wait()\n", ""),
            Mutation(
                "its line stays open", "        self._channel.close()\n        self._process", "        self._process"
            ),
            Mutation("it is not told to end", "            self._channel.hang_up()\n", ""),
            Mutation(
                "its end is not waited for", "                    await self._ended\n", "                    pass\n"
            ),
            Mutation("its end has no deadline", "asyncio.timeout(CLOSE_SECONDS)", "asyncio.timeout(None)"),
            Mutation(
                "hosts are not told of its end",
                "        for mourner in mourners.values():",
                "        for mourner in ():",
            ),
            Mutation("within Ctrl-C's reach", "start_new_session=True,", ""),
            Mutation(
                "an import that died is waited for",
                "        if self._ready is not None and not self._ready.done():\n            self._ready.set_exception",
                "        if False:\n            self._ready.set_exception",
            ),
            Mutation("its end is any death", ", with_nursery=True))", "))"),
            Mutation("options of its environments are dropped", '"options": made.options', '"options": {}'),
        ),
    ),
    Module(
        "agentgym/hosts/processes/nursery.py",
        (f"{FAULTS}::test_descendants_go_too", f"{FAULTS}::test_closing_while_it_hangs_gives_it_up"),
        (
            Mutation("a group is left", "            os.killpg(self.pid, signal.SIGKILL)", "            pass"),
            Mutation(
                "descendants of a dead one are left",
                "                one.kill()  # the others of its group",
                "                pass",
            ),
            Mutation("what is left is not killed", "        _kill_descendants()\n", ""),
            Mutation("children of children are not adopted", "    child.set_subreaper()\n", ""),
            Mutation(
                "orders to kill are passed over",
                "                self._children[number].kill()",
                "                pass",
            ),
        ),
    ),
    Module(
        "agentgym/hosts/processes/child.py",
        (
            f"{PROCESSES}/test_host.py::test_what_is_printed_corrupts_nothing",
            "tests/unit/hosts/test_hosts.py::test_an_episode_with_all_that_it_can_carry",
            "tests/unit/hosts/test_hosts.py::test_one_expert_serves_an_episode",
            "tests/unit/hosts/test_hosts.py::test_whatever_is_raised_is_told",
            "tests/unit/hosts/test_hosts.py::test_an_environment_that_raises_while_closing_is_told_of",
            "tests/unit/hosts/test_marks.py::test_a_replay_that_diverges_is_told_with_its_turn",
        ),
        (
            Mutation("what is printed goes to the terminal", "    os.dup2(output, 1)\n", ""),
            Mutation("what is printed as an error goes to the terminal", "    os.dup2(output, 2)\n", ""),
            Mutation("the expert sees what was first", "        self._seen = result.observation\n", ""),
            Mutation(
                "what is shown is not looked at",
                'unpack_observation(packet) if "text" in packet.head else self._seen',
                "self._seen",
            ),
            Mutation("nothing is forgotten", '        self._resident.forget(packet.head["ids"])\n', ""),
            Mutation("nothing is closed", "        self._settled(self._resident.close())\n", ""),
            Mutation(
                "an exit of the environment is its process's",
                "        except BaseException as error:  # an environment's SystemExit",
                "        except Exception as error:  # an environment's SystemExit",
            ),
            Mutation(
                "options are dropped", 'packet.head["seed"], packet.head["options"])', 'packet.head["seed"], None)'
            ),
        ),
    ),
    Module(
        "agentgym/hosts/processes/frames.py",
        (f"{PROCESSES}/test_frames.py",),
        (
            Mutation(
                "a length that no packet has",
                "if length > _MAX_BYTES or attached > _MAX_BYTES:",
                "if length > _MAX_BYTES:",
            ),
            Mutation("two at once are one", "        while self._buffer and (end", "        if self._buffer and (end"),
            Mutation(
                "what is attached is left out",
                "return Packet(head, data[middle:end])",
                "return Packet(head, data[middle:middle])",
            ),
            Mutation("long packets in short pieces", "min(max(self._missing, _RECEIVE), _RECEIVE_LONG)", "_RECEIVE"),
        ),
    ),
    Module(
        "agentgym/hosts/processes/wire.py",
        (f"{PROCESSES}/test_wire.py",),
        (
            Mutation(
                "no actions and none known are one",
                "if observation.admissible is not None:",
                "if observation.admissible:",
            ),
            Mutation(
                "ends are exchanged",
                "terminated=terminated, truncated=truncated",
                "terminated=truncated, truncated=terminated",
            ),
            Mutation(
                "images all have the first's bytes",
                "        raw, attached = attached[:size], attached[size:]",
                "        raw = attached[:size]",
            ),
            Mutation(
                "calls of tools are dropped",
                'if calls else {"action": str(action)}',
                'if not calls else {"action": str(action)}',
            ),
        ),
    ),
)
