"""Ways to break what runs on a cluster."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

UNIT = "tests/unit/cluster"

MODULES = (
    Module(
        "agentgym/cluster/connection.py",
        (f"{UNIT}/test_connection.py",),
        (
            Mutation("versions without tokens", "if version < _LEAST:", "if False:"),
            Mutation("joined without a token", "        elif _has_token():\n", "        elif True:\n"),
            Mutation("nobody is asked", '"RAY_AUTH_MODE": "token"}', "}"),
            Mutation("one token for all", "return secrets.token_hex(32)", 'return "0" * 64'),
            Mutation("a dashboard", '"include_dashboard": False', '"include_dashboard": True'),
            Mutation("an open cluster is joined", "if found.returncode == 0:", "if False:"),
            Mutation("the token is shown to strangers", 'if not name.startswith("RAY_AUTH")', "if True"),
            Mutation("Ray is asked to end with a rank", "functools.partial(usual, process_group=0)", "usual"),
            Mutation("Ray answers SIGTERM", "        _heed_sigterm()\n", ""),
            Mutation("nobody cleans up", "            closing.enter_context(_guarded(directory))\n", ""),
            Mutation("dead nodes are used", '            if node["Alive"]\n', ""),
        ),
    ),
    Module(
        "agentgym/cluster/guard.py",
        (f"{UNIT}/test_guard.py",),
        (
            Mutation("the program is ended too", " - {os.getppid()}", ""),
            Mutation("whoever reads is ended", "!= os.O_RDONLY", ">= 0"),
            Mutation("others are ended", 'f"{directory}/"', "directory"),
            Mutation("nobody is ended", "os.kill(pid, signal.SIGKILL)", "pass"),
            Mutation("the directory stays", "    shutil.rmtree(directory, ignore_errors=True)\n", "    pass\n"),
        ),
    ),
    Module(
        "agentgym/variables.py",
        ("tests/unit/test_variables.py",),
        (Mutation("variables stay", "os.environ.pop(name, None)", "pass"),),
    ),
    Module(
        "agentgym/cluster/router.py",
        (f"{UNIT}/test_router.py",),
        (
            Mutation(
                "sessions wander",
                "        if engine is None:\n            engine =",
                "        if True:\n            engine =",
            ),
            Mutation("beginnings are nothing", "(self._matched(engine, blocks), -len", "(0, -len"),
            Mutation("all on one", "<= least + self.slack", "<= 10**9"),
            Mutation("the lost keep theirs", "            del self._places[session]\n", "            pass\n"),
            Mutation("old caches are counted on", "            known.clear()\n", "            pass\n"),
            Mutation("forks go elsewhere", "            self._put(new, engine)\n", "            pass\n"),
            Mutation("releases are not heard", "self.sessions[engine].discard(session)", "pass"),
        ),
    ),
    Module(
        "agentgym/cluster/hosts.py",
        (f"{UNIT}/test_hosts.py",),
        (
            Mutation("always the same node", "key=lambda each: each.load)", "key=lambda each: each.node.id)"),
            Mutation("new nodes are not seen", "nodes.keys() - self._posts.keys()", "()"),
            Mutation("other versions are fine", 'if head["agentgym"] != VERSION:', "if False:"),
            Mutation("the lost are asked again", "            self.post.is_lost = True\n", ""),
            Mutation("never moved", "other.load_with(1) <= post.load_with(-1)", "False"),
            Mutation(
                "moved back and forth", "other.load_with(1) <= post.load_with(-1)", "other.load < post.load_with(1)"
            ),
            Mutation("loads are not given back", "        self.post.num_hosts -= 1\n", ""),
        ),
    ),
    Module(
        "agentgym/cluster/engine.py",
        (f"{UNIT}/test_engine.py",),
        (
            Mutation(
                "old weights for the reborn",
                "            while version != self.policy_version:",
                "            while False:",
            ),
            Mutation(
                "the lost are not replaced",
                "create_task(self._reborn(self._places.pop(number)))",
                "create_task(asyncio.sleep(0))",
            ),
            Mutation("one that has gone again is asked", "while not self._actors:", "if not self._actors:"),
            Mutation("caches of old weights are counted on", "        self._router.forget()\n", ""),
            Mutation("other versions are fine", 'if head["agentgym"] != VERSION:', "if False:"),
            Mutation(
                "room is not given back", "            self._cluster.give_back(self._group)\n", "            pass\n"
            ),
        ),
    ),
    Module(
        "agentgym/cluster/parcels.py",
        (f"{UNIT}/test_parcels.py",),
        (
            Mutation("the last parcel is lost", "    if parcel:\n        yield", "    if False:\n        yield"),
            Mutation("one parcel for all", "size + tensor.nbytes > most", "False"),
        ),
    ),
    Module(
        "agentgym/cluster/blueprint.py",
        (f"{UNIT}/test_blueprint.py",),
        (
            Mutation("files lead anywhere", "if not file.resolve().is_relative_to(directory.resolve()):", "if False:"),
            Mutation("always float32", 'getattr(torch, head["dtype"])', "torch.float32"),
        ),
    ),
)
