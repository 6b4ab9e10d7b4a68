"""Sandboxes and the terminal: whose a container is, what is kept, what is restored, what counts as done.

Rows of what only a container holds need an engine, and are tried by hand: the tests that notice are marked.
"""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_TESTS = "tests/unit/sandbox/test_"
_TERMINAL = "tests/unit/environments/test_terminal_"

MODULES = (
    Module(
        "agentgym/sandbox/owner.py",
        (f"{_TESTS}owner.py",),
        (
            Mutation("others are taken for dead", "for name in _here()} != _here():", "for name in _here()} is None:"),
            Mutation("numbers are used again", '!= owner["start"]', "is None"),
        ),
    ),
    Module(
        "agentgym/sandbox/daemon.py",
        (f"{_TESTS}daemon.py",),
        (Mutation("what was removed is there", ' if container["Names"]]', "]"),),
    ),
    Module(
        "agentgym/sandbox/channel.py",
        (f"{_TESTS}channel.py",),
        (
            Mutation("any word will do", "!= (self._word, self._number)", "!= (head.get('word'), self._number)"),
            Mutation("any number will do", "!= (self._word, self._number)", "!= (self._word, head.get('id'))"),
            Mutation("of any length", "lengths[0] > _MAX_HEAD or lengths[1] > self._max_body", "False"),
            Mutation("one word for all", "secrets.token_hex(16)", '"0" * 32'),
        ),
    ),
    Module(
        "agentgym/sandbox/inside/capped.py",
        (f"{_TESTS}capped.py",),
        (
            Mutation("the end is not cut", "del self._last[: -self._half]", "pass"),
            Mutation("the first again", "self._last += data[room:]", "self._last += data"),
        ),
    ),
    Module(
        "agentgym/sandbox/inside/trees.py",
        (f"{_TESTS}local.py",),
        (
            Mutation("links are kept together", "not is_alone or ", ""),
            Mutation("kinds are not looked at", "entry[1] != kind or ", ""),
        ),
    ),
    Module(
        "agentgym/sandbox/inside/marks.py",
        (f"{_TESTS}marks.py",),
        (
            Mutation("what is being loaded is nobody's", 'return state not in (b"Z", b"X") and', "return False and"),
            Mutation("half loaded is loaded", "not (code and first == last)", "not (first and first == last)"),
            Mutation("all that look alike", "in _variables(name):", 'in b"".join(_variables(name)):'),
            Mutation("nobody starts another", "name not in seen]:", "name not in seen] if len(seen) == 1 else None:"),
        ),
    ),
    Module(
        "agentgym/sandbox/inside/server.py",
        (f"{_TESTS}local.py",),
        (
            Mutation("anywhere", "if not is_inside or", "if"),
            Mutation("upwards", ' or ".." in path.split("/")', ""),
            Mutation("times are not brought back", "if status.st_mtime_ns != mtime:", "if False:"),
            Mutation("modes are not brought back", "stat.S_IMODE(status.st_mode) != mode", "False"),
            Mutation("an owner's commands run on", "directory:\n            self.processes.halt()\n", "directory:\n"),
            Mutation("an owner's files stay", "            shutil.rmtree(self.directory, ignore_errors=True)\n", ""),
        ),
    ),
    Module(
        "agentgym/sandbox/files.py",
        (f"{_TESTS}files.py",),
        (Mutation("owners are the same", "entry.is_root, entry.what) for", "entry.what) for"),),
    ),
    Module(
        "environments/terminal/goals.py",
        (f"{_TERMINAL}tasks.py",),
        (
            Mutation("archives of any size", "        if not unpacker.eof:", "        if False:"),
            Mutation("links in archives", "not (one.isdir() or one.isreg()) or ", ""),
            Mutation("a directory will do", 'entry.kind == "f" and entry.mode', "entry.mode"),
            Mutation("nothing is untouched", "world.data(path) == data for", "True for"),
        ),
    ),
    Module(
        "environments/terminal/env.py",
        (f"{_TERMINAL}env.py",),
        (
            Mutation("others may be ended", " or not self._others_run(world)", ""),
            Mutation("what runs goes on", "        self.sandbox.halt()\n", ""),
            Mutation("a part is kept", "if verdict is None or verdict == 1.0 else 0.0", "if True else 0.0"),
            Mutation("all that looks like a call", "all(call.name in self.toolbox for call in calls)", "True"),
        ),
    ),
)
