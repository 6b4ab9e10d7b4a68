"""What is on the disk: episodes, lines of a run, the ledger, directories that are complete or not there."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/sealed.py",
        ("tests/unit/test_sealed.py",),
        (
            Mutation("a file is not hashed", "if _hash(file) != expected.sha256:", "if False:"),
            Mutation("a size is a bound", "if size != expected.size:", "if size < expected.size:"),
            Mutation(
                "what was added is passed over", "for name in sorted(found - manifest.files.keys()):", "for name in ():"
            ),
            Mutation(
                "what is missing is passed over",
                "if not is_there:\n        raise",
                "if not is_there:\n        return\n        raise",
            ),
            Mutation("links are followed", "if stat.S_ISLNK(mode):", "if False:"),
            Mutation("folders may be links", "for name in [*folders, *files]:", "for name in files:"),
            Mutation("pipes are passed over", "if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):", "if False:"),
            Mutation(
                "a manifest names what is above", 'path.is_absolute() or ".." in path.parts or', "path.is_absolute() or"
            ),
            Mutation("a manifest names what is anywhere", 'path.is_absolute() or ".." in', '".." in'),
            Mutation("what can run is read", '".json", ".safetensors"', '".py", ".json", ".safetensors"'),
            Mutation("pickles are read", '".json", ".safetensors"', '".pkl", ".json", ".safetensors"'),
            Mutation("later layouts are read", "layout != LAYOUT and content", "layout < LAYOUT and content"),
            Mutation("a directory may be a link", "    if directory.is_symlink():", "    if False:"),
            Mutation("files are not on the disk", "    sync(file)\n    return _Seal", "    return _Seal"),
            Mutation("the manifest is not on the disk", "    sync(directory / _MANIFEST)\n", ""),
            Mutation("folders are not on the disk", "        _sync_directory(path)", "        pass"),
            Mutation("the rename is not on the disk", "        _sync_directory(directory.parent)\n", ""),
            Mutation(
                "the rename comes first",
                "        _write_manifest(aside)\n        os.rename(aside, directory)\n",
                "        os.rename(aside, directory)\n        _write_manifest(directory)\n",
            ),
            Mutation(
                "what stopped leaves its part",
                "    except BaseException as error:\n        shutil.rmtree(aside, ignore_errors=True)",
                "    except BaseException as error:",
            ),
            Mutation(
                "what an earlier one left is sealed",
                "        remove(aside)\n        aside.mkdir(parents=True)",
                "        aside.mkdir(parents=True, exist_ok=True)",
            ),
            Mutation("any error is the disk's", "return number if number in numbers else None", "return number"),
            Mutation("a quota is no full disk", "errno.ENOSPC, errno.EDQUOT,", "errno.ENOSPC,"),
            Mutation("a library's full disk is its own error", "int(told[1]) if told else None", "None"),
            Mutation(
                "deleted where it stands",
                "    os.rename(directory, aside)\n    remove(aside)",
                "    shutil.rmtree(directory)",
            ),
            Mutation(
                "renamed and left",
                "    os.rename(directory, aside)\n    remove(aside)",
                "    os.rename(directory, aside)",
            ),
            Mutation("a large file is read whole", "mode.st_size > _MAX_JSON", "mode.st_size > 2 * _MAX_JSON"),
            Mutation("a file of just that size is refused", "mode.st_size > _MAX_JSON", "mode.st_size >= _MAX_JSON"),
            Mutation(
                "the manifest may hold more",
                'class _Manifest(BaseModel):\n    model_config = ConfigDict(extra="forbid")',
                'class _Manifest(BaseModel):\n    model_config = ConfigDict(extra="ignore")',
            ),
        ),
    ),
    Module(
        "agentgym/ledger.py",
        ("tests/unit/test_ledger.py",),
        (
            Mutation("twice is once", "        if entry.ordinal in seen:", "        if False:"),
            Mutation("the first is not looked for", "if 0 <= ordinal < num}", "if 0 <= ordinal < num} | {0}"),
            Mutation("the last is not looked for", "if 0 <= ordinal < num}", "if 0 <= ordinal < num} | {num - 1}"),
            Mutation("one too many", "if seen and max(seen) >= num:", "if seen and max(seen) > num:"),
            Mutation("what waits is missing", "for ordinal in (*seen, *waiting)", "for ordinal in seen"),
            Mutation("what waits may have a fate", "if early := sorted(waiting & seen.keys()):", "if early := []:"),
            Mutation("reasons are one", 'f"rejected: {entry.reason}"', '"rejected"'),
            Mutation("fates are counted once", "counts.get(fate, 0) + 1", "1"),
        ),
    ),
    Module(
        "agentgym/layout.py",
        ("tests/unit/test_run.py",),
        (
            Mutation(
                "the ledger has no position",
                'GROWING = ("metrics.jsonl", "ledger.jsonl")',
                'GROWING = ("metrics.jsonl",)',
            ),
            Mutation(
                "the metrics have no position",
                'GROWING = ("metrics.jsonl", "ledger.jsonl")',
                'GROWING = ("ledger.jsonl",)',
            ),
            Mutation("a pipe is a file", "else path.is_file()):", "else path.exists()):"),
            Mutation("links below", "[*parts, *_inside(directory / MEDIA)]", "parts"),
        ),
    ),
    Module(
        "agentgym/run.py",
        ("tests/unit/test_run.py",),
        (
            Mutation(
                "a run is overwritten",
                "            refuse_taken(self.directory)  # another process may have been faster\n",
                "",
            ),
            Mutation("what is there is overwritten", "    if there := [", "    if there := [] and ["),
            Mutation("links are written through", "        refuse_odd(self.directory)\n", ""),
            Mutation("metrics of words", 'if name != "stage" and not isinstance(value, int | float):', "if False:"),
            Mutation("anything is a run", '        if not (directory / "config.json").is_file():', "        if False:"),
            Mutation("two train it", "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH | fcntl.LOCK_NB"),
            Mutation(
                "written in place", 'aside = self.directory / f".{name}.partial"', "aside = self.directory / name"
            ),
            Mutation(
                "replaced before it is on the disk",
                "            os.fsync(stream.fileno())\n        os.replace",
                "        os.replace",
            ),
            Mutation(
                "flushed after it is on the disk",
                "            stream.flush()\n            os.fsync",
                "            os.fsync",
            ),
            Mutation("metrics are begun anew", '"metrics.jsonl").open("a")', '"metrics.jsonl").open("w")'),
            Mutation("the ledger is begun anew", '"ledger.jsonl").open("a")', '"ledger.jsonl").open("w")'),
            Mutation("a position is not on the disk", "{name: _synced_size(self", "{name: _size(self"),
            Mutation(
                "the best policies are erased",
                "self.policies.is_dir() and any(self.policies.iterdir())",
                "False",
            ),
            Mutation(
                "what is short is gone on with",
                "            if sizes[name] < position.get(name, 0):",
                "            if False:",
            ),
            Mutation(
                "what is whole is short",
                "            if sizes[name] < position.get(name, 0):",
                "            if sizes[name] <= position.get(name, 0):",
            ),
            Mutation(
                "nothing is cut off",
                "                os.truncate(self.directory / name, position.get(name, 0))",
                "                pass",
            ),
            Mutation(
                "all is cut off",
                "os.truncate(self.directory / name, position.get(name, 0))",
                "os.truncate(self.directory / name, 0)",
            ),
            Mutation("episodes are not cut back", "        self.episodes.forget_after(position.get(FILE, 0))\n", ""),
            Mutation(
                "cut before it is looked at",
                "        for name in GROWING:\n            if sizes",
                "        self.episodes.forget_after(0)\n        for name in GROWING:\n            if sizes",
            ),
            Mutation("TensorBoard shows what was forgotten", "            file.unlink()", "            pass"),
            Mutation(
                "TensorBoard goes on from what it read", "            self._writer(purge_step=0)", "            pass"
            ),
            Mutation(
                "TensorBoard shows the time",
                'if name not in ("stage", "update", "time"):',
                'if name not in ("stage", "update"):',
            ),
            Mutation("stages are one", "f\"{line['stage']}/{name}\"", "name"),
            Mutation("closing leaves the writer", "            writer.close()", "            pass"),
            Mutation(
                "closing keeps the writer",
                "writer, self._tensorboard = self._tensorboard, None",
                "writer = self._tensorboard",
            ),
            Mutation(
                "closing leaves the episodes",
                "            tracker.close()\n        self.episodes.close()",
                "            tracker.close()",
            ),
            Mutation("a place that cannot be written", "or not os.access(existing, os.W_OK)", ""),
        ),
    ),
    Module(
        "agentgym/store.py",
        ("tests/unit/test_store.py",),
        (
            Mutation("a cut line is glued to the next", "        _end_last_line(file)", "        pass"),
            Mutation(
                "a cut line stays",
                "            stream.truncate(stream.tell() - len(last))",
                '            stream.write(b"\\n")',
            ),
            Mutation(
                "a whole line goes",
                "        if _is_whole(last):\n            stream",
                "        if False:\n            stream",
            ),
            Mutation("metrics of words", 'if not line.endswith(b"\\n") and not _is_whole(line):', "if False:"),
            Mutation(
                "a malformed line is the end",
                'if not line.endswith(b"\\n") and not _is_whole(line):',
                "if not _is_whole(line):",
            ),
            Mutation(
                "a whole last line is left out",
                'if not line.endswith(b"\\n") and not _is_whole(line):',
                'if not line.endswith(b"\\n"):',
            ),
            Mutation(
                "a number is not a line",
                "_is_whole(line: bytes) -> bool:\n    try:\n        return isinstance(json.loads(line), dict)",
                "_is_whole(line: bytes) -> bool:\n    try:\n        return bool(json.loads(line))",
            ),
            Mutation("a line from 0", "enumerate(stream, start=1)", "enumerate(stream)"),
            Mutation(
                "every line is at the first one's place",
                "            place += len(line)",
                "            place = len(line)",
            ),
            Mutation("all is read whatever is asked", "if Card.of(episode).answers(**asked))", "if True)"),
            Mutation("all cards whatever is asked", ".answers(**asked)]", ".answers()]"),
            Mutation(
                "copied into itself",
                "if target.file.exists() and target.file.samefile(source.file):",
                "if target.file == source.file:",
            ),
            Mutation(
                "all is copied whatever is asked", "source.episodes(**asked), start=1", "source.episodes(), start=1"
            ),
            Mutation("one too few copied", "source.episodes(**asked), start=1", "source.episodes(**asked), start=0"),
            Mutation(
                "images stay behind",
                "target.media.bring((digest for digest in episode.media if digest in source.media), source.media)",
                "pass",
            ),
            Mutation(
                "an image that is lost stops all",
                "digest for digest in episode.media if digest in source.media",
                "digest for digest in episode.media",
            ),
            Mutation("the archive beside it is read", "    if path.is_file() and path.name != FILE:", "    if False:"),
            Mutation(
                "what may not be written is played for",
                "if made.file.is_dir() or not all(os.access(each, os.W_OK)",
                "if made.file.is_dir() or not all(True",
            ),
            Mutation(
                "the folder above is not looked at",
                "for each in (place, made.file) if each",
                "for each in (made.file,) if each",
            ),
            Mutation(
                "the file is not looked at", "for each in (place, made.file) if each", "for each in (place,) if each"
            ),
            Mutation("a folder is a file", "if made.file.is_dir() or not", "if not"),
        ),
    ),
    Module(
        "agentgym/archive/archive.py",
        ("tests/unit/archive/test_archive.py",),
        (
            Mutation(
                "a number is given again",
                '    connection.execute("UPDATE sqlite_sequence SET seq = max(seq, ?)", (position,))\n',
                "",
            ),
            Mutation("the last is forgotten too", "FROM {table} WHERE number > ?", "FROM {table} WHERE number >= ?"),
            Mutation("cards only are forgotten", 'for table in ("cards", "episodes"):', 'for table in ("cards",):'),
            Mutation(
                "episodes only are forgotten", 'for table in ("cards", "episodes"):', 'for table in ("episodes",):'
            ),
            Mutation(
                "a page has the last one's last",
                "FROM cards WHERE number > ?{where}",
                "FROM cards WHERE number >= ?{where}",
            ),
            Mutation("a page in any order", " ORDER BY number LIMIT ?", " ORDER BY number DESC LIMIT ?"),
            Mutation("a limit of none", "*values, -1 if limit is None else limit]", "*values, limit or -1]"),
            Mutation("a limit each page", "left - len(cards) if left >= 0 else left", "left"),
            Mutation("a page is asked for again", "after, left = cards[-1].number,", "after, left = cards[0].number,"),
            Mutation(
                "the number of episodes for that of the last",
                "SELECT coalesce(max(number), 0) FROM cards",
                "SELECT count(*) FROM cards",
            ),
            Mutation("a position is not on the disk", "            sealed.sync(log)\n", ""),
            Mutation(
                "a position of what is not written",
                '"""\n        self.flush()\n        if not self.file.exists():\n            return 0',
                '"""\n        if not self.file.exists():\n            return 0',
            ),
            Mutation(
                "an error is told once",
                "            self._writing.result()\n            self._writing = None",
                "            writing, self._writing = self._writing, None\n            writing.result()",
            ),
            Mutation(
                "an append does not wait for the one before",
                "        batch = list(episodes)\n        self.flush()\n",
                "        batch = list(episodes)\n",
            ),
            Mutation("the thread is left", "                writer.shutdown()", "                pass"),
            Mutation("the file is kept", "            self._database.close()", "            pass"),
            Mutation(
                "tasks of text and number are one",
                "card._replace(task=json.dumps(card.task), seed",
                "card._replace(task=str(card.task), seed",
            ),
            Mutation(
                "what is asked for is any",
                '    return "".join(f\' AND "{name}" = ?\' for name in values)',
                '    return "".join(f\' AND "{name}" = "{name}" OR ?\' for name in values)',
            ),
            Mutation(
                "what is false is not asked for", "asked.items() if value is not None}", "asked.items() if value}"
            ),
            Mutation("what cannot be asked for is ignored", "        raise TypeError(f", "        TypeError(f"),
            Mutation(
                "an archive that is opened is written", "return cls(directory, read_only=True)", "return cls(directory)"
            ),
        ),
    ),
    Module(
        "agentgym/archive/database.py",
        ("tests/unit/archive/test_archive.py",),
        (
            Mutation(
                "half a change stays",
                '            connection.execute("ROLLBACK")',
                '            connection.execute("COMMIT")',
            ),
            Mutation("a change that failed goes on", '            connection.execute("ROLLBACK")', "            pass"),
            Mutation("a database of something else", "if application != _APPLICATION:", "if False:"),
            Mutation("later layouts are read", "if schema != _SCHEMA:", "if schema < _SCHEMA:"),
            Mutation("a full disk is a damaged file", "    sqlite3.SQLITE_FULL: errno.ENOSPC,\n", ""),
            Mutation("finer distinctions are not known", "0) & 0xFF", "0)"),
            Mutation("a busy file is damaged", "if code == sqlite3.SQLITE_BUSY:", "if False:"),
            Mutation("readers make tables", "            if self.read_only:\n                return\n", ""),
            Mutation("one at a time", "PRAGMA journal_mode = WAL", "PRAGMA journal_mode = DELETE"),
            Mutation("commits are not flushed", "PRAGMA synchronous = NORMAL", "PRAGMA synchronous = OFF"),
            Mutation(
                "the log is passed over",
                '"ro" if log.exists() and log.stat().st_size else "ro&immutable=1"',
                '"ro&immutable=1"',
            ),
            Mutation("a reader leaves its files", '"rw" if may_write else', '"ro" if may_write else'),
            Mutation(
                "what is opened stays",
                "        connection, self._connection = self._connection, None\n",
                "        connection = self._connection\n",
            ),
            Mutation(
                "an empty file is known for ever",
                "                self.close()\n                return []",
                "                return []",
            ),
            Mutation("a question has no index", '    "role",\n', ""),
        ),
    ),
    Module(
        "agentgym/archive/packing.py",
        ("tests/unit/archive/test_packing.py",),
        (
            Mutation(
                "ids in too few bytes",
                "if bound.min <= low and high <= bound.max)",
                "if bound.min <= low and high <= bound.max + 1)",
            ),
            Mutation(
                "negative numbers in unsigned ones",
                "if bound.min <= low and high <= bound.max)",
                "if high <= bound.max)",
            ),
            Mutation("what differs in one column is shared", "differs |= column", "differs = column"),
            Mutation(
                "log-probabilities of the prompt are lost",
                "(logprobs if logprobs[~mask].any() else logprobs[mask])",
                "logprobs[mask]",
            ),
            Mutation(
                "the last token is shared",
                "return int(differs.argmax()) if differs.any() else num",
                "return int(differs.argmax()) + 1 if differs.any() else num",
            ),
            Mutation("shared with the first", "samples[-1][name][:num]", "samples[0][name][:num]"),
            Mutation(
                "a sample that forks is the whole",
                "        num = _common(columns, before) if before else 0",
                "        num = 0",
            ),
            Mutation("bytes that are left over", "if num_bytes != len(body):", "if num_bytes > len(body):"),
            Mutation("types of anybody", "for name, num in arrays if name in _TYPES)", "for name, num in arrays)"),
        ),
    ),
    Module(
        "agentgym/archive/thinning.py",
        ("tests/unit/archive/test_archive.py",),
        (
            Mutation("groups are torn", "episode.group_id or episode.episode_id", "episode.episode_id"),
            Mutation("what broke goes", "episode.stop_reason.is_void or place", "place"),
            Mutation("half of what was asked", "share * 2**64", "share * 2**63"),
        ),
    ),
)
