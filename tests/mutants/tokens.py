"""Between messages and tokens: the template, what may not be said, images in place of their placeholders."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

UNIT = "tests/unit"

MODULES = (
    Module(
        "agentgym/tokenizer.py",
        (f"{UNIT}/test_tokenizer.py", f"{UNIT}/test_images.py"),
        (
            Mutation("the tokenizer's end first", "dict.fromkeys([*ends, *own])", "dict.fromkeys([*own, *ends])"),
            Mutation("both ends needed", "if not (ends or own):", "if not (ends and own):"),
            Mutation(
                "flags ignored", "all_special_tokens, strict=True)), **flagged}", "all_special_tokens, strict=True))}"
            ),
            Mutation("the end is spoken", "token_ids[:-1] if self._end(token_ids) else token_ids", "token_ids"),
            Mutation("any end within", "token_ids[-1] in self.stop_token_ids", "token_ids[0] in self.stop_token_ids"),
            Mutation("special tokens not spoken", "skip_special_tokens=False", "skip_special_tokens=True"),
            Mutation(
                "a policy's words defused",
                'self._without_markers if message["role"] == "assistant" else self._defused',
                "self._defused",
            ),
            Mutation("parts of a message not defused", '"text": defuse(part["text"])}', '"text": part["text"]}'),
            Mutation("replies may show images", "self.encode(self._without_markers(text))", "self.encode(text)"),
            Mutation(
                "tools not defused",
                "json.loads(self._defused(json.dumps(list(tools), ensure_ascii=False)))",
                "json.loads(json.dumps(list(tools), ensure_ascii=False))",
            ),
            Mutation("no tools are some", "ensure_ascii=False))) or None", "ensure_ascii=False)))"),
            Mutation("nobody speaks next", "            add_generation_prompt=True,\n", ""),
            Mutation(
                "one name for all vocabularies", "json.dumps(sorted(self.hf.get_vocab().items()))", "json.dumps([])"
            ),
            Mutation(
                "one character is not defused", 'if len(found[0]) > 1 else " "', "if len(found[0]) > 1 else found[0]"
            ),
        ),
    ),
    Module(
        "agentgym/processor.py",
        (f"{UNIT}/test_images.py",),
        (
            Mutation("the first processed goes", "                self._cache.move_to_end(media.digest)\n", ""),
            Mutation(
                "what fits goes", "self._cached_bytes > _CACHE_BYTES and", "self._cached_bytes >= _CACHE_BYTES and"
            ),
            Mutation("nothing goes", "while self._cached_bytes > _CACHE_BYTES and", "while False and"),
            Mutation("the last one goes too", "and len(self._cache) > 1:", "and len(self._cache) > 0:"),
            Mutation(
                "what went still counts",
                "self._cached_bytes -= self._cache.popitem(last=False)[1].size",
                "self._cache.popitem(last=False)",
            ),
            Mutation("the newest goes", "popitem(last=False)", "popitem(last=True)"),
            Mutation("not kept", "            self._cache[media.digest] = seen\n", ""),
            Mutation("masks are inputs", "            inputs.pop(name, None)\n", "            pass\n"),
            Mutation("placeholders not counted", "if found != len(media):", "if found < len(media):"),
            Mutation("the first image for all", "self.seen(next(coming))", "self.seen(media[0])"),
            Mutation("not at the end", "range(len(ids) - len(wanted) + 1)", "range(len(ids) - len(wanted))"),
            Mutation("what begins like it", "list(ids[at : at + len(wanted)]) == wanted", "True"),
            Mutation("one text means an image", "for name in names}", "for name in names[:1]}"),
        ),
    ),
    Module(
        "agentgym/media.py",
        (f"{UNIT}/test_images.py", f"{UNIT}/test_media.py"),
        (
            Mutation("stays in memory", "held, self._held = self._held, {}", "held = self._held"),
            Mutation("what was put is lost", "            self.put(media)\n", "            pass\n"),
            Mutation("brought again", "            if digest not in self:\n", "            if True:\n"),
            Mutation("others' files not seen", "self._file(digest, self.directory).exists()", "False"),
            Mutation("damage not noticed", "if media.digest != file.stem:", "if False:"),
            Mutation("texts in one line", '"\\n".join(part["text"]', '"".join(part["text"]'),
            Mutation("written again", "        if file.exists():\n            return\n", ""),
        ),
    ),
    Module(
        "agentgym/columns.py",
        (f"{UNIT}/test_columns.py",),
        (
            Mutation("always a copy", "            return array\n", "            return array.copy()\n"),
            Mutation("numbers that do not fit", "and not np.array_equal(made, array):", "and False:"),
            Mutation(
                "any kind of number",
                "if array.size and array.dtype.kind not in",
                "if False and array.dtype.kind not in",
            ),
            Mutation("more dimensions", "if array.ndim != 1:", "if array.ndim < 1:"),
            Mutation(
                "equal where any field is", "type(other) is type(self) and all(", "type(other) is type(self) and any("
            ),
        ),
    ),
    Module(
        "agentgym/weights.py",
        (f"{UNIT}/test_weights.py",),
        (
            Mutation("weights left out", "    if missing:\n", "    if False:\n"),
            Mutation("other formats taken", "or old.dtype != new.dtype:", "or False:"),
            Mutation(
                "shared ones twice",
                "named.setdefault(id(tensor), (name, tensor))",
                "named.setdefault(len(named), (name, tensor))",
            ),
            Mutation("all are trained", "        own[name].requires_grad_(other.requires_grad)\n", ""),
            Mutation("another mode", "return made.train(module.training)", "return made.train(False)"),
        ),
    ),
)
