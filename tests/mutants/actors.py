"""Engines: requests and slots, the draw, what is asked of a server and what its answers are taken for."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

UNIT = "tests/unit/actors"

MODULES = (
    Module(
        "agentgym/actors/embedded/engine.py",
        (f"{UNIT}/embedded/test_engine.py",),
        (
            Mutation("a full context refused", "needed > self.max_context:", "needed >= self.max_context:"),
            Mutation("one token too many", "needed > self.max_context:", "needed > self.max_context + 1:"),
            Mutation(
                "one token beyond the limit",
                "len(request.logprobs) >= request.sampling.max_tokens",
                "len(request.logprobs) > request.sampling.max_tokens",
            ),
            Mutation(
                "the limit before the stop",
                "if token in request.sampling.stop_token_ids:",
                "if token in request.sampling.stop_token_ids and len(request.logprobs) < request.sampling.max_tokens:",
            ),
            Mutation(
                "only the first stop token",
                "if token in request.sampling.stop_token_ids:",
                "if token in request.sampling.stop_token_ids[:1]:",
            ),
            Mutation("keys of old weights", "            session.cached.clear()\n", ""),
            Mutation("version of old weights", "        self.policy_version = version\n", ""),
            Mutation(
                "tokens stamped with no version",
                "request.versions.append(self.policy_version)",
                "request.versions.append(0)",
            ),
            Mutation(
                "cancelled while it waited, takes a slot",
                "            if request.done.done():\n                continue\n",
                "",
            ),
            Mutation(
                "waiting is not generating",
                "for request in [*self._running, *self._waiting]):",
                "for request in self._running):",
            ),
            Mutation(
                "cancelled is generating",
                "request.name == session and not request.done.done()",
                "request.name == session",
            ),
            Mutation(
                "released in silence",
                "sort(reverse=True)\n            if self._waiting:\n",
                "sort(reverse=True)\n            if 0:\n",
            ),
            Mutation(
                "slots not given back",
                "self._free.append(self._sessions.pop(session).slot)",
                "self._sessions.pop(session)",
            ),
            Mutation(
                "failure told to those who run alone",
                "            for request in [*self._running, *self._waiting]:\n                if not",
                "            for request in self._running:\n                if not",
            ),
            Mutation("runs on after closing", "            self._loop.cancel()\n", ""),
            Mutation(
                "those who wait not cancelled",
                "        for request in [*self._running, *self._waiting]:\n            request.done.cancel()",
                "        for request in self._running:\n            request.done.cancel()",
            ),
            Mutation("slots kept after closing", "        self._forward.close()\n", ""),
            Mutation("a fork in use is spare", "            known.is_spare = known.is_parked = False\n", ""),
            Mutation(
                "every request begins anew",
                "self._rng if sampling.seed is None else",
                "np.random.default_rng(0) if sampling.seed is None else",
            ),
            Mutation(
                "the last token is not computed again",
                "del known.cached[len(token_ids) - 1 :]",
                "del known.cached[len(token_ids) :]",
            ),
        ),
    ),
    Module(
        "agentgym/actors/embedded/engine.py",
        (f"{UNIT}/embedded/test_engine.py",),
        (
            Mutation("a fork takes the slot of what it forks", " and session is not parked_beside", ""),
            Mutation("forks take from forks", "session.is_parked and session", "session.is_spare and session"),
            Mutation(
                "forked long ago",
                "        self._sessions[session] = self._sessions.pop(session)  # the last that gives",
                "        #",
            ),
        ),
    ),
    Module(
        "agentgym/actors/embedded/engine.py",
        (f"{UNIT}/test_embedded.py",),
        (
            Mutation("twins compute each for itself", "if self._may_be_alike(request) else", "if False else"),
            Mutation("twins whatever they are asked", "return tuple(request.token_ids), shown,", "return shown,"),
            Mutation("asked later, computed again", "first.head, self._asked[key] = head, first", "first.head = head"),
            Mutation("of older weights", "        self._asked.clear()\n", ""),
            Mutation("twins in whatever pieces", "shown, tuple(session.ends), tuple(session.plan)", "shown"),
            Mutation("twins without keys", "if session.slot != row.slot:", "if False:"),
            Mutation("twins keep a token short", "start=row.start)", "start=row.start + 1)"),
            Mutation("twins draw alike", "[one.draw for one in", "[request.draw for _ in"),
            Mutation(
                "in other pieces after its slot is lost", "                self._forks[name] = session.ends\n", ""
            ),
        ),
    ),
    Module(
        "agentgym/actors/embedded/sampling.py",
        (f"{UNIT}/embedded/test_sampling.py", f"{UNIT}/test_filters.py"),
        (
            Mutation("a boundary belongs to the token before", "right=True", "right=False"),
            Mutation("log-probs of temperature 1", "not in (0.0, 1.0) for", "not in (0.0, 0.5, 1.0) for"),
            Mutation("greedy is drawn", "(temperatures > 0, chosen_R", "(temperatures >= 0, chosen_R"),
            Mutation("greedy only where all are", "any(sampling.temperature == 0", "all(sampling.temperature == 0"),
            Mutation("within a block as within all", "share_R.clamp(min=0)", "uniform_R"),
            Mutation("the block's place is lost", "(block_R * _BLOCK + within_R)", "within_R"),
            Mutation("one row's filters for all", "truncated(row_V, how) if", "truncated(row_V, samplings[0]) if"),
            Mutation("all rows must be cut", "if any(sampling.is_truncated", "if all(sampling.is_truncated"),
            Mutation("one number for all", "_above(until_RN, uniform_R)", "_above(until_RN, uniform_R[:1])"),
            Mutation(
                "one too many of the likeliest",
                "kept_V[sampling.top_k :] = False",
                "kept_V[sampling.top_k + 1 :] = False",
            ),
            Mutation(
                "top_p one token more", "- probabilities_V < sampling.top_p", "- probabilities_V <= sampling.top_p"
            ),
            Mutation(
                "top_p one token fewer",
                "probabilities_V.cumsum(-1) - probabilities_V <",
                "probabilities_V.cumsum(-1) <",
            ),
            Mutation("min_p of all", "ordered_V >= ordered_V[0] +", "ordered_V >= 0 * ordered_V[0] +"),
            Mutation("what is not finite is drawn", "if not all(map(math.isfinite", "if not any(map(math.isfinite"),
            Mutation("not normalized again", '~mask_V, float("-inf")).log_softmax(-1)', '~mask_V, float("-inf"))'),
        ),
    ),
    Module(
        "agentgym/actors/embedded/forward.py",
        (f"{UNIT}/test_embedded.py",),
        (
            Mutation("the number of keys is a neighbor's", "own = keys_of.get(slot, keys)", "own = keys"),
            Mutation("all have the most keys", "own = keys_of.get(slot, keys)", "own = max(keys_of.values())"),
        ),
    ),
    Module(
        "agentgym/actors/embedded/alone.py",
        (f"{UNIT}/embedded/test_alone.py",),
        (
            Mutation("keys to the next multiple", "_KEYS = (64, 128, 256, _LONG)", "_KEYS = ()"),
            Mutation("long rows stand apart", "min(padded_keys(length), _LONG + 1)", "padded_keys(length)"),
            Mutation("what is left over stays", "    if num % _VECTORS:\n", "    if False:\n"),
            Mutation(
                "divided among threads", "    if num <= _PIECE or torch.get_num_threads() == 1:\n", "    if True:\n"
            ),
            Mutation("pieces for ever", '            part.__dict__.pop("forward", None)\n', "            pass\n"),
        ),
    ),
    Module(
        "agentgym/actors/embedded/attention.py",
        (f"{UNIT}/embedded/test_attention.py",),
        (
            Mutation("all threads attend", "    torch.set_num_threads(1)\n", "    pass\n"),
            Mutation("one thread for ever", "        torch.set_num_threads(threads)\n", "        pass\n"),
            Mutation("one thread for texts too", "    if query.shape[2] > 1:\n", "    if False:\n"),
            Mutation("heads are repeated", "if heads == shared or mask is None", "if True or mask is None"),
            Mutation("single tokens as texts", "    if width == 1:\n", "    if False:\n"),
        ),
    ),
    Module(
        "agentgym/actors/embedded/slots.py",
        (f"{UNIT}/embedded/test_slots.py",),
        (
            Mutation("longer than the context", "min(self.max_length, max(", "max(0, max("),
            Mutation("does not double", "2 * self.length, 128", "self.length, 128"),
            Mutation("forgets as it grows", "memory[layer][: old.shape[0], :, : old.shape[2]] = old", "pass"),
            Mutation("grows too late", "if length > self.length:", "if length > self.length + 1:"),
            Mutation("has slots too late", "if slots > self.slots:", "if slots > self.slots + 1:"),
            Mutation("has all slots at once", "min(self.num_slots, max(slots,", "max(self.num_slots, max(slots,"),
            Mutation("slots do not double", "max(slots, 2 * self.slots)", "slots"),
            Mutation("no room for what is nobody's", "max(visible, int(positions_RQ.max()) + 1)", "visible"),
            Mutation("slots counted from the first", "rows.start or 0", "0"),
            Mutation(
                "copies the other way round",
                "memory_SHLD[source, :, start:num_tokens]",
                "memory_SHLD[target, :, start:num_tokens]",
            ),
            Mutation("copies the keys alone", "in (*self.keys_SHLD, *self.values_SHLD):", "in self.keys_SHLD:"),
            Mutation(
                "copies all",
                "memory_SHLD[target, :, start:num_tokens] = memory_SHLD[source, :, start:num_tokens]",
                "memory_SHLD[target] = memory_SHLD[source]",
            ),
        ),
    ),
    Module(
        "agentgym/actors/scripted.py",
        (f"{UNIT}/test_scripted.py",),
        (
            Mutation("not cut", "[: sampling.max_tokens]", ""),
            Mutation("always stopped", '"stop" if stopped else "length"', '"stop"'),
            Mutation("the first token ends", "ids[-1] in", "ids[0] in"),
            Mutation("requests not noted", "        self.requests.append(list(prompt.token_ids))\n", ""),
            Mutation("version not taken up", "self.policy_version = version", "self.policy_version = 0"),
            Mutation("every prompt is kept", "        del self.requests[:-KEPT]\n", ""),
        ),
    ),
    Module(
        "agentgym/actors/openai/client.py",
        (f"{UNIT}/openai/test_client.py",),
        (
            Mutation("waits longer than is said", "min(MAX_WAIT, max(asked", "max(0.0, max(asked"),
            Mutation("the server's wish ignored", "max(asked, FIRST_WAIT", "max(0.0, FIRST_WAIT"),
            Mutation("as long each time", "FIRST_WAIT * 2**attempt *", "FIRST_WAIT *"),
            Mutation("all at the same moment", "self._rng.uniform(0.5, 1.0)", "0.75"),
            Mutation(
                "one attempt too many",
                "for attempt in range(self.max_retries):",
                "for attempt in range(self.max_retries + 1):",
            ),
            Mutation("commands tried again", "if final or not _may_pass", "if not _may_pass"),
            Mutation(
                "broken connections are final", "            except Unreachable:\n                asked = 0.0\n", ""
            ),
            Mutation("what took too long is asked again", "except Unreachable:", "except NoAnswer:"),
            Mutation(
                "completions not in line",
                "        async with self._places:\n            return",
                "        if True:\n            return",
            ),
            Mutation(
                "commands stand in line",
                'self._begun(self._request(self._client.post, path, {"body": dict(body or {})}, final=True))',
                'self._begun(self._in_turn(self._client.post, path, {"body": dict(body or {})}))',
            ),
            Mutation(
                "no limit of its own", "async with asyncio.timeout(self.timeout):", "async with asyncio.timeout(None):"
            ),
            Mutation("closing cancels nothing", "            task.cancel()\n", "            pass\n"),
            Mutation(
                "closing does not wait", "        await asyncio.gather(*self._running, return_exceptions=True)\n", ""
            ),
            Mutation("asked after closing", "        if self._is_closed:", "        if False:"),
            Mutation("retries not counted", "            self.num_retries += 1\n", ""),
            Mutation(
                "a date is an error",
                "    except ValueError:\n        return 0.0",
                "    except KeyError:\n        return 0.0",
            ),
        ),
    ),
    Module(
        "agentgym/actors/openai/wire.py",
        (f"{UNIT}/openai/test_wire.py",),
        (
            Mutation("one token too many", "len(ids) > sampling.max_tokens", "len(ids) > sampling.max_tokens + 1"),
            Mutation("a full completion refused", "len(ids) > sampling.max_tokens", "len(ids) >= sampling.max_tokens"),
            Mutation("stop tokens within", "for token in ids[:-1])", "for token in ids[1:-1])"),
            Mutation("stopped by anything", 'if reason == "stop" and ids[-1] not in stops:', "if False:"),
            Mutation(
                "an unknown version is an error", "if span.version.isascii() and span.version.isdecimal():", "if True:"
            ),
            Mutation("spans lie anywhere", "if not before <= span.start <= span.end <= len(versions):", "if False:"),
            Mutation("weights of tomorrow", "if int(span.version) > newest:", "if False:"),
            Mutation("any token", "if vocabulary is not None and ids and max(ids) >= vocabulary:", "if False:"),
            Mutation("one token more", "max(ids) >= vocabulary", "max(ids) > vocabulary"),
            Mutation("certain and more", "le=1e-3, allow", "allow"),
            Mutation("ids below nothing", "Field(strict=True, ge=0, lt=2**31)", "Field(strict=True, lt=2**31)"),
            Mutation(
                "spans end one later",
                "versions[span.start : span.end] = [int(span.version)] * (span.end - span.start)",
                "versions[span.start : span.end + 1] = [int(span.version)] * (span.end + 1 - span.start)",
            ),
            Mutation(
                "of other tokens",
                "if [token.token_id for token in self.logprobs.content] != self.token_ids:",
                "if False:",
            ),
            Mutation("log-probs may lack", "or None in logprobs:", "or False:"),
            Mutation("aborted is an end", '"abort": "aborted"', '"abort": "stop"'),
            Mutation(
                "tools wrapped twice", 'dict(tool) if "function" in tool else', 'dict(tool) if "functions" in tool else'
            ),
        ),
    ),
    Module(
        "agentgym/actors/openai/engine.py",
        (
            f"{UNIT}/test_openai.py::test_takes_the_only_model_its_context_and_tokens",
            f"{UNIT}/test_openai.py::test_asks_for_the_whole_distribution",
            f"{UNIT}/test_openai.py::test_a_server_need_not_tell_what_it_was_asked",
            f"{UNIT}/test_openai.py::test_a_completion_that_does_not_add_up_is_refused",
            f"{UNIT}/test_openai.py::test_what_does_not_fit_is_refused_unasked",
            f"{UNIT}/test_openai.py::test_weights_go_through_the_directory",
            f"{UNIT}/test_openai.py::test_a_newer_name_of_max_tokens_is_learned_once",
        ),
        (
            Mutation("all of the server's context refused", "asked > limit:", "asked >= limit:"),
            Mutation("a full context refused", "needed > self.max_context:", "needed >= self.max_context:"),
            Mutation("another prompt is taken", 'not in (None, body["prompt"]):', "in ():"),
            Mutation("prompts must be told", 'not in (None, body["prompt"]):', 'not in (body["prompt"],):'),
            Mutation(
                "greedy with a seed", "sampling.seed is None or sampling.temperature == 0", "sampling.seed is None"
            ),
            Mutation(
                "a seed of None", "sampling.seed is None or sampling.temperature == 0", "sampling.temperature == 0"
            ),
            Mutation("the model's own ends", '"ignore_eos": True', '"ignore_eos": False'),
            Mutation("the version is not taken up", "        self.policy_version = version\n", ""),
            Mutation("files left behind", "            await self._weights.close()\n", "            pass\n"),
            Mutation("the newer name learned each time", "        self._max_tokens_key = _NEWER_KEY\n", ""),
        ),
    ),
    Module(
        "agentgym/actors/embedded/engine.py",
        (f"{UNIT}/embedded/test_engine.py",),
        (Mutation("nobody is told", "            request.tell(token, logprob)\n", "            pass\n"),),
    ),
    Module(
        "agentgym/actors/embedded/forward.py",
        (f"{UNIT}/embedded/test_engine.py",),
        (
            Mutation("a place late", "[len(prompt.token_ids) - 1 - num :]", "[len(prompt.token_ids) - num :]"),
            Mutation("entropy is negative", "entropy_N = -(logprobs_NV", "entropy_N = (logprobs_NV"),
        ),
    ),
    Module(
        "agentgym/actors/vllm/server.py",
        (f"{UNIT}/test_vllm_server.py",),
        (
            Mutation(
                "asked of a dead one, never answered",
                "                await self.revive(core)\n",
                "                raise\n",
            ),
            Mutation(
                "a new one for each who asked", "if self._core is not dead or self._given_up:", "if self._given_up:"
            ),
            Mutation(
                "tokens of a new one have no version",
                "        await self.guarded(self._core, llm.update_weight_version(str(self.live.version)))\n",
                "",
            ),
            Mutation("started for ever", "if len(self._restarts) >= MAX_RESTARTS:", "if False:"),
        ),
    ),
    Module(
        "agentgym/actors/vllm/update.py",
        (f"{UNIT}/test_vllm_server.py",),
        (
            Mutation(
                "killed on the way, it has the old ones",
                "await self.server.revive(core, new)",
                "await self.server.revive(core)",
            ),
            Mutation("half a load serves", "            await self._go_back(core, old)\n", "            pass\n"),
            Mutation(
                "halves are sampled from",
                "guarded\n        await ask(core, llm.pause_generation(mode=self.mode, clear_cache=False))\n",
                "guarded\n",
            ),
        ),
    ),
    Module(
        "agentgym/actors/vllm/process.py",
        (f"{UNIT}/test_vllm_process.py",),
        (
            Mutation("vLLM's are ranks", "    del os.environ[name]\n", "    pass\n"),
            Mutation("within Ctrl-C's reach", "os.setsid()\n", ""),
        ),
    ),
    Module(
        "agentgym/actors/vllm/guard.py",
        (f"{UNIT}/test_vllm_settings.py",),
        (
            Mutation(
                "whatever has its number is ended", "        if start_time(int(pid)) == start:\n", "        if True:\n"
            ),
            Mutation("files stay", "    shutil.rmtree(sys.argv[1], ignore_errors=True)\n", ""),
            Mutation("held open, it waits for ever", "while os.getppid() == parent:", "while True:"),
        ),
    ),
)
