"""What each view says of a run that was written by hand, and what it says of what it does not take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentgym import store
from agentgym.archive import Card
from agentgym.errors import DataError, UserError
from agentgym.ledger import Entry
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import StopReason
from agentgym.viewer import Sources, answer
from agentgym.viewer import episodes as looking
from agentgym.viewer.groups import why
from agentgym.viewer.tokens import _words, advantages_in
from agentgym.viewer.views import VIEWS, asked
from tests.kit import byte_tokenizer, episode
from tests.unit.viewer.kit import add, made, opened, plain, spoken


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[Sources]:
    with opened(made(tmp_path)) as sources:
        yield sources


def numbers(found: Any) -> list[int]:
    return [row["number"] for row in found["rows"]]


# -- questions -------------------------------------------------------------------------------------------


def test_a_question_is_a_name_with_values_as_in_an_address(sources: Sources) -> None:
    assert numbers(asked(sources, "episodes?success=true&split=train")) == [3]
    assert asked(sources, "episodes") == answer(sources, "episodes", {})


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("episode", r"episode: number is missing; type it behind the name of the view: \?number=…"),
        ("episodes?limit=none", "episodes: limit is 'none': Input should be a valid integer"),
        ("episodes?limit=0", "greater than or equal to 1"),
        ("episodes?run=1", "run is 1, expected one of 0 to 0, as they stand in the command"),
        ("episodes?color=red", "cannot be filtered by color, but by env, split"),
        ("episodes?min_reward=much", "min_reward is 'much': Input should be a valid number"),
        ("curves?number=1", "number"),
        ("episods", 'there is no view "episods". Did you mean "episodes"'),
        ("search?text=[&is_regex=true", r'"\[" is no regular expression'),
        ("text?number=1&turn=9", "turn is 9, which episode number 1 does not have"),
        ("runs?run=0", "runs: run"),
        ("episodes?run=-1", "run is -1, expected one of 0 to 0"),
        ("search?text=", "search: text is '': String should have at least 1 character"),
        ("compare", "one run is open, and two are compared"),
    ],
)
def test_what_is_not_taken_is_told(question: str, said: str, sources: Sources) -> None:
    with pytest.raises(UserError, match=said):
        asked(sources, question)


@pytest.mark.parametrize("question", ["episode?number=99", "tokens?number=99", "group?number=5000", "tree?number=0"])
def test_an_episode_that_is_not_there_is_told(question: str, sources: Sources) -> None:
    with pytest.raises(DataError, match="has no episode number"):
        asked(sources, question)


def test_every_view_is_json(sources: Sources) -> None:
    given = {"text": {"number": "1", "turn": "0"}, "search": {"text": "seen"}, "task": {"task": "7"}}
    for name in VIEWS.keys() - {"compare"}:
        values = given.get(name, {"number": "3"} if name in ("episode", "tokens", "group", "tree") else {})
        found = answer(sources, name, values)
        assert plain(found) == found, name


# -- runs ------------------------------------------------------------------------------------------------


def test_a_run_says_what_it_is_and_how_far_it_came(sources: Sources) -> None:
    (run,) = answer(sources, "runs", {})
    told = {name: run[name] for name in ("name", "env", "trainer", "seed", "episodes", "update", "updates", "success")}
    assert told == {
        "name": "run",
        "env": "toy",
        "trainer": "grpo",
        "seed": 3,
        "episodes": 6,
        "update": 1,
        "updates": 2,
        "success": 0.5,
    }
    assert (run["finished"], run["going_on"], run["is_run"]) == (False, True, True)


def test_curves_are_by_stage_and_metric(sources: Sources) -> None:
    stages = answer(sources, "curves", {})["stages"]
    assert stages["train"] == {"success": [[1, 0.25]], "reward": [[1, 0.75]], "clip_fraction": [[1, 0.25]]}
    assert stages["validation"]["success_high"] == [[1, 0.75]]


def test_a_number_that_is_none_is_in_no_curve(tmp_path: Path) -> None:
    from agentgym.run import Run

    directory = made(tmp_path)
    Run.open(directory).log("train", 2, reward=float("nan"), success=1.0)
    with opened(directory) as sources:
        train = answer(sources, "curves", {})["stages"]["train"]
    assert (train["reward"], train["success"]) == ([[1, 0.75]], [[1, 0.25], [2, 1.0]])


def test_the_pulse_grows_with_what_is_written(tmp_path: Path) -> None:
    directory = made(tmp_path)
    with opened(directory) as sources:
        ((size, last),) = answer(sources, "pulse", {})
        add(directory, [episode(1.0, episode_id="more")])
        assert answer(sources, "pulse", {}) == [[size, last + 1]]
        assert answer(sources, "episodes", {"episode_id": "more"})["rows"][0]["number"] == last + 1


def test_a_run_without_an_episode_yet_is_shown(tmp_path: Path) -> None:
    from agentgym.run import Run
    from tests.unit.viewer.kit import CONFIG

    Run.create(tmp_path / "new", CONFIG)
    with opened(tmp_path / "new") as sources:
        assert answer(sources, "episodes", {}) == {"total": 0, "offset": 0, "rows": []}
        assert answer(sources, "runs", {})[0]["episodes"] == 0
        assert answer(sources, "pulse", {}) == [[0, 0]]


# -- what is opened --------------------------------------------------------------------------------------


def test_a_directory_of_runs_is_all_of_them(tmp_path: Path) -> None:
    for name in ("b", "a"):
        made(tmp_path, name=name)
    with opened(tmp_path) as sources:
        assert [run["name"] for run in answer(sources, "runs", {})] == ["a", "b"]


def test_lines_of_json_are_asked_as_an_archive_is(tmp_path: Path) -> None:
    store.append(tmp_path / "e.jsonl", [episode(float(n), episode_id=str(n)) for n in range(3)])
    with opened(tmp_path / "e.jsonl") as sources:
        assert numbers(answer(sources, "episodes", {"min_reward": "1"})) == [2, 3]
        assert answer(sources, "episode", {"number": "1"})["play_from"] == ""
        assert answer(sources, "curves", {}) == {"stages": {}, "alarms": []}


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no .*nothing; expected a run, an archive of episodes or a JSONL"):
        Sources.open([tmp_path / "nothing"])
    with pytest.raises(DataError, match="there are no episodes in"):
        Sources.open([tmp_path])


# -- episodes --------------------------------------------------------------------------------------------


def test_pages_do_not_overlap_and_the_total_is_of_all(sources: Sources) -> None:
    pages = [answer(sources, "episodes", {"offset": str(at), "limit": "4"}) for at in (0, 4)]
    assert [numbers(page) for page in pages] == [[1, 2, 3, 4], [5, 6]]
    assert [page["total"] for page in pages] == [6, 6]


def test_facets_are_the_values_and_bounds_that_there_are(sources: Sources) -> None:
    found = answer(sources, "facets", {})
    assert found["values"]["stage"] == [["train", 5], ["after", 1]]
    assert found["bounds"]["reward"] == [0, 1]
    assert found["bounds"]["level"] is None


def test_seeds_are_text_for_a_page_has_no_numbers_of_that_size(tmp_path: Path) -> None:
    long = 2**63 + 1
    with opened(made(tmp_path, [episode(1.0, episode_id="long", seed=long)])) as sources:
        found = answer(sources, "episode", {"number": "7"})
    assert (found["card"]["seed"], found["about"]["seed"]) == (str(long), str(long))


def test_messages_are_searched_in_words_and_by_pattern(tmp_path: Path) -> None:
    with opened(made(tmp_path, [spoken("open the (door)", "go", episode_id="door")])) as sources:
        (found,) = answer(sources, "search", {"text": "THE (door"})["rows"]
        assert (found["number"], found["hit"]["turn"], found["hit"]["field"]) == (7, 0, "reply")
        hit = found["hit"]
        assert hit["text"][hit["start"] : hit["end"]] == "the (door"
        assert numbers(answer(sources, "search", {"text": "(o|x)pen", "is_regex": "true"})) == [7]
        assert numbers(answer(sources, "search", {"text": "it broke"})) == [5]
        add(sources.at(0).path, [spoken("x" * 100 + "far away" + "y" * 100, episode_id="far")])
        (far,) = (row["hit"] for row in answer(sources, "search", {"text": "far away"})["rows"])
        assert (far["text"][far["start"] : far["end"]], len(far["text"])) == ("far away", 128)
        assert numbers(answer(sources, "search", {"text": "seen", "success": "true"})) == [3, 6]


def test_a_search_goes_on_where_it_was_left(sources: Sources) -> None:
    first = answer(sources, "search", {"text": "seen 0", "limit": "2"})
    assert (numbers(first), first["next"], first["total"]) == ([1, 2], 2, 6)
    rest = answer(sources, "search", {"text": "seen 0", "offset": str(first["next"])})
    assert (numbers(rest), rest["next"]) == ([3, 4, 6], None)


def test_a_pattern_without_an_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "_PATIENCE", 0.05)
    with (
        opened(made(tmp_path, [spoken("x" * 4000, episode_id="long")])) as sources,
        pytest.raises(UserError, match="takes too long; make it simpler"),
    ):
        answer(sources, "search", {"text": "(x+x+)+y", "is_regex": "true", "episode_id": "long"})


# -- an episode ------------------------------------------------------------------------------------------


def test_turns_come_in_pages_and_the_end_with_the_last(tmp_path: Path) -> None:
    long = spoken(*map(str, range(5)), episode_id="long", final_observation="over")
    with opened(made(tmp_path, [long])) as sources:
        first, last = (answer(sources, "episode", {"number": "7", "first": first, "num": "3"}) for first in ("0", "3"))
    assert [turn["reply"] for turn in first["turns"]] == ["0", "1", "2"]
    assert (first["end"], [turn["turn"] for turn in last["turns"]]) == (None, [3, 4])
    assert last["end"] == {"observation": "over", "letters": 4}
    assert first["play_from"] == f"agentgym play toy --from {tmp_path}/run 7 TURN"


def test_a_long_message_is_cut_and_told_in_full_when_asked(tmp_path: Path) -> None:
    said = "".join(map(str, range(9000)))
    with opened(made(tmp_path, [spoken(said, episode_id="long")])) as sources:
        (turn,) = answer(sources, "episode", {"number": "7"})["turns"]
        assert (turn["reply"], turn["reply_letters"]) == (said[:6000], len(said))
        asked_for = {"number": "7", "turn": "0", "field": "reply", "letters": "20000"}
        part = answer(sources, "text", {**asked_for, "start": "6000"})
        assert (part["text"], part["next"], part["letters"]) == (said[6000:26000], 26000, len(said))
        assert answer(sources, "text", {**asked_for, "start": "26000"})["next"] is None


# -- tokens ----------------------------------------------------------------------------------------------


def test_tokens_are_told_by_turn_with_mask_and_version(tmp_path: Path) -> None:
    with opened(made(tmp_path, [spoken("a", "b", episode_id="s")])) as sources:
        found = answer(sources, "tokens", {"number": "7", "first": "1"})
    (turn,) = found["turns"]
    assert (turn["turn"], turn["ids"], turn["mask"]) == (1, [10, 11, 12, 13], [0, 0, 1, 1])
    assert (turn["logprobs"], turn["versions"]) == ([0.0, 0.0, -0.5, -0.5], [-1, -1, 1, 1])
    assert (turn["words"], turn["advantage"], found["has_advantages"]) == (None, None, False)


def test_advantages_are_rewards_less_the_group_s_mean_by_turn(sources: Sources) -> None:
    with sources.at(0).asking() as archive:
        whole, fork = (advantages_in(archive, archive.card(number)) for number in (3, 4))
        assert advantages_in(archive, archive.card(5)) is None
    assert (whole, fork) == ([0.0, 0.25], [0.0, -0.25])


def test_a_void_member_has_no_advantage(tmp_path: Path) -> None:
    void = episode(stop=StopReason.DEADLINE, episode_id="w", group_id="1-1", update=1, stage="train", split="train")
    with opened(made(tmp_path, [void])) as sources, sources.at(0).asking() as archive:
        assert advantages_in(archive, archive.card(7)) is None
        assert advantages_in(archive, archive.card(3)) == [0.0, 0.25]


def test_a_token_is_what_it_adds_to_the_one_before() -> None:
    class Words:
        def decode(self, ids: list[int], **_: bool) -> str:
            return " ".join("abc"[token] for token in ids)

    sample = spoken("x").samples[0].model_copy(update={"token_ids": np.array([0, 1, 2, 0], np.int32)})
    assert _words(Words(), {"at": [0, 1, 3], "ids": [0, 1, 0]}, sample) == ["a", " b", " a"]


def test_the_words_of_tokens_are_those_of_the_run_s_tokenizer(tmp_path: Path) -> None:
    made_with = ChatTokenizer(byte_tokenizer())
    ids = made_with.hf.encode("hi, you", add_special_tokens=False)
    said = spoken("hi", episode_id="s", tokenizer=made_with.fingerprint)
    said.samples[0].token_ids[:] = (ids * 4)[:4]
    directory = made(tmp_path, [said])
    with opened(directory) as sources:
        assert answer(sources, "tokens", {"number": "7"})["turns"][0]["words"] is None
        made_with.hf.save_pretrained(directory / "policy")
        assert "".join(answer(sources, "tokens", {"number": "7"})["turns"][0]["words"]) == "hi, "


# -- groups, tasks, trees --------------------------------------------------------------------------------


def test_groups_say_why_they_taught_nothing(sources: Sources) -> None:
    equal, branched, void = answer(sources, "groups", {})["rows"]
    assert (equal["fate"], equal["taught"], equal["rewards"]) == ("rejected", False, [0.5, 0.5])
    assert [each["reason"] for each in equal["why"]] == ["equal rewards", "clipped"]
    assert (branched["fate"], branched["taught"], branched["branched"]) == ("trained", True, 1)
    assert [each["reason"] for each in void["why"]] == ["void", "too few"]
    assert void["why"][0]["detail"] == "1 of 1 do not count: it broke"


@pytest.mark.parametrize(("taught", "expected"), [("true", [3]), ("false", [1, 5])])
def test_groups_are_chosen_by_whether_they_taught(taught: str, expected: list[int], sources: Sources) -> None:
    assert numbers(answer(sources, "groups", {"taught": taught})) == expected


def test_the_ledger_s_reason_comes_first_and_one_is_no_group() -> None:
    cards = [Card.of(episode(reward, episode_id=f"{reward}")) for reward in (0.0, 1.0)]
    entry = Entry(ordinal=4, task=0, update=1, fate="rejected", reason="not shaped")
    assert why(cards, entry=entry) == [{"reason": "not shaped", "detail": "the ledger says so of ordinal 4"}]
    assert why(cards) == []
    assert [each["reason"] for each in why(cards[:1])] == ["too few"]


def test_the_group_of_an_episode_is_found_from_any_member(sources: Sources) -> None:
    found = answer(sources, "group", {"number": "4"})
    assert [member["number"] for member in found["members"]] == [3, 4]
    masked = answer(sources, "group", {"number": "2"})
    assert masked["why"][-1] == {"reason": "masked", "detail": "2 of 2 have no token with a loss"}


def test_fates_are_counted_by_update(sources: Sources) -> None:
    found = answer(sources, "gradient", {})
    assert found["all"] == {"equal rewards": 1, "trained": 1}
    assert found["updates"] == [{"update": 1, "fates": {"equal rewards": 1, "trained": 1}, "clip_fraction": 0.25}]


def test_a_task_is_told_of_all_runs(tmp_path: Path) -> None:
    runs = [made(tmp_path, name=name) for name in ("a", "b")]
    with opened(*runs) as sources:
        found = answer(sources, "task", {"task": "7"})
    assert [[row["number"] for row in run["rows"]] for run in found["runs"]] == [[1, 2, 6], [1, 2, 6]]


def test_two_runs_are_compared_task_by_task(tmp_path: Path) -> None:
    lost = episode(0.0, episode_id="u", group_id="sampled-1", stage="after", split="test", task=8)
    won = lost.model_copy(update={"success": True})
    with opened(made(tmp_path, [lost], name="a"), made(tmp_path, [won], name="b")) as sources:
        (found,) = answer(sources, "compare", {})
    assert (found["how"], found["tasks"], found["difference"]) == ("sampled", 2, 0.5)
    assert [(row["task"], row["difference"]) for row in found["by_task"]] == [(7, 0.0), (8, 1.0)]


def test_a_tree_has_boxes_with_places_and_where_to_look(sources: Sources) -> None:
    (row,) = answer(sources, "trees", {})["rows"]
    assert (row["group_id"], row["lines"], row["branched"], row["best"]) == ("1-1", 2, 1, 1.0)
    found = answer(sources, "tree", {"number": str(row["number"])})
    root, trunk, *leaves = found["boxes"]
    assert (root["parent"], trunk["parent"], [leaf["parent"] for leaf in leaves]) == (None, 0, [1, 1])
    assert [leaf["see"] for leaf in leaves] == [{"number": 3, "turn": 1}, {"number": 4, "turn": 1}]
    assert [leaf["is_best"] for leaf in leaves] == [True, False]
    assert leaves[1]["ends"] == [{"text": "1-1-1: 0.50", "number": 4}]
