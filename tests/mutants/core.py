"""What is chosen by name, what is typed, and what is told of it: registry, settings, commands, listing."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/scratch.py",
        ("tests/unit/test_scratch.py",),
        (
            Mutation("the dead keep theirs", "    _sweep(place)\n", ""),
            Mutation("the living lose theirs", "fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass"),
            Mutation("it stays", "        shutil.rmtree(directory, ignore_errors=True)\n", ""),
        ),
    ),
    Module(
        "agentgym/progress.py",
        ("tests/unit/test_progress.py", "tests/unit/test_cli.py"),
        (
            Mutation("rows are broken", "Console(width=None if sys.stdout.isatty() else 200)", "Console()"),
            Mutation("earlier stages stay", "self.progress.update(self.task, visible=False)", "pass"),
            Mutation("the bar stands still", "completed=done, rate=rate", "rate=rate"),
            Mutation("no rate", "rate=rate, values", 'rate="", values'),
            Mutation("a total of its own", "add_task(stage, total=total, ", "add_task(stage, total=100, "),
            Mutation("notes are marked up", "highlight=False, markup=False)", "highlight=False)"),
            Mutation(
                "notes are not told",
                "        self.console.print(text, highlight=False, markup=False, soft_wrap=True)",
                "        pass",
            ),
            Mutation("a note is markup", "markup=False, soft_wrap=True)", "markup=True, soft_wrap=True)"),
            Mutation("no tenth is enough", "(done - self._said) * 10 >= self.total", "done >= self.total"),
            Mutation("every tenth at once", " and now - self._said_at >= _LEAST", ""),
            Mutation("silent for hours", "now - self._said_at >= _MOST or ", ""),
            Mutation("no last line", " or done >= self.total)", ")"),
            Mutation(
                "on standard output too",
                "console = Console(stderr=True)\n    columns",
                "console = Console()\n    columns",
            ),
        ),
    ),
    Module(
        "agentgym/gymnasium_specs.py",
        ("tests/unit/test_gymnasium_entry.py",),
        (
            Mutation("the limit is not ours", ", additional_wrappers=(LIMITED,)", ""),
            Mutation("no limit is registered", "return OwnTurns(creator.max_turns)", "return None"),
        ),
    ),
    Module(
        "agentgym/gymnasium_entry.py",
        ("tests/unit/test_gymnasium_entry.py",),
        (
            Mutation(
                "the limit of the last reset",
                "        self._turns = 0\n",
                '        self._turns = vars(self).get("_turns", 0)\n',
            ),
            Mutation("what has ended is cut", "not (terminated or truncated) and ", ""),
            Mutation("a cut is no failure", '{"success": False, **info}', "info"),
            Mutation(
                "a number that was chosen has no effect", " and isinstance(env.spec.max_episode_steps, OwnTurns)", ""
            ),
            Mutation("async ones stay async", "Settled(env) if env.is_async else env", "env"),
            Mutation("any render mode", "    if mode not in known:", "    if False:"),
            Mutation("the mode is not kept", "    env.unwrapped.render_mode = mode\n", ""),
            Mutation(
                "the mode is not handed on", '            options["render_mode"] = render_mode\n', "            pass\n"
            ),
        ),
    ),
    Module(
        "agentgym/pickling.py",
        ("tests/unit/test_pickling.py",),
        (
            Mutation(
                "attributes are lost", "        pickle.dumps(vars(env), protocol)\n", "        raise ValueError\n"
            ),
            Mutation("the moment is lost", "    if moment is not None:", "    if False:"),
            Mutation("what Gymnasium gave is lost", "    vars(env).update(added)\n", ""),
            Mutation("what has no way back is sent", "env.is_async or env.restored_by", "False and env.restored_by"),
        ),
    ),
    Module(
        "agentgym/own_files.py",
        ("tests/unit/test_registry.py",),
        (
            Mutation("a file is imported each time", "and _resolved(loaded) == file:", "and False:"),
            Mutation("links are other files", "    return Path(file).resolve()\n", "    return Path(file)\n"),
            Mutation("half of a module stays", "        del sys.modules[name]\n", "        pass\n"),
            Mutation("what is loaded is hidden", "and name not in sys.modules and (other", "and (other"),
            Mutation("what is installed is hidden", "(other is None or other.origin == str(file))", "True"),
            Mutation("no file has a name of its own", " or other.origin == str(file)", ""),
            Mutation("files of one name are one", "hashlib.blake2b(str(file)", "hashlib.blake2b(str(file.name)"),
        ),
    ),
    Module(
        "agentgym/own_files.py",
        ("tests/unit/test_scaffold.py",),
        (
            Mutation(
                "what was loaded by its path is found by all",
                "any(finder.find_spec(name, None) is not None for finder in sys.meta_path)",
                "importlib.util.find_spec(name) is not None",
            ),
        ),
    ),
    Module(
        "agentgym/registry.py",
        ("tests/unit/test_registry.py",),
        (
            Mutation(
                "an entry point is loaded where a file has the id",
                "if point.name == id and id not in self._plugins:",
                "if point.name == id:",
            ),
            Mutation("any entry point will do", "if point.name == id and id", "if id"),
            Mutation("an entry point of any kind", "                self._check_kind(plugin, point.value)\n", ""),
            Mutation("a file of any kind", "        self._check_kind(plugin, file)\n", ""),
            Mutation("entry points of all kinds", 'group=f"agentgym.{self.kind}"', 'group="agentgym.environments"'),
            Mutation("entry points are not listed", "*(point.name for point in self._entry_points()), ", ""),
            Mutation("in no order", "return sorted({*self._file", "return list({*self._file"),
            Mutation("registered ones are not listed", ", *self._plugins})", "})"),
            Mutation(
                "another file of the name is taken for the same", "and _origin(known) != _origin(plugin)", "and False"
            ),
            Mutation(
                "the class alone tells them apart",
                'return getattr(code, "__file__", plugin.__module__), ',
                "return None, ",
            ),
            Mutation("a class loaded anew clashes with itself", " and _origin(known) != _origin(plugin):", ":"),
            Mutation(
                "what lies here can be hidden",
                'if id in self._file_names() and not plugin.__module__.startswith(self.package + "."):',
                "if False:",
            ),
            Mutation(
                "an environment without its id",
                "            plugin.plugin_id = id  # type: ignore[attr-defined]\n",
                "            pass\n",
            ),
            Mutation("the first of several", "if len(found) != 1:", "if not found:"),
            Mutation(
                "those of all files",
                "in self._plugins.values() if plugin.__module__ == module.__name__]",
                "in self._plugins.values()]",
            ),
            Mutation("the path is not made whole", '+ ".py").resolve()', '+ ".py")'),
            Mutation(
                "Gymnasium is told of rewards", 'if kind == "environments":\n        tell', "if True:\n        tell"
            ),
            Mutation(
                "Gymnasium is told of none", '    for id in plugins("environments").ids():\n', "    for id in ():\n"
            ),
            Mutation("the name wins", "{**named, **options}", "{**options, **named}"),
            Mutation("the name is left out", "{**named, **options}", "dict(options)"),
            Mutation("the key of another kind", '"environments": "env", ', ""),
            Mutation("tasks of a curriculum are settings", '"curricula": ("tasks", "seed")', '"curricula": ()'),
            Mutation(
                "what it is given is lost",
                "made = plugin(*args, **kwargs, **own)",
                "made = plugin(*args, **own)",
            ),
            Mutation(
                "it is made without its settings",
                "made = plugin(*args, settings, **kwargs)",
                "made = plugin(*args, **kwargs)",
            ),
            Mutation("options of a factory", "env = make(self.id, **self.options)", "env = make(self.id)"),
            Mutation(
                "the second class takes the first one's id",
                'return f"{stem}-{plugin.__name__}" if same_file else stem',
                "return stem",
            ),
            Mutation("underscores stay", '[name.replace("_", "-") for name in names if', "[name for name in names if"),
            Mutation("private files are plug-ins", ' if not name.startswith("_")]', "]"),
        ),
    ),
    Module(
        "agentgym/config.py",
        ("tests/unit/test_config.py",),
        (
            Mutation("unknown keys are taken", 'extra="forbid", use', 'extra="ignore", use'),
            Mutation("defaults are not checked", "validate_default=True, ", ""),
            Mutation("numbers are no text", ", coerce_numbers_to_str=True", ""),
            Mutation("without help", "use_attribute_docstrings=True, ", ""),
            Mutation("what is given has changed", " and getattr(self, key) != default", ""),
            Mutation("a default has changed too", "return key in self.model_fields_set and", "return"),
            Mutation("lists have no default", "get_default(call_default_factory=True)", "get_default()"),
            Mutation("a weight in words only", "isinstance(value, str | int | float)", "isinstance(value, str)"),
            Mutation("a reward counts twice", "weight: float = 1.0", "weight: float = 2.0"),
            Mutation(
                "only the first problem",
                "told = {key: _told(model, key, found) for key, found in problems.items()}",
                "told = {key: _told(model, key, found) for key, found in list(problems.items())[:1]}",
            ),
            Mutation("without the key's place", "filter(None, [where, *_typed", "filter(None, [*_typed"),
            Mutation("one alternative", "for problem in others)", "for problem in ())"),
            Mutation(
                "the key of the outermost group",
                'hint = did_you_mean(key.rpartition(".")[2], known)',
                "hint = did_you_mean(key, known)",
            ),
            Mutation(
                "the keys of the outermost group", 'known = list(_owner(model, first["loc"])', "known = list(model"
            ),
            Mutation("alternatives are typed", "        elif len(kinds) > 1:\n            continue\n", ""),
            Mutation("true is a number", "        if all(words):\n", "        if False:\n"),
            Mutation("a folder of another name", 'getattr(value, "text", str(value))', "str(value)"),
            Mutation("a curriculum is no choice", '"curriculum", "search", "model"', '"search", "model"'),
            Mutation("numbers that are none", "if wrong := [", "if wrong := [] and ["),
            Mutation("a device is read", "if not stat.S_ISREG(about.st_mode):", "if False:"),
            Mutation("a bare choice stays", "return long_form(settings)", "return settings"),
            Mutation("not text at all", "(tomllib.TOMLDecodeError, UnicodeDecodeError, ", "(tomllib.TOMLDecodeError, "),
            Mutation("a file that is not there", "except OSError as error", "except EOFError as error"),
            Mutation(
                "all words are choices",
                "if key in CHOICES and isinstance(value, str) else value",
                "if isinstance(value, str) else value",
            ),
            Mutation(
                "options of another choice stay",
                'elif "id" in value and value["id"] != old.get("id", value["id"]):',
                "elif False:",
            ),
            Mutation("options are lost with the same choice", 'value["id"] != old.get("id", value["id"])', "True"),
            Mutation("an option before its choice is lost", 'old.get("id", value["id"])', 'old.get("id")'),
            Mutation(
                "groups replace one another",
                "                result[key] = merged(old, value)",
                "                result[key] = value",
            ),
            Mutation("the first layer wins", "merged(old, value)\n    return", "merged(value, old)\n    return"),
        ),
    ),
    Module(
        "agentgym/flags.py",
        ("tests/unit/test_flags.py",),
        (
            Mutation("all equals signs part", 'flag[2:].partition("=")', 'flag[2:].rpartition("=")'),
            Mutation("flags are values", '(not rest or rest[0].startswith("--"))', "not rest"),
            Mutation("a bare reward is a switch", 'return "1" if len(path) == 2', 'return "true" if len(path) == 2'),
            Mutation("one dash will do", 'flag.startswith("--") and', 'flag.startswith("-") and'),
            Mutation("parts may be empty", " and all(path)):", "):"),
            Mutation("choices by number", "value = value if isinstance(value, str) else text", "value = value"),
            Mutation("an option named like a choice", "len(path) == 1 and path[0] in CHOICES", "path[-1] in CHOICES"),
            Mutation("weights of options", "elif len(path) == 2 and path[0]", "elif len(path) >= 2 and path[0]"),
            Mutation(
                "ids of rewards with underscores",
                "if depth and parts[0] in _BY_ID else",
                "if parts[0] in _BY_ID and False else",
            ),
            Mutation("keys with dashes", 'else part.replace("-", "_") for', "else part for"),
            Mutation(
                "the last of two values",
                "        if not isinstance(value, dict):\n            raise twice",
                "        if False:\n            raise twice",
            ),
            Mutation("a table forgets its keys", "        value = merged(old, value)\n", ""),
            Mutation("the last of two in tables", "if both := dict(", "if both := {} and dict("),
            Mutation("a value forgets its table", "if isinstance(old, dict) != isinstance(value, dict):", "if False:"),
            Mutation("two lines of TOML", "len(values) > 1 or ", ""),
            Mutation("dates are dates", " or not isinstance(value, bool | int | float | str | list | dict):", ":"),
        ),
    ),
    Module(
        "agentgym/cli/__init__.py",
        ("tests/unit/test_cli.py",),
        (
            Mutation(
                "Ctrl-C stays ignored", "    signal.signal(signal.SIGINT, signal.default_int_handler)", "    pass"
            ),
            Mutation(
                "SIGTERM ends it at once",
                "    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))",
                "    pass",
            ),
            Mutation(
                "a usage error ends well",
                "        error.show()\n        sys.exit(2)",
                "        error.show()\n        sys.exit(0)",
            ),
            Mutation("a usage error is not told", "        error.show()\n", ""),
            Mutation(
                "bad input ends well",
                '{error}", err=True)\n        sys.exit(2)',
                '{error}", err=True)\n        sys.exit(0)',
            ),
            Mutation("on standard output", 'click.echo(f"error: {error}", err=True)', 'click.echo(f"error: {error}")'),
            Mutation("a failure ends well", "err=True)\n        sys.exit(1)", "err=True)\n        sys.exit(0)"),
            Mutation(
                "a failure of ours is bad input", "err=True)\n        sys.exit(1)", "err=True)\n        sys.exit(2)"
            ),
            Mutation("an interruption ends well", "sys.exit(130)", "sys.exit(0)"),
            Mutation("every error is swallowed", "except AgentGymError as error:", "except Exception as error:"),
            Mutation("a closed terminal kills", "        signal.signal(signal.SIGHUP, hang_up)\n", "        pass\n"),
            Mutation("nohup has no effect", "if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:", "if True:"),
        ),
    ),
    Module(
        "agentgym/cli/learning.py",
        ("tests/unit/test_cli.py",),
        (
            Mutation(
                "the file wins",
                "read_toml(config_file, preset=preset) if config_file else {}, flags)",
                "flags, read_toml(config_file, preset=preset) if config_file else {})",
            ),
            Mutation("a file is not enough", "not (flags or config_file)", "not flags"),
            Mutation(
                "a new run",
                "        if resume_dir is not None:\n            run",
                "        if resume_dir is None:\n            run",
            ),
            Mutation("force is not passed on", "given, force=force_config, ", "given, "),
            Mutation("what differs is not passed on", "resume(resume_dir, given, ", "resume(resume_dir, {}, "),
            Mutation(
                "nobody is told of a resumed run", "force=force_config, reporter=reporter)", "force=force_config)"
            ),
            Mutation(
                "nobody is told of a run", "run = launch.train(given, reporter=reporter)", "run = launch.train(given)"
            ),
            Mutation("force without a run", "if force_config and resume_dir is None:", "if False:"),
            Mutation("200 episodes", "            episodes=episodes,\n", ""),
            Mutation(
                "always test tasks", "            split=split,\n            temperature", "            temperature"
            ),
            Mutation("always greedy", "            temperature=temperature,\n            seed", "            seed"),
            Mutation("one seed", "            seed=seed,\n            samples", "            samples"),
            Mutation("one sample", "            samples=samples,\n", ""),
            Mutation("episodes are not kept", "            trajectories=trajectories,\n", ""),
            Mutation("the score is not written", "        write_json(json_file, text)\n", "        pass\n"),
            Mutation("the score is not shown", "    click.echo(text)\n", ""),
        ),
    ),
    Module(
        "agentgym/cli/runs.py",
        ("tests/unit/test_cli.py",),
        (
            Mutation("all episodes are exported", "store.copy(found, target, **asked)", "store.copy(found, target)"),
            Mutation("all episodes are printed", "found.episodes(**asked)", "found.episodes()"),
            Mutation(
                "the target stays open",
                "with contextlib.closing(store.writable(output)) as target:",
                "if target := store.writable(output):",
            ),
            Mutation(
                "the source stays open",
                "with contextlib.closing(store.opened(source)) as found:",
                "if found := store.opened(source):",
            ),
            Mutation(
                "names of stop reasons",
                "click.Choice([reason.value for reason in StopReason])",
                "click.Choice([*StopReason])",
            ),
            Mutation("a merged policy is episodes", "    if merge:\n", "    if False:\n"),
            Mutation("episodes are chosen in vain", "        if value is not None:\n", "        if value:\n"),
            Mutation("a failure is a success", '"failure" if value is False else', '"failure" if False else'),
        ),
    ),
    Module(
        "agentgym/cli/playing.py",
        ("tests/unit/test_cli.py",),
        (
            Mutation("the first task", "task=task, split=split, seed=seed, temp", "split=split, seed=seed, temp"),
            Mutation("by hand", "repl.play(given, model=model, ", "repl.play(given, "),
            Mutation(
                "the same game",
                "split=split, seed=seed, temperature=temperature, **past)",
                "split=split, temperature=temperature, **past)",
            ),
            Mutation("all environments", "listed = environments(ids)", "listed = environments()"),
            Mutation("one is measured", "listed[number] = measured(", "listed[0] = measured("),
            Mutation("another number of tasks", "env, measure, on_episode", "env, measure + 1, on_episode"),
            Mutation("nothing of how it is served", "made.options, **how, tell", "made.options, tell"),
            Mutation(
                "two environments", 'if isinstance(flags.get("env"), Mapping) and "id" in flags["env"]:', "if False:"
            ),
            Mutation("the address is not told", ", tell=click.echo)", ")"),
            Mutation(
                "settings of other commands",
                "import EnvSettings\n    from agentgym.serve",
                "import TrainSettings as EnvSettings\n    from agentgym.serve",
            ),
            Mutation(
                "options are lost", "return EnvFactory(choice.id, choice.options)", "return EnvFactory(choice.id)"
            ),
            Mutation("a shut environment is diagnosed", "    make_env().close()\n", ""),
            Mutation("never quick", "SECONDS / 5 if quick else SECONDS", "SECONDS"),
            Mutation("always quick", "SECONDS / 5 if quick else SECONDS", "SECONDS / 5"),
            Mutation("tokens are not looked at", "            more=(tokens_check(tokenizer, protocol),),\n", ""),
            Mutation("any pass will do", "if not all(finding.passed for", "if not any(finding.passed for"),
            Mutation(
                "an ill environment ends well",
                "for finding in findings):\n        sys.exit(1)",
                "for finding in findings):\n        sys.exit(0)",
            ),
            Mutation(
                "the argument is lost",
                'merged({"env": {"id": env}}, flags)',
                "flags",
            ),
        ),
    ),
    Module(
        "agentgym/cli/files.py",
        ("tests/unit/test_cli.py",),
        (Mutation("always here", "write(word, name, directory)", "write(word, name)"),),
    ),
    Module(
        "agentgym/listing.py",
        ("tests/unit/test_listing.py",),
        (
            Mutation("any id", "if id not in known:", "if False:"),
            Mutation("all of them", "for id in ids or known]", "for id in known]"),
            Mutation("one hides the others", "        return _with_problem(Listed(id=id), error)", "        raise"),
            Mutation("anything is listed", "if not (isinstance(cls, type) and issubclass(cls, Env)):", "if False:"),
            Mutation("all have experts", "has_expert=cls.expert is not Env.expert", "has_expert=True"),
            Mutation(
                "all come back by replay",
                '"native" if cls.get_state is not Env.get_state else cls.restored_by',
                '"replay"',
            ),
            Mutation("all is installed", "is_installed=not _lacking(cls.extra)", "is_installed=True"),
            Mutation(
                "what counts tasks stays open", "    finally:\n        env.close()\n", "    finally:\n        pass\n"
            ),
            Mutation("seeds are tasks", "if env.has_own_tasks else None", "if True else None"),
            Mutation("the whole message", 'first = str(error).partition("\\n")[0]', "first = str(error)"),
            Mutation("our errors are theirs", "return first if isinstance(error, AgentGymError) else", "return"),
            Mutation("broken ones are measured", "    if env.problem:\n        return env\n", ""),
            Mutation("training tasks are measured", 'tasks("test")[:episodes]', 'tasks("train")[:episodes]'),
            Mutation("one task more", 'tasks("test")[:episodes]', 'tasks("test")[: episodes + 1]'),
            Mutation("all by the expert", "by_expert=by_expert)\n        on", "by_expert=True)\n        on"),
            Mutation("one seed", "success_of(player, (task, number)", "success_of(player, (task, 1)"),
            Mutation(
                "rates change places",
                "expert_success=rates.get(True), random_success=rates[False]",
                "expert_success=rates[False], random_success=rates.get(True)",
            ),
            Mutation("another interval", "proportion_ci(0.95, ", "proportion_ci(0.9, "),
            Mutation("packages of every extra", "if extra and its_extra == extra:", "if extra:"),
            Mutation("missing packages are there", "                lacking.append(name)\n", "                pass\n"),
            Mutation("the extra of another module", "if _same(wanted, module):", "if True:"),
            Mutation("no extra is named like its environment", "if id in extras else", "if False else"),
        ),
    ),
    Module(
        "agentgym/corpus.py",
        ("tests/unit/test_corpus.py", "tests/unit/test_visit.py"),
        (
            Mutation("test tasks", 'tasks("train")', 'tasks("test")'),
            Mutation(
                "the first task again", "visit.reset(tasks[number], seed=number)", "visit.reset(tasks[0], seed=number)"
            ),
            Mutation("one seed", "seed=number)", "seed=0)"),
            Mutation("all tasks", "min(env.corpus_episodes, len(tasks))", "len(tasks)"),
            Mutation("more than there are", "min(env.corpus_episodes, len(tasks))", "env.corpus_episodes"),
            Mutation("without instructions", "[env.instructions]", "[]"),
            Mutation("another draw each time", "np.random.default_rng(0)", "np.random.default_rng()"),
            Mutation("always the first", "int(rng.integers(len(choices)))", "0"),
            Mutation(
                "words though actions are listed",
                "observation.admissible or observation.split()",
                "observation.split()",
            ),
            Mutation("the user's errors in ours", "    except UserError:\n        raise\n", ""),
        ),
    ),
    Module(
        "agentgym/extras.py",
        ("tests/unit/test_extras.py",),
        (
            Mutation("the whole module", '(error.name or module).partition(".")[0]', "(error.name or module)"),
            Mutation("what was asked for", "(error.name or module)", "module"),
            Mutation("always by pip", "install or f", "f"),
            Mutation("all errors", "except ImportError as error", "except Exception as error"),
        ),
    ),
    Module(
        "agentgym/errors.py",
        ("tests/unit/test_errors.py",),
        (
            Mutation(
                "no place in a program", "class ConfigError(UserError, ValueError)", "class ConfigError(UserError)"
            ),
            Mutation(
                "our fault", "class DataError(UserError, ValueError)", "class DataError(AgentGymError, ValueError)"
            ),
            Mutation("a judge is an environment", "class JudgeError(AgentGymError)", "class JudgeError(EnvError)"),
            Mutation("any name is near", "cutoff=0.5", "cutoff=0.0"),
            Mutation("only the same", "cutoff=0.5", "cutoff=0.6"),
        ),
    ),
    Module(
        "agentgym/tracker.py",
        ("tests/unit/test_tracker.py",),
        (
            Mutation("another project", 'f"{tracker.upper()}_PROJECT", PROJECT', 'f"{tracker.upper()}_PROJECT", ""'),
            Mutation("a new run each time", '            options["id"] = name', '            options["id"] = ""'),
            Mutation("axes anew with each line", "        self._stages.add(stage)\n", ""),
            Mutation("asked again", "            self._works = False\n", ""),
            Mutation("refusals end the run", "except Exception as error:", "except ValueError as error:"),
        ),
    ),
    Module(
        "agentgym/__init__.py",
        ("tests/unit/test_agentgym.py",),
        (
            Mutation("from another home", '        "evaluate",\n        "evaluate_async",\n', '        "evaluate",\n'),
            Mutation("anything is there", "    raise AttributeError(f", "    return (f"),
        ),
    ),
)
