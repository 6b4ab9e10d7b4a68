"""Advantages, objectives, pairs, surrogates and trainers: signs, masks, bounds, denominators."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

UNIT = "tests/unit/learn"

MODULES = (
    Module(
        "agentgym/learn/advantages/group.py",
        (f"{UNIT}/test_advantages_group.py",),
        (
            Mutation("mean added", "[(reward - mean) / spread", "[(reward + mean) / spread"),
            Mutation("population deviation", "statistics.stdev(rewards)", "statistics.pstdev(rewards)"),
            Mutation("epsilon left out", "statistics.stdev(rewards) + epsilon", "statistics.stdev(rewards)"),
            Mutation("always scaled", "+ epsilon if scale else 1.0", "+ epsilon"),
            Mutation("baseline over all", "/ others for reward", "/ (others + 1) for reward"),
            Mutation("baseline with itself", "(total - reward) / others", "total / others"),
            Mutation("a group of one accepted", "if len(rewards) < 2:", "if len(rewards) < 1:"),
        ),
    ),
    Module(
        "agentgym/groups.py",
        ("tests/unit/test_groups.py",),
        (
            Mutation("a group of none not expected", "len(rewards) > 1 and ", ""),
            Mutation("equal rewards are informative", "min(rewards) > tolerance", "min(rewards) >= 0"),
        ),
    ),
    Module(
        "agentgym/learn/advantages/temporal.py",
        (f"{UNIT}/test_advantages_temporal.py",),
        (
            Mutation("value added", "[1:] - values", "[1:] + values"),
            Mutation("next value not discounted", "rewards + gamma * np.append", "rewards + np.append"),
            Mutation("no decay by lambda", "decay = gamma * lam", "decay = gamma"),
            Mutation("no decay by gamma", "decay = gamma * lam", "decay = lam"),
            Mutation("no bootstrap", "np.append(values, bootstrap)", "np.append(values, 0.0)"),
            Mutation(
                "the value itself for the next", "np.append(values, bootstrap)[1:]", "np.append(values, bootstrap)[:-1]"
            ),
            Mutation("from the front", "accumulate(errors_N[::-1]", "accumulate(errors_N"),
            Mutation("returns without the value", "advantages_N, advantages_N + values", "advantages_N, advantages_N"),
            Mutation("lengths not checked", "if len(rewards_N) != len(values_N):", "if False:"),
            Mutation("turn returns not discounted", "total = reward + gamma * total", "total = reward + total"),
            Mutation("turn returns reversed", "    returns.reverse()\n", ""),
        ),
    ),
    Module(
        "agentgym/learn/advantages/whitening.py",
        (f"{UNIT}/test_advantages_whitening.py",),
        (
            Mutation("population deviation", "ddof=1", "ddof=0"),
            Mutation("mean kept", "(values - mean) /", "values /"),
            Mutation("epsilon left out", "(values.std(ddof=1) + epsilon)", "values.std(ddof=1)"),
            Mutation(
                "shift the wrong way round",
                "if shift_mean else whitened + mean",
                "if not shift_mean else whitened + mean",
            ),
            Mutation("one value accepted", "if len(values_N) < 2:", "if len(values_N) < 1:"),
        ),
    ),
    Module(
        "agentgym/learn/advantages/anchors.py",
        (f"{UNIT}/test_advantages_anchors.py",),
        (
            Mutation(
                "groups within an episode only", "groups.setdefault(key, [])", "groups.setdefault((episode, key), [])"
            ),
            Mutation("one group of everything", "groups.setdefault(key, [])", "groups.setdefault(None, [])"),
            Mutation("groups of two left out", "if len(places) > 1:", "if len(places) > 2:"),
            Mutation("always scaled", "scale=scale, epsilon", "scale=True, epsilon"),
            Mutation("epsilon not passed on", "scale=scale, epsilon=epsilon", "scale=scale"),
        ),
    ),
    Module(
        "agentgym/learn/advantages/sets.py",
        (f"{UNIT}/test_advantages_sets.py",),
        (
            Mutation("diversity ignored", " * len({signatures[i] for i in members}) / len(members)", ""),
            Mutation("diversity not normalized", "for i in members}) / len(members)", "for i in members})"),
            Mutation("reward and diversity added", "in members) * len(", "in members) + len("),
            Mutation("no baseline", "+= score - baseline", "+= score"),
            Mutation("only the last set counts", "advantages[i] += score", "advantages[i] = score"),
            Mutation("a single set accepted", "if len(sets) < 2 or", "if len(sets) < 1 or"),
            Mutation("an empty set accepted", "or not all(sets)", ""),
        ),
    ),
    Module(
        "agentgym/learn/advantages/shaping.py",
        (f"{UNIT}/test_advantages_shaping.py",),
        (
            Mutation("entropy subtracted", "return advantages_N + (alpha", "return advantages_N - (alpha"),
            Mutation("entropy unbounded", ".minimum(advantages_N", ".maximum(advantages_N"),
            Mutation("bound signed", "advantages_N.abs() / kappa", "advantages_N / kappa"),
            Mutation("bound times kappa", "advantages_N.abs() / kappa", "advantages_N.abs() * kappa"),
            Mutation("entropy maximized", "entropies_N.detach()", "entropies_N"),
            Mutation("kappa of 1 accepted", "kappa <= 1:", "kappa < 1:"),
            Mutation("weight rises with accuracy", "(accuracy - center)", "(center - accuracy)"),
            Mutation("weight from 0", "return low + (high - low) /", "return (high - low) /"),
            Mutation("gain and loss exchanged", "gain if advantage > 0 else loss", "loss if advantage > 0 else gain"),
            Mutation("losses weighed like gains", "difficulty_weight(1 - accuracy", "difficulty_weight(accuracy"),
        ),
    ),
    Module(
        "agentgym/lengths.py",
        ("tests/unit/test_lengths.py",),
        (
            Mutation("long answers praised", "math.exp(-alpha", "math.exp(alpha"),
            Mutation("wrong answers free", "if right else -1.0", "if right else 0.0"),
            Mutation("mean over all", "strict=True) if right]", "strict=True)]"),
            Mutation(
                "sample deviation", "statistics.pstdev(correct) if correct", "statistics.stdev(correct) if correct"
            ),
        ),
    ),
    Module(
        "agentgym/learn/objectives/estimator.py",
        (f"{UNIT}/objectives/test_estimator.py",),
        (
            Mutation(
                "sign of the surrogate",
                "return -advantages_N * log_ratio_N.exp()",
                "return advantages_N * log_ratio_N.exp()",
            ),
            Mutation(
                "mask the wrong way round", "log_ratio_N, log_ratio_N.detach())", "log_ratio_N.detach(), log_ratio_N)"
            ),
            Mutation("mask ignored", "if stable_N is not None:", "if False:"),
            Mutation(
                "denominator not detached", "return logprobs_N - logprobs_N.detach()", "return logprobs_N - logprobs_N"
            ),
            Mutation(
                "ratio upside down", "return logprobs_N - old_logprobs_N\n", "return old_logprobs_N - logprobs_N\n"
            ),
            Mutation("sum over the sequence", "return sequence_mean(logprobs_N", "return sequence_sum(logprobs_N"),
            Mutation(
                "clipped weight not detached", "(logprobs_N - old_logprobs_N).detach()", "(logprobs_N - old_logprobs_N)"
            ),
            Mutation("weight not clipped", ".clamp(*log_bounds(clip_low, clip_high))", ""),
            Mutation("lower bound above 1", "math.log1p(-clip_low)", "math.log1p(clip_low)"),
            Mutation("upper bound below 1", "math.log1p(clip_high)", "math.log1p(-clip_high / 2)"),
            Mutation("lower bound that never ends", "if clip_low < 1 else -math.inf", "if clip_low < 1 else 0.0"),
            Mutation(
                "mean over all tokens", "/ sequence_sum(torch.ones_like(values_N), sequences_N)", "/ len(values_N)"
            ),
        ),
    ),
    Module(
        "agentgym/learn/objectives/policy_gradient.py",
        (f"{UNIT}/objectives/test_policy_gradient.py",),
        (
            Mutation(
                "bounds exchanged",
                "low, high = log_bounds(clip_low, clip_high)\n    ceiling",
                "high, low = log_bounds(clip_low, clip_high)\n    ceiling",
            ),
            Mutation(
                "bounds of gains and losses exchanged",
                "torch.where(advantages_N >= 0, log_ratio_N",
                "torch.where(advantages_N < 0, log_ratio_N",
            ),
            Mutation("no advantage counts as a loss", "torch.where(advantages_N >= 0", "torch.where(advantages_N > 0"),
            Mutation("gains unbounded", "log_ratio_N.clamp(max=high)", "log_ratio_N"),
            Mutation("gains bounded from below", "log_ratio_N.clamp(max=high)", "log_ratio_N.clamp(low, high)"),
            Mutation(
                "losses unbounded from below", "log_ratio_N.clamp(low, ceiling)", "log_ratio_N.clamp(max=ceiling)"
            ),
            Mutation("losses bounded from above", "log_ratio_N.clamp(low, ceiling)", "log_ratio_N.clamp(low, high)"),
            Mutation("dual clip ignored", "log_ratio_N.clamp(low, ceiling)", "log_ratio_N.clamp(min=low)"),
            Mutation("dual clip of the logarithm", "else math.log(dual_clip)", "else dual_clip"),
            Mutation("dual clip of 1 accepted", "and dual_clip <= 1", "and dual_clip < 1"),
            Mutation(
                "unclipped loss",
                "return surrogate(bounded_N, advantages_N), metrics",
                "return surrogate(log_ratio_N, advantages_N), metrics",
            ),
            Mutation("tokens without advantage counted", " & (advantages_N != 0)", ""),
            Mutation("low counts the dual clip", " & (log_ratio_N < low)).float()", ").float()"),
            Mutation(
                "high counts losses",
                '"clip_fraction_high": (clipped_N & (advantages_N > 0))',
                '"clip_fraction_high": (clipped_N & (advantages_N != 0))',
            ),
            Mutation(
                "reinforce counts the ratio",
                "surrogate(over_itself(logprobs_N), advantages_N), {}",
                "surrogate(logprobs_N, advantages_N), {}",
            ),
            Mutation(
                "cispo with PPO's ratio",
                "surrogate(over_clipped(logprobs_N, old_logprobs_N, clip_low, clip_high), advantages_N)",
                "surrogate(logprobs_N - old_logprobs_N, advantages_N)",
            ),
            Mutation("cispo counts one bound", "(log_ratio_N < low) | (log_ratio_N > high)", "log_ratio_N > high"),
            Mutation(
                "value loss takes the better",
                "torch.maximum(errors_N, bounded_N)",
                "torch.minimum(errors_N, bounded_N)",
            ),
            Mutation("value loss not halved", "loss_N = 0.5 * torch.maximum", "loss_N = torch.maximum"),
            Mutation("value loss not halved without a clip", "return 0.5 * errors_N", "return errors_N"),
            Mutation(
                "value clipped around 0",
                "old_values_N + (values_N - old_values_N).clamp",
                "(values_N - old_values_N).clamp",
            ),
            Mutation("value clipped on one side", ".clamp(-clip, clip)", ".clamp(max=clip)"),
            Mutation("value clip counted the wrong way", "(bounded_N > errors_N)", "(bounded_N < errors_N)"),
            Mutation(
                "divergence the wrong way",
                "torch.expm1(log_ratio_N) - log_ratio_N",
                "torch.expm1(-log_ratio_N) + log_ratio_N",
            ),
            Mutation("metrics carry a gradient", "with torch.no_grad():", "with torch.enable_grad():"),
        ),
    ),
    Module(
        "agentgym/learn/objectives/kl.py",
        (f"{UNIT}/objectives/test_kl.py",),
        (
            Mutation("ratio upside down", "logprobs_N - reference_logprobs_N", "reference_logprobs_N - logprobs_N"),
            Mutation("k2 not halved", "0.5 * log_ratio_N**2", "log_ratio_N**2"),
            Mutation(
                "k3 of the other direction",
                "torch.expm1(-log_ratio_N) + log_ratio_N",
                "torch.expm1(log_ratio_N) - log_ratio_N",
            ),
            Mutation("k3 without its control", "torch.expm1(-log_ratio_N) + log_ratio_N", "torch.expm1(-log_ratio_N)"),
            Mutation("k1 and k3 exchanged", 'if estimator == "k1":', 'if estimator != "k2":'),
        ),
    ),
    Module(
        "agentgym/learn/objectives/corrections.py",
        (f"{UNIT}/objectives/test_corrections.py",),
        (
            Mutation(
                "weight upside down",
                "(proximal_logprobs_N - behavior_logprobs_N).detach()",
                "(behavior_logprobs_N - proximal_logprobs_N).detach()",
            ),
            Mutation(
                "weight carries a gradient",
                "(proximal_logprobs_N - behavior_logprobs_N).detach()",
                "(proximal_logprobs_N - behavior_logprobs_N)",
            ),
            Mutation("no truncation", ".clamp(max=math.log(cap))", ""),
            Mutation("truncated from below", ".clamp(max=math.log(cap))", ".clamp(min=math.log(cap))"),
            Mutation("cap not a logarithm", ".clamp(max=math.log(cap))", ".clamp(max=cap)"),
            Mutation("truncation miscounted", "log_weights_N > math.log(cap)", "log_weights_N < math.log(cap)"),
            Mutation("sequence as tokens", "if sequences_N is None else sequence_sum(log_weights_N, sequences_N)", ""),
            Mutation("mask below left out", "(log_weights_N < (math.log(low) if low else -math.inf)) | ", ""),
            Mutation("mask above left out", " | (log_weights_N > math.log(high))", ""),
            Mutation("mask inverted", "masked_fill(outside_N,", "masked_fill(~outside_N,"),
            Mutation("masked tokens count fully", "masked_fill(outside_N, -math.inf)", "masked_fill(outside_N, 0.0)"),
            Mutation(
                "divergence the wrong way",
                "kl(behavior_logprobs_N, proximal_logprobs_N,",
                "kl(proximal_logprobs_N, behavior_logprobs_N,",
            ),
            Mutation("a cap of 0 accepted", "if cap <= 0:", "if cap < 0:"),
        ),
    ),
    Module(
        "agentgym/learn/objectives/nft.py",
        (f"{UNIT}/objectives/test_nft.py",),
        (
            Mutation(
                "nft branches exchanged",
                "torch.where(is_correct_N, log_ratio_N, bounded_N.log())",
                "torch.where(is_correct_N, bounded_N.log(), log_ratio_N)",
            ),
            Mutation("nft sign", "loss_N = -torch.where", "loss_N = torch.where"),
            Mutation(
                "nft negative not normalized",
                "(1 - accuracies_N * ratio_N) / (1 - accuracies_N)",
                "(1 - accuracies_N * ratio_N)",
            ),
            Mutation("nft ignores the accuracy", "(1 - accuracies_N * ratio_N)", "(1 - ratio_N)"),
            Mutation(
                "nft bound stops the gradient",
                "negative_N + (negative_N.clamp(min=epsilon) - negative_N).detach()",
                "negative_N.clamp(min=epsilon)",
            ),
            Mutation("nft bounded from above", "negative_N.clamp(min=epsilon)", "negative_N.clamp(max=epsilon)"),
            Mutation(
                "nft other branch overflows", "log_ratio_N.masked_fill(is_correct_N, 0.0).exp()", "log_ratio_N.exp()"
            ),
            Mutation("nft miscounts", "(negative_N < epsilon)", "(negative_N > epsilon)"),
        ),
    ),
    Module(
        "agentgym/learn/objectives/imitation.py",
        (f"{UNIT}/objectives/test_imitation.py",),
        (
            Mutation(
                "dft weight carries a gradient",
                "weights_N = logprobs_N.detach().exp()\n    return",
                "weights_N = logprobs_N.exp()\n    return",
            ),
            Mutation(
                "dft weight upside down",
                "weights_N = logprobs_N.detach().exp()\n    return",
                "weights_N = 1 - logprobs_N.detach().exp()\n    return",
            ),
            Mutation(
                "iw-sft divides by the temperature",
                "(temperature * sequence_mean(log_ratio_N, sequences_N))",
                "(sequence_mean(log_ratio_N, sequences_N) / temperature)",
            ),
            Mutation("iw-sft token by token", "sequence_mean(log_ratio_N, sequences_N)", "log_ratio_N"),
            Mutation("iw-sft weight unbounded", ".exp().clamp(max=max_weight)", ".exp()"),
            Mutation("iw-sft temperature of the script", "temperature: float = 2.0", "temperature: float = 1.0"),
            Mutation("iw-sft other bound", "max_weight: float = 16.0", "max_weight: float = 10.0"),
            Mutation(
                "iw-sft weight carries a gradient",
                "reference_logprobs_N).detach()\n    weights_N = (temp",
                "reference_logprobs_N)\n    weights_N = (temp",
            ),
            Mutation(
                "iw-sft tokens unbounded from below",
                "ratio_N.clamp(1 - clip, 1 + clip)\n    return",
                "ratio_N.clamp(max=1 + clip)\n    return",
            ),
            Mutation(
                "iw-sft token weight carries a gradient",
                "reference_logprobs_N).detach().exp()\n    weights_N = ratio",
                "reference_logprobs_N).exp()\n    weights_N = ratio",
            ),
            Mutation(
                "psft bounded from below",
                "-ratio_N.clamp(max=1 + clip_high)",
                "-ratio_N.clamp(1 - clip_high, 1 + clip_high)",
            ),
            Mutation("psft unbounded", "-ratio_N.clamp(max=1 + clip_high)", "-ratio_N"),
            Mutation("psft miscounts", "(ratio_N > 1 + clip_high)", "(ratio_N > 1)"),
            Mutation("divergence towards the reference", "told_N = -beta *", "told_N = beta *"),
            Mutation("divergence not per beta", "return loss_N / beta, {", "return loss_N, {"),
            Mutation("pearson without its square", "told_N + told_N.square() / 4", "told_N"),
            Mutation("pearson's other constant", "told_N.square() / 4", "told_N.square() / 2"),
            Mutation("kl not from 0", "torch.expm1(told_N)", "told_N.exp()"),
            Mutation("divergence weights carry a gradient", "weights_N.detach()}", "weights_N}"),
        ),
    ),
    Module(
        "agentgym/learn/objectives/balance.py",
        (f"{UNIT}/objectives/test_balance.py",),
        (
            Mutation("token by token", "beta * sequence_sum(log_ratio_N, sequences_N)", "beta * log_ratio_N"),
            Mutation("reward upside down", "- advantages_N", "+ advantages_N"),
            Mutation("without the temperature", "beta * sequence_sum", "sequence_sum"),
            Mutation("not halved", "/ (2 * beta)", "/ beta"),
            Mutation("metrics carry a gradient", "residual_N.detach().abs()", "residual_N.abs()"),
        ),
    ),
    Module(
        "agentgym/learn/objectives/mixers.py",
        (f"{UNIT}/objectives/test_mixers.py",),
        (
            Mutation("own part not normalized", "rl=(1 - mu) * total / num_rl", "rl=(1 - mu)"),
            Mutation(
                "demonstrations over the other count",
                "demonstration=mu * total / num_demonstration if",
                "demonstration=mu * total / num_rl if",
            ),
            Mutation("a share that is no number accepted", "if not 0 <= mu <= 1:", "if mu < 0 or mu > 1:"),
            Mutation(
                "factors exchanged",
                "torch.where(demonstration_N, weights.demonstration * demonstration_loss_N, weights.rl * rl_loss_N)",
                "torch.where(demonstration_N, weights.rl * demonstration_loss_N, weights.demonstration * rl_loss_N)",
            ),
            Mutation(
                "sum counts own tokens half",
                "MixtureWeights(2 * halves.rl, 2 * halves.demonstration)",
                "MixtureWeights(halves.rl, 2 * halves.demonstration)",
            ),
            Mutation("cosine goes on", "if step >= steps:", "if step > steps + 1:"),
            Mutation("cosine is a line", "0.5 * (1 + math.cos(math.pi * step / steps))", "(1 - step / steps)"),
            Mutation("chord decays from the start", "cosine(update - warmup, decay", "cosine(update, decay"),
            Mutation(
                "chord begins above 0",
                "peak * update / warmup if update < warmup",
                "peak * (update + 1) / warmup if update < warmup",
            ),
            Mutation(
                "phi carries a gradient",
                "-logprobs_N.detach().exp() * torch.expm1(logprobs_N.detach())",
                "-logprobs_N.exp() * torch.expm1(logprobs_N.detach())",
            ),
            Mutation(
                "phi is the probability",
                "-logprobs_N.detach().exp() * torch.expm1(logprobs_N.detach())",
                "logprobs_N.detach().exp()",
            ),
            Mutation("phi the wrong way round", "chord_phi(logprobs_N) if phi", "chord_phi(logprobs_N) if not phi"),
            Mutation(
                "srft weights exchanged",
                "0.5 * (-entropies_N).exp(), 0.1 * entropies_N.exp()",
                "0.5 * entropies_N.exp(), 0.1 * (-entropies_N).exp()",
            ),
            Mutation(
                "srft weights carry a gradient", "entropies_N = entropies_N.detach()", "entropies_N = entropies_N * 1"
            ),
            Mutation(
                "srft unclipped",
                "-torch.minimum(ratio_N * advantages_N, clipped_N * advantages_N)",
                "-ratio_N * advantages_N",
            ),
            Mutation("srft blames little", "torch.where(advantages_N > 0, praise_N, 1.0)", "praise_N"),
            Mutation("srft without imitation", "member_N - imitation_N * logprobs_N", "member_N"),
            Mutation("gate exclusive", "<= gate", "< gate"),
            Mutation(
                "prefix rounded up",
                "math.floor((low + uniform * (high - low)) * length)",
                "math.ceil((low + uniform * (high - low)) * length)",
            ),
            Mutation(
                "prefix ignores the lower end",
                "math.floor((low + uniform * (high - low)) * length)",
                "math.floor(uniform * high * length)",
            ),
            Mutation("lowest entropy kept", "descending=True, stable=True", "descending=False, stable=True"),
            Mutation("a prefix without a trained token", ".round().clamp(min=1)[", ".round()["),
            Mutation("prefix share rounded down", "(fraction * counts).round()", "(fraction * counts).floor()"),
            Mutation("continuation masked", "trained_N = ~prefix_N | top", "trained_N = top"),
            Mutation(
                "untrained prefix worth nothing",
                "torch.where(trained_N, rl_loss_N, rl_loss_N.detach())",
                "torch.where(trained_N, rl_loss_N, 0.0)",
            ),
        ),
    ),
    Module(
        "agentgym/learn/objectives/preference.py",
        (
            f"{UNIT}/objectives/test_preference.py",
            "tests/properties/test_preference.py",
        ),
        (
            Mutation("sides exchanged", "2 * pairs_N + (~chosen_N).long()", "2 * pairs_N + chosen_N.long()"),
            Mutation("a tie is accurate", "chosen_P > rejected_P", "chosen_P >= rejected_P"),
            Mutation(
                "metrics carry a gradient",
                "chosen_P, rejected_P = chosen_reward_P.detach(), rejected_reward_P.detach()",
                "chosen_P, rejected_P = chosen_reward_P, rejected_reward_P",
            ),
            Mutation(
                "smoothing subtracted",
                "- label_smoothing * logsigmoid(-margin_P)\n",
                "+ label_smoothing * logsigmoid(-margin_P)\n",
            ),
            Mutation(
                "smoothing added on top", "-(1 - label_smoothing) * logsigmoid(margin_P)", "-logsigmoid(margin_P)"
            ),
            Mutation(
                "robust not normalized",
                "- label_smoothing * flipped_P) / (1 - 2 * label_smoothing)",
                "- label_smoothing * flipped_P)",
            ),
            Mutation(
                "robust adds the flipped",
                "((1 - label_smoothing) * kept_P - label_smoothing * flipped_P)",
                "((1 - label_smoothing) * kept_P + label_smoothing * flipped_P)",
            ),
            Mutation("robust at one half", "0 <= label_smoothing < 0.5", "0 <= label_smoothing <= 0.5"),
            Mutation("ipo target doubled", "1 / (2 * beta)", "1 / beta"),
            Mutation("bfpo label not over beta", "- labels_P / beta)", "- labels_P)"),
            Mutation("bfpo label the wrong way", "- labels_P / beta)", "+ labels_P / beta)"),
            Mutation("copg adds the divergence", "differences_P - margin_P", "differences_P + margin_P"),
            Mutation("copg not squared", "(differences_P - margin_P).square()", "(differences_P - margin_P).abs()"),
            Mutation("hinge at 1 / beta", "(1 - margin_P).relu()", "(1 / beta - margin_P).relu()"),
            Mutation("hinge without an end", "(1 - margin_P).relu()", "(1 - margin_P)"),
            Mutation("slic unlearns", "- imitation * chosen_logprob_P", "+ imitation * chosen_logprob_P"),
            Mutation(
                "slic without an end",
                "(margin - chosen_logprob_P + rejected_logprob_P).relu()",
                "(margin - chosen_logprob_P + rejected_logprob_P)",
            ),
            Mutation(
                "simpo margin the wrong way",
                "-logsigmoid(chosen_P - rejected_P - margin)",
                "-logsigmoid(chosen_P - rejected_P + margin)",
            ),
            Mutation("simpo of sums", "beta * chosen_logprob_P / lengths[0], beta", "beta * chosen_logprob_P, beta"),
            Mutation("rpo unlearns", "loss_P - eta * imitated_P", "loss_P + eta * imitated_P"),
            Mutation(
                "rpo ignores the length",
                "if lengths_P is None else chosen_logprob_P / lengths_P",
                "if lengths_P is None else chosen_logprob_P",
            ),
            Mutation("nash-md without one half", "preference_N - 0.5 - beta", "preference_N - beta"),
            Mutation(
                "nash-md leaves the reference",
                "- beta * log_ratio_N) * logprobs_N",
                "+ beta * log_ratio_N) * logprobs_N",
            ),
            Mutation(
                "nash-md divergence differentiated",
                "(logprobs_N - reference_logprobs_N).detach(), preference_N.detach()",
                "(logprobs_N - reference_logprobs_N), preference_N.detach()",
            ),
            Mutation(
                "nash-md preference differentiated",
                "(logprobs_N - reference_logprobs_N).detach(), preference_N.detach()",
                "(logprobs_N - reference_logprobs_N).detach(), preference_N",
            ),
            Mutation("spread over both sides", "values_P[pairs_N]", "values_P[pairs_N] / 2"),
        ),
    ),
    Module(
        "agentgym/pairs.py",
        ("tests/unit/test_pairs.py",),
        (
            Mutation(
                "identical sides accepted",
                "if np.array_equal(self.chosen.token_ids, self.rejected.token_ids):",
                "if self.chosen is self.rejected:",
            ),
            Mutation(
                "other contexts accepted",
                "_context(self.chosen) != _context(self.rejected)",
                "len(_context(self.chosen)) != len(_context(self.rejected))",
            ),
            Mutation(
                "an empty side accepted",
                "if not (self.chosen.num_trained and self.rejected.num_trained):",
                "if not (self.chosen.num_trained or self.rejected.num_trained):",
            ),
            Mutation("expert sides accepted", "if by_expert or not side", "if not side"),
            Mutation(
                "unscored sides accepted",
                "if by_expert or not side.logprobs[side.loss_mask].any()",
                "if by_expert",
            ),
            Mutation("whoever said it", "turn in trajectory.shown, traj", "False, traj"),
            Mutation(
                "rso times beta",
                "rng.random() < math.exp((rewards[i] - best) / beta)",
                "rng.random() < math.exp((rewards[i] - best) * beta)",
            ),
            Mutation("rso keeps the first maximum", "best = max(rewards[i] for i in remaining)", "best = max(rewards)"),
            Mutation("rso accepts too many", "if len(accepted) < num and rng", "if rng"),
            Mutation(
                "rso accepts twice",
                "remaining = [i for i in remaining if i not in accepted]",
                "remaining = list(remaining)",
            ),
            Mutation("unsafe and helpful preferred", "1.5 * helpful_is_safe - 0.5", "0.5 * helpful_is_safe - 1.5"),
            Mutation("label without its threshold", "other_is_safe - alpha", "other_is_safe"),
            Mutation("worst is the second best", "[ranked[0], ranked[-1]]", "[ranked[0], ranked[1]]"),
            Mutation("skipped turns miscounted", "sum(turn not in cuts for", "sum(turn in cuts for"),
            Mutation("seeds mixed", "trajectory.task, trajectory.seed, turn", "trajectory.task, 0, turn"),
            Mutation("tasks mixed", "trajectory.env, trajectory.task,", "trajectory.env, None,"),
            Mutation("contexts mixed", "turn, _context(sample))", 'turn, b"")'),
            Mutation(
                "sides go on after the turn",
                "end = positions[-1] + 1 if len(positions) else 0",
                "end = len(sample.token_ids)",
            ),
            Mutation(
                "log-probs lost", "np.where(mask, sample.logprobs[:end], ", "np.where(False, sample.logprobs[:end], "
            ),
            Mutation("turns in several samples", "if len(holders) == 1 and holders", "if holders"),
            Mutation("turns in pieces", "and holders[0][1][-1] - holders[0][1][0] == len(holders[0][1]) - 1", ""),
            Mutation("unfit episodes compared", "if not trajectory.unfit]", "]"),
            Mutation("forked episodes compared", "if len(t.samples) == 1 and t.samples[0].num_trained", "if t.samples"),
            Mutation(
                "value of the first episode", "math.fsum(each.value for each in found) / len(found)", "found[0].value"
            ),
            Mutation("chosen by place", "(one, other) if one.value > other.value else (other, one)", "(one, other)"),
            Mutation("no difference accepted", "margin > _TOLERANCE and margin", "margin"),
            Mutation("threshold exclusive", "margin >= threshold - _TOLERANCE", "margin > threshold"),
            Mutation("threshold to the last digit", "margin >= threshold - _TOLERANCE", "margin >= threshold"),
            Mutation(
                "equal actions not merged",
                "same.setdefault(candidate.sample.token_ids.tobytes(), [])",
                "same.setdefault(bytes(len(same)), [])",
            ),
        ),
    ),
    Module(
        "agentgym/learn/aggregation.py",
        (f"{UNIT}/test_batch.py",),
        (
            Mutation(
                "rows weigh the same by sequences",
                "row.weight / (total * (row.episode_tokens",
                "1 / (total * (row.episode_tokens",
            ),
            Mutation("rows for episodes", "math.fsum(row.share for row in rows)", "float(len(rows))"),
            Mutation("mean of each row", "(row.episode_tokens or row.num_trained)", "row.num_trained"),
        ),
    ),
    Module(
        "agentgym/learn/learner.py",
        (f"{UNIT}/test_learner.py",),
        (
            Mutation(
                "metrics of one process",
                "totals = self.world.sum_metrics(totals, self.device)",
                "totals = dict(totals)",
            ),
            Mutation("metrics summed", 'value if name == "loss" else value / weight', "value"),
            Mutation("loss as a mean", 'value if name == "loss" else value / weight', "value / weight"),
            Mutation("idle episodes lost", "self.aggregation) + idle", "self.aggregation)"),
            Mutation("time does not count", "max(since / max(1, span), self.progress)", "since / max(1, span)"),
        ),
    ),
    Module(
        "agentgym/learn/surrogate.py",
        (
            f"{UNIT}/test_surrogate.py",
            "tests/unit/trainers/test_group_trainers.py",
            "tests/unit/trainers/test_steps.py",
            "tests/unit/test_parity_batches.py",
        ),
        (
            Mutation("penalty upside down", "self.kl.value * log_ratio", "-self.kl.value * log_ratio"),
            Mutation("penalty of masked tokens", "np.where(row.loss_mask, ", "np.where(True, "),
            Mutation("stops at the target", "1.5 * self.settings.target_kl", "self.settings.target_kl"),
            Mutation("never steered", '        self.kl.steer(metrics["reference_kl"])\n', ""),
            Mutation("no correction", "weights_N * loss_N, metrics | seen", "loss_N, metrics | seen"),
            Mutation(
                "entropy punished", "loss_N - settings.entropy_coefficient", "loss_N + settings.entropy_coefficient"
            ),
            Mutation("divergence rewarded", "loss_N + self.kl.value", "loss_N - self.kl.value"),
            Mutation("penalized twice", 'if settings.kl_in == "loss":', "if True:"),
            Mutation("never by the ratio", "if settings.kl_by_ratio:", "if False:"),
            Mutation("the sequence as a token", 'if self.settings.ratio == "token":', "if True:"),
            Mutation(
                "mean for product",
                "return parts.sequence_sum(parts.over_old(",
                "return parts.sequence_mean(parts.over_old(",
            ),
            Mutation("level ignored", 'settings.correction_level == "sequence" else', "False else"),
            Mutation("mask without a floor", "low=1 / cap", "low=0.0"),
            Mutation("experts disagree", " * ~batch.demonstrations_N", ""),
            Mutation("proximal scores never wanted", "self.num_steps > 1 or", "False or"),
            Mutation("rows of an episode apart", "            unite(episodes)", "            pass"),
            Mutation(
                "ratio of a row",
                "over_old_sequence(logprobs_N, old_N, batch.units_N)",
                "over_old_sequence(logprobs_N, old_N, batch.sequences_N)",
            ),
            Mutation(
                "product of a row",
                "over_old(logprobs_N, old_N), batch.units_N)",
                "over_old(logprobs_N, old_N), batch.sequences_N)",
            ),
            Mutation("corrected by row", "batch.units_N if settings", "batch.sequences_N if settings"),
        ),
    ),
    Module(
        "agentgym/learn/group_trainer.py",
        ("tests/unit/trainers/test_group_trainers.py", "tests/unit/trainers/test_drawing_on.py"),
        (
            Mutation("penalty added", "member.reward - sum", "member.reward + sum"),
            Mutation("unfit groups trained", "if not reason]", "if True]"),
            Mutation("equal groups do not count", "sum(map(_num_own, groups)) - ", "0 * "),
            Mutation("demonstrations are idle", 'member.role != "expert"', "True"),
            Mutation(
                "truncated always kept",
                "groups = self.settings.grouped(trajectories, keep_truncated=self.settings.keep_truncated)",
                "groups = self.settings.grouped(trajectories)",
            ),
            Mutation("played ahead all the same", " and not self.settings.draw_on\n", "\n"),
            Mutation("it costs nothing", "own * (1 + self.settings.draw_on), shown", "own, shown"),
            Mutation(
                "as many again",
                "ordinals = range(end, end + missing)",
                "ordinals = range(end, end + self.settings.groups)",
            ),
            Mutation("always all rounds", "            if missing <= 0:\n                break\n", ""),
            Mutation("the same again", "            self.num_drawn += len(drawn)\n", ""),
            Mutation("forgotten on resume", 'self.num_drawn = state.get("num_drawn", 0)', "pass"),
            Mutation("all weigh alike", "weight * per_token(sample, advantage)", "per_token(sample, advantage)"),
        ),
    ),
    Module(
        "trainers/ppo.py",
        ("tests/unit/trainers/test_ppo.py",),
        (
            Mutation("the end continued", "bootstrap and trajectory.truncated and", "bootstrap and"),
            Mutation("cut episodes not continued", "bootstrap and trajectory.truncated and", "bootstrap and False and"),
            Mutation("reward lost", "rewards_N[index] += trajectory", "rewards_N[index] -= trajectory"),
            Mutation("returns not discounted", "earned * self.settings.gamma ** int(tokens)", "earned"),
            Mutation("never scaled", "self.returns.deviation if settings.scale_rewards else 1.0", "1.0"),
            Mutation("always scaled", "        if not self.settings.scale_rewards:\n            return {}\n", ""),
            Mutation("penalty rewarded", "-self.penalty(row)", "self.penalty(row)"),
            Mutation("idle bounds of values accepted", "self.epochs * self.minibatches == 1", "False"),
            Mutation("never whitened", "if self.settings.whiten:", "if False:"),
            Mutation("policy in warm-up", "if update < self.settings.critic_warmup:", "if False:"),
            Mutation("rewards of first tokens", "turns_N[::-1]", "turns_N"),
            Mutation("unfit episodes count", "if not trajectory.unfit]", "if True]"),
        ),
    ),
    Module(
        "agentgym/learn/critic.py",
        ("tests/unit/trainers/test_ppo.py",),
        (
            Mutation("values after the token", "np.concatenate([[np.float32(0)], after[:-1]])", "after"),
            Mutation("last value of the wrong end", "float(after[-1])", "float(after[0])"),
            Mutation(
                "head at random", "torch.nn.init.zeros_(self.head.weight)", "torch.nn.init.ones_(self.head.weight)"
            ),
        ),
    ),
    Module(
        "trainers/dpo.py",
        ("tests/unit/trainers/test_dpo.py", "tests/unit/trainers/test_recorded.py"),
        (
            Mutation(
                "worst preferred",
                "Row.of(pair.chosen, worth), Row.of(pair.rejected, -worth)",
                "Row.of(pair.chosen, -worth), Row.of(pair.rejected, worth)",
            ),
            Mutation("rows in units of their own", '{"unit": index // 2}', '{"unit": index}'),
            Mutation("copg doubles the margin", "return pair.margin / 2", "return pair.margin"),
            Mutation("nash without one half", "math.exp(-pair.margin)) - 0.5", "math.exp(-pair.margin))"),
            Mutation("bfpo doubles the label", "alpha=self.settings.alpha) / 2", "alpha=self.settings.alpha)"),
            Mutation("safety helps", "members=[_without(member, name) for member", "members=[member for member"),
            Mutation(
                "what costs nothing is unsafe",
                "turn.breakdown.get(name, 0.0) >= 0",
                "turn.breakdown.get(name, 0.0) > 0",
            ),
            Mutation("a safe turn is enough", ": all(turn.breakdown", ": any(turn.breakdown"),
            Mutation("any name for safety", "if paid and name not in paid:", "if False:"),
            Mutation("everything accepted", "if self.settings.accept is None:", "if True:"),
            Mutation("no reference", "logprobs[0] - references[0]", "logprobs[0] + 0 * references[0]"),
            Mutation("expert pairs accepted", "pair.require_logprobs()", "pass"),
            Mutation("tempered files accepted", "self.recorded.refuse_tempered([", "list(["),
            Mutation("what is fetched is not seen", "self.recorded.require_plain(episode)", "pass"),
            Mutation("a reference where none is used", " and self.settings.loss not in _WITHOUT_REFERENCE", ""),
            Mutation("tempered reference", "elif self._is_stored and equipment.temperature != 1:", "elif False:"),
            Mutation("nothing replayed", "(*self.past, new)", "(new,)"),
            Mutation("sums for means", 'if settings.mean_logratio and settings.loss != "rpo":', "if False:"),
        ),
    ),
    Module(
        "trainers/grpo.py",
        ("tests/unit/trainers/test_group_trainers.py", "tests/unit/launch/test_settings.py"),
        (
            Mutation("balance without the mean", "[reward - statistics.fmean(rewards) for", "[reward for"),
            Mutation(
                "balance of a row",
                "advantages_N, batch.units_N, beta=self",
                "advantages_N, batch.sequences_N, beta=self",
            ),
            Mutation("balance rows apart", "            unite(episodes)\n", "            pass\n"),
            Mutation(
                "equal rewards balance nothing",
                'if self.settings.loss == "balance" and len(group',
                "if False and len(group",
            ),
            Mutation("nano divides", '**GroupTrainer.nano, "scale_by_std": False}', "**GroupTrainer.nano}"),
            Mutation("nano under a preset", '.isdisjoint(("preset", "set_size"))', '.isdisjoint(("set_size",))'),
            Mutation(
                "nft compares rewards",
                'if settings.loss == "nft":\n            return',
                "if False:\n            return",
            ),
            Mutation(
                "nft's accuracy the wrong way", "gains_N.float() - advantages_N", "gains_N.float() + advantages_N"
            ),
            Mutation("brevity ignored", "if settings.brevity:", "if False:"),
            Mutation("lengths tell nothing apart", "if not self.settings.brevity or", "if True or"),
            Mutation("lengths of everything seen", "[length_of(member) for", "[member.num_tokens for"),
        ),
    ),
    Module(
        "trainers/cory.py",
        ("tests/unit/trainers/test_group_trainers.py",),
        (
            Mutation("both learn from everything", "if row.role == role]", "if True]"),
            Mutation("rewards not shared", "last.reward + other.reward", "last.reward"),
            Mutation("copies count nobody idle", "Lesson(rows, idle=idle)", "Lesson(rows)"),
            Mutation("roles never swapped", "// self.settings.swap_every % 2", "// self.settings.swap_every % 1"),
        ),
    ),
    Module(
        "trainers/mixed.py",
        ("tests/unit/trainers/test_group_trainers.py",),
        (
            Mutation("failures and successes imitated", "if t.ordinal not in shown", "if True"),
            Mutation("demonstrations forgotten", "lesson.rows += demonstrated", "pass"),
            Mutation("mean without idle episodes", "        own += idle\n", ""),
            Mutation("imitated tasks rejected", "if n not in shown}", "if True}"),
            Mutation("share constant", "                update, warmup=", "                0, warmup="),
        ),
    ),
    Module(
        "agentgym/launch/intervals.py",
        ("tests/unit/launch/test_intervals.py",),
        (
            Mutation("nine of ten", "_Z = 1.959963984540054", "_Z = 1.6448536269514722"),
            Mutation("not drawn to the middle", "(share + _Z**2 / (2 * num)) / scale", "share / scale"),
            Mutation("no width at the ends", " + (_Z / (2 * num)) ** 2)", ")"),
            Mutation("tasks of any size count alike", "num**2 / (sizes**2).sum(-1)", "0 * num + tasks"),
            Mutation("the tasks' own mean is free", " * tasks / max(1, tasks - 1)", ""),
            Mutation("worth more than they are", "np.clip(found, least, num)", "np.maximum(found, least)"),
            Mutation("worth less than tasks", "np.clip(found, least, num)", "np.minimum(found, num)"),
            Mutation("all alike is sure", "np.clip(found, least, num), least)", "np.clip(found, least, num), num)"),
            Mutation("lost for won", "change = now - was", "change = was - now"),
            Mutation("no correlation", "- 2 * correlation * one * other", "- 0 * correlation"),
            Mutation("not continuous", "np.maximum(product - num / 2, 0.0)", "product"),
            Mutation("void ones failed", "if was is not None and now is not None]", "]"),
        ),
    ),
    Module(
        "agentgym/lineage.py",
        ("tests/unit/test_lineage.py",),
        (
            Mutation("a fork owns all", "self.own_from.append(turn)", "self.own_from.append(0)"),
            Mutation("each for itself", "line = self._parents[line]", "return line"),
            Mutation("turns count for each line", "num - first for num, first", "num for num, first"),
        ),
    ),
    Module(
        "agentgym/learn/advantages/merged.py",
        ("tests/unit/learn/test_advantages_merged.py",),
        (
            Mutation("the group is everywhere", "if len(in_state[state]) > 1 else mean", "if False else mean"),
            Mutation("no deviation", "if scale and rewards else 1.0", "if False else 1.0"),
            Mutation("one's own return", "by_action[state, action]) - base", "in_state[state]) - base"),
        ),
    ),
)
