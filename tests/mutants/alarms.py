"""Alarms and reports: bounds, windows, what is advised, what a person reads of a run."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "agentgym/alarms/conditions.py",
        ("tests/unit/alarms/test_conditions.py",),
        (
            Mutation("at the bound", "not statistics.fmean(recent) > bound:", "not statistics.fmean(recent) >= bound:"),
            Mutation(
                "the last one instead of the mean",
                "return Breach(statistics.fmean(recent), bound)\n\n    return",
                "return Breach(recent[-1], bound)\n\n    return",
            ),
            Mutation("at the share that moves", "max(recent) >= settings.moved", "max(recent) > settings.moved"),
            Mutation("the last step alone", "max(recent) >= settings.moved", "recent[-1] >= settings.moved"),
            Mutation("at a rate of 0", ' or lines[-1]["learning_rate"] == 0', ""),
            Mutation(
                "a rise of exactly so much",
                "not seen[1] > seen[0] + settings.rise:",
                "not seen[1] >= seen[0] + settings.rise:",
            ),
            Mutation(
                "a rise by a factor",
                "not seen[1] > seen[0] + settings.rise:",
                "not seen[1] > seen[0] * (1 + settings.rise):",
            ),
            Mutation(
                "one update with equal groups",
                "max(recent) > settings.informative_groups",
                "min(recent) > settings.informative_groups",
            ),
            Mutation(
                "fewer than the bound",
                "max(recent) > settings.informative_groups",
                "max(recent) >= settings.informative_groups",
            ),
            Mutation("any cause", " or _cause(lines, settings) != cause:", ":"),
            Mutation("solved by more than a half", ">= 0.5:\n        return", "> 0.5:\n        return"),
            Mutation(
                "informative at the bound",
                'lines[0]["informative_groups"] > settings',
                'lines[0]["informative_groups"] >= settings',
            ),
            Mutation(
                "fallen where it is the same", 'settings)) < lines[0]["reward"]', 'settings)) <= lines[0]["reward"]'
            ),
            Mutation("lost without a fall", "was_informative and has_fallen", "was_informative"),
            Mutation("lost though it never was", "was_informative and has_fallen", "has_fallen"),
            Mutation(
                "entropy at the bound",
                "not seen[1] < seen[0] * settings.entropy:",
                "not seen[1] <= seen[0] * settings.entropy:",
            ),
            Mutation(
                "solved tasks are no excuse",
                "return None if is_solved else Breach(seen[1], seen[0] * settings.entropy)",
                "return Breach(seen[1], seen[0] * settings.entropy)",
            ),
            Mutation(
                "certain only beyond",
                '"success", settings)) >= settings.solved',
                '"success", settings)) > settings.solved',
            ),
            Mutation("without the window before", "lines[: -settings.window], ", "lines, "),
            Mutation(
                "the KL at its beginning",
                "max(settings.kl_growth * statistics.fmean(before), 0.1 * settings.reference_kl)",
                "settings.kl_growth * statistics.fmean(before)",
            ),
            Mutation(
                "growth at the bound",
                "bound) if statistics.fmean(recent) > bound else",
                "bound) if statistics.fmean(recent) >= bound else",
            ),
            Mutation(
                "the mean gradient",
                "bound) if statistics.median(recent) > bound",
                "bound) if statistics.fmean(recent) > bound",
            ),
            Mutation(
                "gradients of the window itself", "-5 * settings.window : -settings.window]", "-5 * settings.window :]"
            ),
            Mutation("gradients of five windows", "-5 * settings.window :", "-6 * settings.window :"),
            Mutation("gradients of three windows", "-5 * settings.window :", "-4 * settings.window :"),
            Mutation(
                "too few gradients",
                "    if len(before) < settings.window:\n        return None\n    bound",
                "    if not before:\n        return None\n    bound",
            ),
            Mutation(
                "longer replies at the bound",
                "not seen[1] > seen[0] * settings.reply_growth",
                "not seen[1] >= seen[0] * settings.reply_growth",
            ),
            Mutation(
                "shorter replies at the bound",
                "not seen[1] < seen[0] / settings.reply_growth",
                "not seen[1] <= seen[0] / settings.reply_growth",
            ),
            Mutation("old samples may not disagree", ' if line["staleness"] == 0]', "]"),
            Mutation("a stale engine at the bound", "gap > bound else None", "gap >= bound else None"),
            Mutation("no bound is a bound of nothing", "bound is not None and gap > bound", "gap > (bound or 0)"),
            Mutation(
                "the worst look",
                'max(lines, key=lambda line: line["success"])',
                'min(lines, key=lambda line: line["success"])',
            ),
            Mutation(
                "the first look",
                'best, now = max(lines, key=lambda line: line["success"]), lines[-1]',
                "best, now = lines[0], lines[-1]",
            ),
            Mutation(
                "intervals that touch",
                'now["success_high"] < best["success_low"]',
                'now["success_high"] <= best["success_low"]',
            ),
            Mutation(
                "a mere fall",
                'if now["success_high"] < best["success_low"] else',
                'if now["success"] < best["success"] else',
            ),
            Mutation(
                "the reward of the best success",
                'max(lines, key=lambda line: line["reward"])',
                'max(lines, key=lambda line: line["success"])',
            ),
            Mutation("reward without its error", 'now["reward"] + 1.96 * now["reward_error"]', 'now["reward"]'),
            Mutation(
                "the best reward without its error", 'best["reward"] - 1.96 * best["reward_error"]', 'best["reward"]'
            ),
            Mutation("rewards that touch", "if not highest < bound or", "if not highest <= bound or"),
            Mutation("both collapses are told", " or success_collapsed(lines, settings) is not None:", ":"),
            Mutation("one standard error", 'forward_kl"] - 2 * lines', 'forward_kl"] - 1 * lines'),
            Mutation(
                "forgetting at the bound", "not surely > settings.forward_kl", "not surely >= settings.forward_kl"
            ),
            Mutation("a part of a window", "if len(lines) >= num else []", "if lines else []"),
            Mutation("more than a window", "if len(lines) >= num else", "if len(lines) > num else"),
            Mutation(
                "the first update is among the last",
                "_recent(lines[1:], metric, settings)",
                "_recent(lines, metric, settings)",
            ),
        ),
    ),
    Module(
        "agentgym/alarms/rules.py",
        ("tests/unit/alarms/test_rules.py", "tests/unit/alarms/test_conditions.py"),
        (
            Mutation(
                "a higher rate",
                'or lower --trainer.learning_rate",\n    ),\n    Rule(\n        name="steps',
                'or raise --trainer.learning_rate",\n    ),\n    Rule(\n        name="steps',
            ),
            Mutation("fewer tokens", "raise --rollout.max_reply_tokens", "lower --rollout.max_reply_tokens"),
            Mutation(
                "less KL",
                'advice="raise --trainer.kl_coefficient or lower',
                'advice="lower --trainer.kl_coefficient or lower',
            ),
            Mutation("staler still", "lower --max_staleness", "raise --max_staleness"),
            Mutation("the bound of another", "lambda settings: settings.void)", "lambda settings: settings.unshaped)"),
            Mutation("hard is easy", 'condition=equal_groups("solved"),', 'condition=equal_groups("hard"),'),
            Mutation("invalid is truncated", 'condition=risen("invalid")', 'condition=risen("truncated")'),
            Mutation("a look at training", 'stage="validation",\n        condition=forgets', "condition=forgets"),
            Mutation("without what it needs", '        needs=("success",),\n', ""),
            Mutation("without staleness", '        needs=("staleness",),\n', ""),
            Mutation("shrink is explode", "condition=replies_shrink", "condition=replies_explode"),
        ),
    ),
    Module(
        "agentgym/alarms/settings.py",
        ("tests/unit/alarms/test_rules.py",),
        (
            Mutation("any name", "if name not in known:", "if False:"),
            Mutation("the first name only", "for name in names:", "for name in names[:1]:"),
            Mutation("none is ignored", "        return names", "        return []"),
        ),
    ),
    Module(
        "agentgym/alarms/watch.py",
        ("tests/unit/alarms/test_watch.py", "tests/unit/alarms/test_conditions.py"),
        (
            Mutation("every time", "if breach is None or running is not None:", "if breach is None:"),
            Mutation("it never ends", "        if breach is None and running is not None:", "        if False:"),
            Mutation("it ends, and begins no more", "return self._on.pop(rule.name)", "return self._on[rule.name]"),
            Mutation("nobody knows when it ended", '            running.until = line["update"]\n', ""),
            Mutation("it is not kept", "        self.alarms.append(alarm)\n", ""),
            Mutation("it is not known to be on", "        self._on[rule.name] = alarm\n", ""),
            Mutation("ignored ones go off", " if rule.name not in settings.ignore]", "]"),
            Mutation("all stages", 'if rule.stage == line["stage"] and _has', "if _has"),
            Mutation("no advice", "advice=rule.advice,\n        )", 'advice="",\n        )'),
            Mutation(
                "bound and value change places",
                "value=breach.value,\n            threshold=breach.bound,",
                "value=breach.bound,\n            threshold=breach.value,",
            ),
            Mutation("the metric alone", "for name in (rule.metric, *rule.needs))", "for name in (rule.metric,))"),
            Mutation("tokens of an episode", 'line["reply_tokens"] / line["turns"]', 'line["reply_tokens"]'),
            Mutation("turns may be none", 'if line.get("turns", 0) > 0 and', 'if line.get("turns", 0) >= 0 and'),
            Mutation("void over the others", 'line["episodes"] + line["void"])', 'line["episodes"])'),
            Mutation(
                "no episode at all",
                'line["shaping_failures"] / max(1.0, line["episodes"])',
                'line["shaping_failures"] / line["episodes"]',
            ),
            Mutation(
                "episodes are not told",
                'if "episodes" in line and "shaping_failures" in line',
                'if "shaping_failures" in line',
            ),
            Mutation("void episodes count", "if not trajectory.stop_reason.is_void]", "]"),
            Mutation("all tokens", "sample.logprobs[episode.sampled(sample)]", "sample.logprobs[sample.loss_mask]"),
            Mutation("entropy below zero", '{"sampled_entropy": -float(', '{"sampled_entropy": float('),
            Mutation("the least is the first", '"min": min(seen)', '"min": seen[0]'),
            Mutation("the last is the first", '"last": seen[-1]', '"last": seen[0]'),
            Mutation("one metric less", '        "group_deviation",\n', ""),
        ),
    ),
    Module(
        "agentgym/reports/summary.py",
        ("tests/unit/reports/test_summary.py",),
        (
            Mutation(
                "after is before",
                'before, after = report["eval"]["before"], report["eval"]["after"]',
                'after, before = report["eval"]["before"], report["eval"]["after"]',
            ),
            Mutation("intervals that touch are better", "if low > 0:", "if low >= 0:"),
            Mutation("intervals that touch are worse", "if high < 0:", "if high <= 0:"),
            Mutation("better by the mean", "if low > 0:", "if change > 0:"),
            Mutation(
                "sampled is greedy", '("sampled", before, after)', '("sampled", before["greedy"], after["greedy"])'
            ),
            Mutation("greedy is sampled", 'before["greedy"], after["greedy"])', 'before["greedy"], after)'),
            Mutation("before for the expert", 'f" {_success(teacher)} |"', 'f" {_success(was)} |"'),
            Mutation(
                "a verdict on nothing", "if not (said := verdict(report)):", "if (said := verdict(report)) is None:"
            ),
            Mutation(
                "nothing was gained without an update", 'if best == 0 and stages["train"]["updates"]:', "if best == 0:"
            ),
            Mutation("the drift of every look", ' if line["update"] == report.get("best_update")]', "]"),
            Mutation("the first drift is the last", "_drift(looks[-1])", "_drift(looks[0])"),
            Mutation(
                "looks of training", 'line["stage"] == "validation" and "forward_kl" in line', '"forward_kl" in line'
            ),
            Mutation(
                "an end that was none",
                '"to the end" if alarm["until"] is None else',
                '"to the end" if alarm["until"] else',
            ),
            Mutation("a warm start that was none", 'if "warm_start" in stages:', "if stages:"),
            Mutation(
                "one alarm",
                '[_told(alarm) for alarm in report["alarms"]]',
                '[_told(alarm) for alarm in report["alarms"][:1]]',
            ),
            Mutation("minus nothing", "round(look['forward_kl'], 3) + 0.0:.3f", "look['forward_kl']:.3f"),
        ),
    ),
    Module(
        "agentgym/reports/verdict.py",
        ("tests/unit/reports/test_verdict.py",),
        (
            Mutation("intervals that touch are better", 'gain["ci95"][0] > 0]', 'gain["ci95"][0] >= 0]'),
            Mutation("intervals that touch are worse", 'gain["ci95"][1] < 0]', 'gain["ci95"][1] <= 0]'),
            Mutation("a fall is passed over", "    if fell:\n", "    if fell and not rose:\n"),
            Mutation("every interval is sure", "if low > 0 or high < 0 else", "if True else"),
            Mutation("less for more", "if change >= 0 else", "if change < 0 else"),
            Mutation("the first of all is the last", 'best == updates[-1]["update"]', 'best == updates[0]["update"]'),
            Mutation("it went on without rising", 'looks[-1]["success"] > looks[0]["success"]', "True"),
            Mutation("groups that are nobody's", ' if name != "problem"', ""),
            Mutation("a share above", "equal / num >= _SHARE_EQUAL", "equal / num > _SHARE_EQUAL"),
            Mutation("success may rise too", ' and after["success"] <= before["success"]', ""),
            Mutation("entropy below all", "_ENTROPY_LEFT * entropies[0]", "entropies[0]"),
        ),
    ),
    Module(
        "agentgym/reports/curves.py",
        ("tests/unit/reports/test_curves.py",),
        (
            Mutation(
                "training is validation",
                '_plot(panel, metrics, "train", key',
                '_plot(panel, metrics, "validation", key',
            ),
            Mutation("success twice", 'zip(axes[0], ("success", "reward")', 'zip(axes[0], ("success", "success")'),
            Mutation("lower panels always", "num_rows = 1 + any(explained)", "num_rows = 2"),
            Mutation("levels as words", "key=lambda key: int(key.removeprefix(_AT_LEVEL))", "key=None"),
            Mutation("points of every stage", 'if line["stage"] == stage and key in line', "if key in line"),
            Mutation(
                "the last update of any stage",
                'for line in metrics if line["stage"] == "train"), default',
                "for line in metrics), default",
            ),
            Mutation(
                "after is where before is",
                'for x, when in ((0, "before"), (last, "after")):',
                'for x, when in ((0, "before"), (0, "after")):',
            ),
            Mutation(
                "the interval upside down",
                '[[max(0.0, seen["success"] - low)], [max(0.0, high - seen["success"])]]',
                '[[max(0.0, high - seen["success"])], [max(0.0, seen["success"] - low)]]',
            ),
            Mutation("names in every panel", "named=panel is axes[0, 1]", "named=True"),
            Mutation("every name", "if named and index < _MAX_NAMED:", "if named:"),
            Mutation("one name less", "_MAX_NAMED = 6", "_MAX_NAMED = 5"),
            Mutation(
                "the last of an update",
                'names.setdefault(alarm["update"], []).append(alarm["name"].replace("_", " "))',
                'names[alarm["update"]] = [alarm["name"].replace("_", " ")]',
            ),
            Mutation("linear whatever comes", "if highest > _LINEAR:", "if False:"),
            Mutation("figures stay open", "    pyplot.close(figure)\n", ""),
            Mutation("no legend", "        panel.legend(fontsize=8)\n", "        pass\n"),
        ),
    ),
)
