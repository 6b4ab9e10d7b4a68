"""Which episodes meet what was asked for, in which order, and what cannot be asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentgym.archive import Archive, Criteria
from agentgym.errors import UserError
from agentgym.types import StopReason
from tests.kit import episode

EPISODES = [
    episode(0.0, episode_id="a", task=7, split="train", stage="train", update=1, ordinal=0, group_id="g"),
    episode(0.5, episode_id="b", task="7", split="test", level=2.0, strength=0.5, role="expert"),
    episode(1.0, 1.0, episode_id="c", task="x%", success=True, level=4.0, parent_id="a"),
    episode(stop=StopReason.ENV_ERROR, episode_id="d", error="The Server is gone", group_id="g"),
    episode(0.5, stop=StopReason.TURN_LIMIT, episode_id="e", env="other"),
]
EPISODES[1].turns[0].error = "no such door"
EPISODES[4].turns[0].error, EPISODES[4].turns[0].action = "no action", None


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with Archive(tmp_path_factory.mktemp("archive")) as made:
        made.append(EPISODES)
        yield made


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", "abcde"),
        ("task=7", "ab"),
        ("task=x%", "c"),
        ("task=x", ""),
        ("env=other", "e"),
        ("split=train", "a"),
        ("stage=train", "a"),
        ("update=1", "a"),
        ("ordinal=0", "a"),
        ("role=expert", "b"),
        ("group_id=g", "ad"),
        ("episode_id=c", "c"),
        ("stop_reason=turn_limit", "e"),
        ("success=true", "c"),
        ("success=false", "abde"),
        ("void=true", "d"),
        ("void=false", "abce"),
        ("truncated=true", "e"),
        ("truncated=false", "abcd"),
        ("invalid=true", "be"),
        ("invalid=false", "acd"),
        ("branched=true", "c"),
        ("branched=false", "abde"),
        ("error=server", "d"),
        ("error=%", ""),
        ("min_reward=0.5", "bce"),
        ("max_reward=0.5", "abde"),
        ("min_level=3", "c"),
        ("max_level=3", "b"),
        ("min_strength=0.5", "b"),
        ("max_strength=0.4", "acde"),
        ("min_num_turns=2", "c"),
        ("max_num_turns=0", "d"),
        ("max_num_tokens=0", "abcde"),
        ("min_num_tokens=1", ""),
        ("after=3", "de"),
        ("success=false&min_reward=0.5", "be"),
        ("split=", "abcde"),
        ("order=reward&descending=true", "cbead"),
        ("order=num_turns", "dabec"),
    ],
)
def test_those_are_found_that_meet_it(asked: str, found: str, archive: Archive) -> None:
    criteria = Criteria.of(dict(pair.split("=") for pair in asked.split("&") if pair))
    assert "".join(card.episode_id for card in archive.browse(criteria)) == found
    assert archive.tally(criteria) == len(found)


def test_a_page_is_part_of_the_whole(archive: Archive) -> None:
    pages = [archive.browse(Criteria(order="reward"), offset=at, limit=2) for at in (0, 2, 4, 6)]
    assert ["".join(card.episode_id for card in page) for page in pages] == ["ad", "be", "c", ""]


def test_values_are_counted_the_most_frequent_first(archive: Archive) -> None:
    assert archive.values("env") == {"toy": 4, "other": 1}
    assert archive.values("update") == {1: 1}
    with pytest.raises(TypeError, match="cannot be asked for by packed"):
        archive.values("packed")


def test_groups_are_told_with_their_first_and_last_number(archive: Archive) -> None:
    assert archive.groups(Criteria()) == (2, [(1, 1, 1), (4, 4, 1)])  # of one name, in two stages
    assert archive.groups(Criteria(), offset=1, limit=1) == (2, [(4, 4, 1)])
    assert archive.groups(Criteria(void=True)) == (1, [(4, 4, 1)])
    assert archive.groups(Criteria(branched=True)) == (0, [])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"color": "red"}, "episodes cannot be filtered by color, but by env, split, stage"),
        ({"success": "perhaps"}, "success is 'perhaps': Input should be a valid boolean"),
        ({"stop_reason": "tired"}, "stop_reason is 'tired': Input should be 'terminated'"),
        ({"order": "packed"}, "order is 'packed'"),
        ({"order": 'number"; DROP TABLE cards'}, "order is"),
    ],
)
def test_what_cannot_be_asked_for_is_told(given: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Criteria.of(given)
