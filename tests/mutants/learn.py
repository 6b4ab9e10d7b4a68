"""The learner and what goes into it: cuts, denominators, steps, several processes, memory, nano, trainers."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

UNIT = "tests/unit/learn"
TRAINERS = "tests/unit/trainers"

MODULES = (
    Module(
        "agentgym/learn/batch.py",
        (f"{UNIT}/test_batch.py",),
        (
            Mutation("units forgotten", "(index,) if row.unit is None else row.unit", "(index,)"),
            Mutation(
                "a full microbatch is too much", "num_tokens + more > max_tokens:", "num_tokens + more >= max_tokens:"
            ),
            Mutation("one token too many", "num_tokens + more > max_tokens:", "num_tokens + more > max_tokens + 1:"),
            Mutation(
                "tokens of all microbatches", "            chunk, num_tokens = [], 0\n", "            chunk = []\n"
            ),
            Mutation(
                "the last one lost",
                "    if chunk:\n        yield chunk",
                "    if False:\n        yield chunk",
            ),
            Mutation("the shortest first", "key=lambda unit: -sum(", "key=lambda unit: sum("),
            Mutation("weights in another order", "[weights[i] for i in chunk]", "[weights[i] for i in sorted(chunk)]"),
            Mutation("logits one place late", "row.loss_mask[1 : n + 1] for row", "row.loss_mask[:n] for row"),
            Mutation("some rows may lack a column", "if having not in (0, len(rows)):", "if False:"),
            Mutation("rows of the microbatch", "rows_N=torch.tensor(list(chunk))", "rows_N=torch.arange(len(chunk))"),
        ),
    ),
    Module(
        "agentgym/learn/rows.py",
        (f"{UNIT}/test_batch.py",),
        (
            Mutation(
                "the first token is trained", "np.count_nonzero(self.loss_mask[1:])", "np.count_nonzero(self.loss_mask)"
            ),
            Mutation("one place early", "np.flatnonzero(self.loss_mask[1:]) + 1", "np.flatnonzero(self.loss_mask[1:])"),
            Mutation("all tokens needed", "len(mask) - int(mask[::-1].argmax())", "len(mask)"),
            Mutation(
                "nobody's role",
                "row.role, row.episode = trajectory.role, trajectory.episode_id",
                "row.episode = trajectory.episode_id",
            ),
            Mutation("the advantage of the first turn", "[sample.turn_index]", "[0 * sample.turn_index]"),
            Mutation("written to the first row", "        start += len(places)\n", ""),
        ),
    ),
    Module(
        "agentgym/learn/learner.py",
        (f"{UNIT}/test_learner.py", f"{UNIT}/test_masters.py"),
        (
            Mutation(
                "gradients of the last update",
                "        self.masters.clear()\n        totals",
                "        totals",
            ),
            Mutation(
                "gradients stay after a refusal",
                "            self.masters.clear()\n            raise NonFinite",
                "            raise NonFinite",
            ),
            Mutation("a denominator of one process", "total=total, max_tokens", "max_tokens"),
            Mutation("gradients of one process", "        self.world.sum_gradients(self.masters.stepped)\n", ""),
            Mutation(
                "the last microbatch's loss", "totals[name] = totals.get(name, 0.0) + value", "totals[name] = value"
            ),
            Mutation("no decay of weights", "self.masters.stepped, weight_decay)", "self.masters.stepped, 0.0)"),
            Mutation("gradients summed in the weights' own format", ", self.masters.summing(),", ","),
            Mutation("stopped by nothing", "if stops is not None and stops(totals):", "if False:"),
            Mutation(
                "gradients stay after a stop",
                "            self.masters.clear()\n            raise Stopped",
                "            raise Stopped",
            ),
            Mutation("moments as PyTorch has them", "            betas=betas,\n", ""),
            Mutation(
                "not clipped",
                "clip_grad_norm_(self.masters.stepped, self.max_grad_norm)",
                'clip_grad_norm_(self.masters.stepped, float("inf"))',
            ),
            Mutation(
                "warm-up one update late",
                "self.num_updates / (self.warmup_updates + 1)",
                "self.num_updates / (self.warmup_updates + 2)",
            ),
            Mutation(
                "falls one update early",
                "self.num_updates - 1 - self.warmup_updates",
                "self.num_updates - self.warmup_updates",
            ),
            Mutation("an infinite gradient is a step", 'and math.isfinite(totals["grad_norm"])', "and True"),
            Mutation(
                "dumped under the last number",
                "refused-update-{self.num_updates + 1}",
                "refused-update-{self.num_updates}",
            ),
            Mutation(
                "scores at temperature 1",
                "found = score(module, rows, temperature=self.temperature, **options)",
                "found = score(module, rows, **options)",
            ),
            Mutation(
                "scores of the policy itself",
                "module = self.module if module is None else module",
                "module = self.module",
            ),
            Mutation("no loss weighed", "loss = (batch.weights_N * loss_N).sum()", "loss = loss_N.sum()"),
            Mutation(
                "dropout stays",
                "            part.training = bool(getattr(part",
                "            part.training = True or bool(getattr(part",
            ),
        ),
    ),
    Module(
        "agentgym/learn/kl_control.py",
        (f"{UNIT}/test_kl_control.py",),
        (
            Mutation("the wrong way", "found / self.target - 1", "1 - found / self.target"),
            Mutation("no bound below", "max(-_MOST, found", "max(-1.0, found"),
            Mutation("no bound above", "min(_MOST, max", "min(9.0, max"),
            Mutation("added, not multiplied", "self.value *= 1 +", "self.value +="),
            Mutation("another beginning is ignored", ' and saved["began"] == self.begin', ""),
        ),
    ),
    Module(
        "agentgym/learn/running.py",
        (f"{UNIT}/test_running.py",),
        (
            Mutation("the last part alone", "self.variance * self.num + apart**2", "apart**2"),
            Mutation("means are the same", " + apart**2 * self.num * num / both", ""),
            Mutation("the mean of the last part", "self.mean + apart * num / both", "mean"),
            Mutation("a sample's variance", "spread / both\n", "spread / (both - 1)\n"),
            Mutation("no scale is a scale", "if self.variance > _NONE else 1.0", "if True else 1.0"),
        ),
    ),
    Module(
        "agentgym/learn/masters.py",
        (f"{UNIT}/test_masters.py",),
        (
            Mutation("one moment", "copies = 2 if master_dtype", "copies = 1 if master_dtype"),
            Mutation("no masters", "weight.element_size() >= torch.float32.itemsize", "True"),
            Mutation("masters are not followed", "            weight.copy_(master)\n", "            pass\n"),
            Mutation(
                "what was changed outside is lost",
                "weight == master.to(weight.dtype), master",
                "weight == weight, master",
            ),
            Mutation(
                "masters begin anew",
                "torch.where(weight == master.to(weight.dtype), master",
                "torch.where(False, master",
            ),
            Mutation("the last gradient alone", "found if master.grad is None else master.grad.add_(found)", "found"),
            Mutation("hooks stay", "                hook.remove()\n", "                pass\n"),
            Mutation(
                "masters keep gradients",
                "*(weight for weight, _ in self.rounded), *self.stepped",
                "*(weight for weight, _ in self.rounded),",
            ),
            Mutation(
                "weights keep gradients", "(*(weight for weight, _ in self.rounded), *self.stepped)", "self.stepped"
            ),
            Mutation("what stays is counted", "(self._looked_at() != before)", "(self._looked_at() == before)"),
            Mutation("masters are free", "else 3", "else 2"),
            Mutation(
                "norms decay", '"params": others, "weight_decay": 0.0', '"params": others, "weight_decay": weight_decay'
            ),
            Mutation(
                "biases alone decay",
                "p.ndim > 1], [p for p in stepped if p.ndim < 2]",
                "p.ndim < 2], [p for p in stepped if p.ndim > 1]",
            ),
        ),
    ),
    Module(
        "agentgym/learn/distributed.py",
        (f"{UNIT}/test_distributed.py",),
        (
            Mutation("everyone is first", "return self.rank == 0", "return True"),
            Mutation(
                "the sum for the largest",
                "distributed.all_reduce(length, distributed.ReduceOp.MAX)",
                "distributed.all_reduce(length)",
            ),
            Mutation("sums of their own", "            distributed.all_reduce(values)\n", "            pass\n"),
            Mutation(
                "gradients of their own",
                "flat = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))",
                "flat = torch.cat([gradient.flatten() for gradient in gradients])",
            ),
            Mutation("no batches without rows", "max(counts) - counts[world.rank]", "0"),
            Mutation(
                "names of its own",
                "for names in self.gathered(list(metrics), device) for name in names",
                "for names in [metrics] for name in names",
            ),
            Mutation("formats mixed", "parameter.grad.dtype is not bucket[0].dtype or", "False or"),
            Mutation(
                "silent parameters left out",
                "                parameter.grad = torch.zeros_like(parameter)\n",
                "                continue\n",
            ),
            Mutation("the last bucket not sent", "        if bucket:\n            self._sum_bucket(bucket)\n", ""),
            Mutation(
                "units are torn",
                "families = [[unit] for unit in units]",
                "families = [[[i]] for u in units for i in u]",
            ),
            Mutation(
                "all to the first",
                "heapq.heappush(loads, (load + costs[place], rank))",
                "heapq.heappush(loads, (load, rank))",
            ),
            Mutation("families anywhere", "    if shares:\n        tokens", "    if False:\n        tokens"),
            Mutation("a refusal of one's own", "self.gathered(refused, device)", "[refused]"),
            Mutation("nothing is idle", "return not len(batch.targets_N)", "return False"),
        ),
    ),
    Module(
        "agentgym/learn/tensors.py",
        (f"{UNIT}/test_tensors.py",),
        (
            Mutation("whole tensors in each part", "{name: part(tensor).contiguous()", "{name: tensor.contiguous()"),
            Mutation("every part from the first row", "[rows_here(each).start]", "[0]"),
            Mutation("the first part's rows", "if each.start < rows.stop and", "if each.start == 0 and"),
            Mutation("gaps are passed over", "if each.shape and each.start != end:", "if False:"),
        ),
    ),
    Module(
        "agentgym/learn/lead.py",
        (f"{UNIT}/test_lead.py",),
        (
            Mutation(
                "what is done within is told again",
                "    token = _channel.set(None)\n",
                "    token = _channel.set(channel)\n",
            ),
            Mutation("the first file again", "            at += length\n", ""),
        ),
    ),
    Module(
        "agentgym/learn/attention.py",
        (f"{UNIT}/test_attention.py",),
        (
            Mutation("heads of any size", "size % 8 == 0 and ", ""),
            Mutation("the largest heads refused", "size <= _LARGEST_HEAD", "size < _LARGEST_HEAD"),
            Mutation("older GPUs too", ">= (8, 0)", ">= (7, 0)"),
        ),
    ),
    Module(
        "agentgym/learn/prefixes.py",
        (f"{UNIT}/test_prefixes.py",),
        (
            Mutation("shared to the token", "int(differ.argmax()) // block * block", "int(differ.argmax())"),
            Mutation("a branch where none is", "+ 1) < size:", "+ 1) <= size:"),
            Mutation(
                "the last one's places",
                "places[:shared], places[shared:] = before[:shared]",
                "places[:shared], places[shared:] = places[:shared]",
            ),
            Mutation("one neighbor alone", "max(0, place - 1) : place + 1", "place : place + 1"),
            Mutation("torn anywhere", "key=lambda n: (shared[n - 1], -n)", "key=lambda n: -n"),
            Mutation("torn early", "(shared[n - 1], -n)", "(shared[n - 1], n)"),
            Mutation("one token too many", "sizes[-1] > max_tokens and", "sizes[-1] > max_tokens + 1 and"),
            Mutation("whatever is predicted", "places_T[predicts_T] << 32 | targets_N", "places_T[predicts_T] << 32"),
            Mutation("siblings see each other", "if depth < below", "if depth <= below"),
        ),
    ),
    Module(
        "agentgym/learn/sharing.py",
        (f"{UNIT}/test_sharing.py",),
        (
            Mutation("images or not", "any(row.media for row in rows)", "False"),
            Mutation("as long as the window", "longest > traits.window", "longest >= traits.window"),
            Mutation("it always pays", "_WORTH = 0.9", "_WORTH = 1.0"),
            Mutation("forced in silence", 'if why and choice == "on":', "if False:"),
        ),
    ),
    Module(
        "agentgym/learn/tree_attention.py",
        (f"{UNIT}/test_tree_attention.py",),
        (
            Mutation("the newest part alone", "torch.sigmoid(norm - before)", "torch.sigmoid(norm)"),
            Mutation("as it was", "                torch.logaddexp(before, norm, out=before)\n", ""),
            Mutation("the last part's gradient", "total[:, :, place] += part", "total[:, :, place] = part"),
            Mutation("another scale", "is_causal, scale=ctx.scale)", "is_causal)"),
            Mutation("all that were above", "if other.stop > branch.start", "if True"),
        ),
    ),
    Module(
        "agentgym/learn/footprint.py",
        (
            f"{UNIT}/test_footprint.py::test_by_hand",
            f"{UNIT}/test_footprint.py::test_halves_and_layers_made_again_by_hand",
            f"{UNIT}/test_footprint.py::test_the_less_of_what_the_machine_and_its_container_have_is_free",
            f"{UNIT}/test_footprint.py::test_on_a_gpu_what_pytorch_keeps_for_later_is_free",
            f"{UNIT}/test_footprint.py::test_what_fits_to_the_byte_fits",
            f"{UNIT}/test_footprint.py::test_sizes_are_told_in_the_unit_that_suits_them",
            f"{UNIT}/test_footprint.py::test_one_row_may_be_longer_than_a_microbatch",
        ),
        (
            Mutation("all that is free is too much", "total <= free", "total < free"),
            Mutation("the more of two limits", "else min(free, limit)", "else max(free, limit)"),
            Mutation("what is kept for later is taken", "mem_get_info(device)[0]) + kept", "mem_get_info(device)[0])"),
            Mutation("what is in use is free", " - torch.cuda.memory_allocated(device)", ""),
            Mutation("kilobytes as bytes", "(1024 * int(", "(1 * int("),
            Mutation("what is used counts as free", "int(limit) - used", "int(limit)"),
            Mutation("the smallest item is named", "largest = max(needed", "largest = min(needed"),
            Mutation("halves as wholes", "(2 if autocast else element_size) * narrow", "4 * narrow"),
            Mutation("a row fits a microbatch", "max(max_microbatch_tokens, max_context)", "max_microbatch_tokens"),
            Mutation("keys without values", '"cache": 2 * element_size', '"cache": element_size'),
            Mutation("masters for nothing", "4 * has_masters) * num_trained", "0) * num_trained"),
            Mutation("masters for all", "has_masters = trained_size < 4", "has_masters = True"),
            Mutation(
                "gradients in two bytes",
                'max(4, trained_size) * num_trained,\n        "opt',
                'trained_size * num_trained,\n        "opt',
            ),
            Mutation("no copies under autocast", "2 * num_parameters if autocast else 0", "0"),
            Mutation("widths of heads guessed", 'getattr(text, "head_dim", None) or', "None or"),
        ),
    ),
    Module(
        "agentgym/learn/nano.py",
        (f"{UNIT}/test_nano.py",),
        (
            Mutation("rarer phrases", "share: float = 0.12", "share: float = 0.11"),
            Mutation("one page more", "found[best] < share * len(texts)", "found[best] <= share * len(texts)"),
            Mutation("said words in phrases", "if left not in spoken and right not in spoken:", "if True:"),
            Mutation(
                "the rarest words kept", "key=lambda item: (-item[1], item[0])", "key=lambda item: (item[1], item[0])"
            ),
            Mutation(
                "one word too few", "max(config.max_vocabulary, len(base))", "max(config.max_vocabulary - 1, len(base))"
            ),
            Mutation(
                "half of the context",
                "max_position_embeddings=config.max_context",
                "max_position_embeddings=config.max_context // 2",
            ),
            Mutation("always the same weights", "        torch.manual_seed(seed)\n", "        torch.manual_seed(0)\n"),
            Mutation("copies nothing", "        _start_copying(model)\n", ""),
        ),
    ),
    Module(
        "agentgym/learn/forward.py",
        (f"{UNIT}/test_forward.py",),
        (
            Mutation(
                "a row as long as the window",
                "max(batch.lengths) <= traits.window",
                "max(batch.lengths) < traits.window",
            ),
            Mutation(
                "beyond the window", "max(batch.lengths) <= traits.window", "max(batch.lengths) <= traits.window + 1"
            ),
            Mutation("twice the padding", "_PADDING_WASTE = 1.25", "_PADDING_WASTE = 2.5"),
            Mutation(
                "scores at temperature 1",
                "temperature=temperature, max_logits=max_logits)\n            for",
                "max_logits=max_logits)\n            for",
            ),
        ),
    ),
    Module(
        "trainers/ppo.py",
        (f"{TRAINERS}/test_ppo.py",),
        (
            Mutation("the policy's own rate", "or 10 * settings.learning_rate", "or settings.learning_rate"),
            Mutation(
                "warm-up one update longer",
                "if update < self.settings.critic_warmup:",
                "if update <= self.settings.critic_warmup:",
            ),
        ),
    ),
    Module(
        "trainers/dpo.py",
        (
            f"{TRAINERS}/test_dpo.py::test_past_pairs_are_trained_on_again_and_survive_a_checkpoint",
            f"{TRAINERS}/test_recorded.py::test_the_file_is_closed_with_the_trainer_and_once",
        ),
        (
            Mutation(
                "the newest go",
                "[*self.past, new][-self.settings.replay :]",
                "[*self.past, new][: self.settings.replay]",
            ),
            Mutation("the file stays open", "            recorded.close()\n", "            pass\n"),
            Mutation("closed again", "recorded, self.recorded = self.recorded, None", "recorded = self.recorded"),
            Mutation(
                "nothing to go on from",
                'self.past = [[Row(**row) for row in rows] for rows in state["past"]]',
                "self.past = []",
            ),
        ),
    ),
    Module(
        "trainers/cory.py",
        (f"{TRAINERS}/test_group_trainers.py::test_the_partner_s_engine_samples_with_the_partner_s_weights",),
        (
            Mutation("the partner's first weights", "await self.engine.update_weights(", "(lambda *_: None)("),
            Mutation(
                "the weights of the other",
                "self.copies[1].equipment.learner.weights())",
                "self.copies[0].equipment.learner.weights())",
            ),
        ),
    ),
    Module(
        "trainers/sft.py",
        (
            f"{TRAINERS}/test_trainers.py",
            f"{TRAINERS}/test_recorded.py::test_the_file_is_closed_with_the_trainer_and_once",
            f"{TRAINERS}/test_recorded.py::test_failures_count_and_what_is_seen_counts_less",
        ),
        (
            Mutation("demonstrations are shaped", "shaped=False", "shaped=True"),
            Mutation("ordinals begin anew", "ordinal=update * self.settings.batch_size + i", "ordinal=i"),
            Mutation("played by the policy", 'role="expert"', 'role="policy"'),
            Mutation("the file stays open", "            recorded.close()\n", "            pass\n"),
            Mutation(
                "observations count in full",
                "np.where(row.loss_mask, 1.0, weight)",
                "np.where(row.loss_mask, 1.0, 1.0)",
            ),
            Mutation(
                "failures as good as successes", "self.settings.failure_weight * row.advantages", "row.advantages"
            ),
            Mutation("failures left out", "card.success or self.settings.failure_weight]", "card.success]"),
        ),
    ),
)
