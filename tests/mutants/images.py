"""Pictures on their way from a message to the decoder."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/vision.py",
        ("tests/unit/test_vision.py",),
        (
            Mutation("image tokens sampled", "FORBIDDEN = -1e4", "FORBIDDEN = 0.0"),
            Mutation("positions count tokens", "place = int(parts[-1].max()) + 1", "place += end - at"),
            Mutation("images stand at the beginning", "parts.append(own + place)", "parts.append(own)"),
            Mutation("images take up all positions", "int(own.max()) + 1 - own.shape[1]", "0 * own.shape[1]"),
        ),
    ),
    Module(
        "agentgym/actors/embedded/forward.py",
        ("tests/unit/test_vision.py",),
        (
            Mutation("features of old weights", "        self._features.clear()\n", ""),
            Mutation("decoded at the place", "(start_R + shift_R)[:, None]", "start_R[:, None]"),
            Mutation("new images counted twice", "row.shift - vision.shift(self.module, seen)", "row.shift"),
        ),
    ),
    Module(
        "agentgym/learn/sight.py",
        ("tests/unit/test_vision.py",),
        (
            Mutation("any tokens are an image", "if tuple(token_ids[begin:at]) != wanted:", "if False:"),
            Mutation(
                "tokens beyond the images",
                "    if token in token_ids[at:]:\n        raise",
                "    if False:\n        raise",
            ),
            Mutation("the first image for all", "[features[digest] for digest", "[features[digests[0]] for digest"),
        ),
    ),
)
