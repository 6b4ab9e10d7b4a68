"""Models in GGUF files: what is read of a header, what is refused, what the reader leaves out, the cache."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

TESTS = ("tests/unit/learn/test_gguf.py",)

MODULES = (
    Module(
        "agentgym/learn/gguf.py",
        TESTS,
        (
            Mutation("safetensors do not count", " if path.suffix in _WEIGHTS or path.name", " if path.name"),
            Mutation("the first of several", "    if len(found) > 1:\n", "    if False:\n"),
            Mutation("always anew", "            if not _is_whole(directory):\n", "            if True:\n"),
            Mutation("by the name of the file", 'f"{content_hash(file)[:32]}-', 'f"{file.name}-'),
            Mutation("nobody waits", "        fcntl.flock(file, fcntl.LOCK_EX)\n", ""),
            Mutation("half is whole", '.stat().st_size == file["size"]', ".stat().st_size >= 0"),
            Mutation("a full disk is found out late", "    if needed > free:\n", "    if False:\n"),
            Mutation("said every time", "    print(text, file=sys.stderr, flush=True)\n", "    print(text)\n"),
            Mutation("any architecture", "    if header.architecture not in readable:\n", "    if False:\n"),
            Mutation(
                "encoders too",
                "{*GGUF_SUPPORTED_ARCHITECTURES, *GGUF_CONFIG_ARCHS} - _NO_LANGUAGE_MODELS",
                "{*GGUF_SUPPORTED_ARCHITECTURES, *GGUF_CONFIG_ARCHS}",
            ),
            Mutation("any splitting", "    refuse_unknown_splits(header)\n", ""),
            Mutation(
                "positions are found out late",
                "    refuse_unknown_splits(header)\n    _rope(header)\n",
                "    refuse_unknown_splits(header)\n",
            ),
            Mutation("any table", "    if not np.allclose(", "    if False and not np.allclose("),
            Mutation("scaling is left out", "    if scaled := _rope(header):\n", "    if scaled := None:\n"),
            Mutation("heads of their share", "        config.head_dim = width\n", "        pass\n"),
            Mutation("queries of the largest", "share if is_largest else width", "share if True else width"),
            Mutation(
                "places of GPT-2", '        config.n_positions = header.own("context_length")\n', "        pass\n"
            ),
            Mutation("split as the reader does", "        split_as_trained(tokenizer, header)\n", ""),
            Mutation("random weights", "    if missing:\n", "    if False:\n"),
            Mutation("weights left out", "    if over > 0 and", "    if False and"),
            Mutation("not finite", "    if wrong:\n", "    if False:\n"),
            Mutation("one end", "    if len(known) > 1:\n", "    if False:\n"),
        ),
    ),
    Module(
        "agentgym/learn/gguf_header.py",
        TESTS,
        (
            Mutation("any length", "        if self.at + length > len(self.content):\n", "        if False:\n"),
            Mutation("any version", "    if version not in _VERSIONS:\n", "    if False:\n"),
            Mutation("parts", "    if isinstance(num, int) and num > 1:\n", "    if False:\n"),
            Mutation("cut off", "    if end > size:\n", "    if False:\n"),
        ),
    ),
    Module(
        "agentgym/learn/gguf_text.py",
        TESTS,
        (
            Mutation("merges before words", "        backend.model.ignore_merges = True\n", "        pass\n"),
            Mutation("digits together", "Digits(individual_digits=True)", "Digits(individual_digits=False)"),
            Mutation("as GPT-2", "    elif name in _AS_QWEN2:\n", "    elif False:\n"),
        ),
    ),
    Module(
        "agentgym/learn/sources.py",
        (*TESTS, "tests/unit/launch/test_models.py"),
        (
            Mutation("files are elsewhere", "Path(source).is_dir() or Path(source).is_file()", "Path(source).is_dir()"),
            Mutation(
                "the base of a run", "return str(trained) if trained.is_dir() else str(model)", "return str(model)"
            ),
            Mutation("pointers below their file", 'f"git -C {file.parent} lfs pull"', 'f"git -C {place} lfs pull"'),
        ),
    ),
    Module(
        "agentgym/learn/policy.py",
        TESTS,
        (
            Mutation(
                "an adapter of the cache",
                "        module.name_or_path = tokenizer.name_or_path = base  # which",
                "        # which",
            ),
        ),
    ),
    Module(
        "agentgym/launch/fingerprint.py",
        ("tests/unit/launch/test_fingerprint.py",),
        (
            Mutation("a GGUF file is nothing", "        return {file.name: content_hash(file)}\n", "        pass\n"),
            Mutation(
                "a file that moved is gone", "    if not is_here(source) and is_here(moved):\n", "    if False:\n"
            ),
        ),
    ),
    Module(
        "agentgym/launch/places.py",
        ("tests/unit/launch/test_places.py",),
        (Mutation("nano is a file", 'if id != "nano" and is_here(id)', "if is_here(id)"),),
    ),
)
