"""Environments where they live: what is kept of them, copied, given back."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/snapshot.py",
        ("tests/unit/test_env.py",),
        (
            Mutation("reward not in the digest", "tools, reward, terminated", "tools, terminated"),
            Mutation("success not in the digest", "truncated, told))", "truncated))"),
            Mutation("images not in the digest", "in seen.images", "in ()"),
            Mutation("what came later stays", "            delattr(self.env, name)", "            pass"),
            Mutation("copies are given away", "update(self._copy(self._values))", "update(self._values)"),
        ),
    ),
    Module(
        "agentgym/hosts/resident.py",
        ("tests/unit/hosts/test_marks.py",),
        (
            Mutation("the first saved goes first", "        self._kept.move_to_end(mark.id)\n", ""),
            Mutation("one too many", "len(self._kept) > MAX_KEPT", "len(self._kept) > MAX_KEPT + 1"),
            Mutation("nothing is forgotten", "self._kept.pop(id, None)", "self._kept.get(id, None)"),
        ),
    ),
)
