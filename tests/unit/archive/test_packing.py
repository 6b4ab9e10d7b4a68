"""How columns lie in an episode's bytes: what is shared, how narrow numbers are, and what is refused."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from agentgym.archive.packing import pack, unpack
from agentgym.errors import DataError
from agentgym.types import Sample, Trajectory
from tests.kit import episode

COLUMNS = ("token_ids", "loss_mask", "logprobs", "turn_index", "policy_versions")


def sample(ids: list[int], **changes: list[Any]) -> Sample:
    num = len(ids)
    given: dict[str, list[Any]] = {
        "token_ids": ids,
        "loss_mask": [True] * num,
        "logprobs": [-0.5] * num,
        "turn_index": [0] * num,
        "policy_versions": [1] * num,
    }
    return Sample.model_validate({**given, **changes})


def packed(*samples: Sample) -> tuple[dict[str, Any], Trajectory]:
    """How the columns lie, and what comes back."""
    whole = pack(episode(1.0, samples=list(samples)))
    back = unpack(whole)
    assert back.samples == list(samples)
    layout: dict[str, Any] = json.loads(zlib.decompress(whole).split(b"\n", 1)[0])
    return layout, back


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        ([0, 255], "|u1"),
        ([0, 256], "<u2"),
        ([0, 65_535], "<u2"),
        ([0, 65_536], "<i4"),
        ([2**31 - 1], "<i4"),
        ([], "|u1"),
    ],
)
def test_numbers_are_kept_in_the_smallest_type_that_holds_them(ids: list[int], kind: str) -> None:
    layout, back = packed(sample(ids))
    assert layout["arrays"][0] == [kind, len(ids)]
    assert list(back.samples[0].token_ids) == ids


def test_what_a_sample_has_of_the_one_before_it_is_not_kept_again() -> None:
    first = sample([1, 2, 3, 4])
    layout, _ = packed(first, sample([1, 2, 3, 9, 9]), sample([1, 2, 3, 9, 9]), sample([7]), sample([7, 8]))
    assert layout["shared"] == [0, 3, 5, 0, 1]
    assert [layout["arrays"][8 * n] for n in range(5)] == [["|u1", 4], ["|u1", 2], ["|u1", 0], ["|u1", 1], ["|u1", 1]]


@pytest.mark.parametrize("name", COLUMNS)
def test_what_differs_in_any_column_is_not_shared(name: str) -> None:
    other: dict[str, list[Any]] = {
        "token_ids": [1, 2, 9],
        "loss_mask": [True, True, False],
        "logprobs": [-0.5, -0.5, -0.25],
        "turn_index": [0, 0, 1],
        "policy_versions": [1, 1, 2],
    }
    assert packed(sample([1, 2, 3]), sample([1, 2, 3], **{name: other[name]}))[0]["shared"] == [0, 2]


def test_log_probabilities_are_kept_of_what_was_said_alone_unless_others_have_some() -> None:
    mask = [False, True, False, True]
    usual, odd = [0.0, -0.5, 0.0, -0.25], [-3.0, -0.5, 0.0, -0.25]
    for logprobs, kept in ((usual, 2), (odd, 4)):
        layout, back = packed(sample([1, 2, 3, 4], loss_mask=mask, logprobs=logprobs))
        assert layout["arrays"][-1] == ["<f4", kept]
        assert list(back.samples[0].logprobs) == logprobs


def test_what_changes_with_the_turns_is_kept_as_runs() -> None:
    layout, _ = packed(sample([1] * 100, turn_index=[0] * 60 + [1] * 40))
    assert [num for _, num in layout["arrays"]] == [100, 1, 1, 2, 2, 1, 1, 100]


def changed(layout: dict[str, Any], whole: bytes, more: bytes = b"") -> bytes:
    rest = zlib.decompress(whole).split(b"\n", 1)[1]
    return zlib.compress(json.dumps(layout).encode() + b"\n" + rest + more)


def test_a_layout_that_is_not_that_of_its_bytes_is_refused() -> None:
    whole = pack(episode(1.0, samples=[sample([1, 2, 3, 4])]))
    layout = json.loads(zlib.decompress(whole).split(b"\n", 1)[0])
    assert unpack(changed(layout, whole)) == unpack(whole)
    for more, told in ((b"x", "bytes of columns expected"), (b"\n\n", "bytes of columns expected")):
        with pytest.raises(DataError, match=f"^not a packed episode: 26 {told}, {26 + len(more)} found$"):
            unpack(changed(layout, whole, more))
    for arrays in ([["<i4", 1], *layout["arrays"][1:]], [["<u4", 1], *layout["arrays"][1:]], layout["arrays"][:-1]):
        with pytest.raises(DataError, match=r"^not a packed episode: "):
            unpack(changed({**layout, "arrays": arrays}, whole))


def test_types_that_are_not_ours_are_refused_whatever_their_length() -> None:
    whole = pack(episode(1.0, samples=[sample([1, 2, 3, 4])]))
    layout = json.loads(zlib.decompress(whole).split(b"\n", 1)[0])
    for name in ("<u4", "<f4", "|S4", "|O"):
        arrays = [[name, 1], *layout["arrays"][1:]]
        is_ours = name == "<f4"  # as many bytes as four small numbers: then the columns do not fit one another
        told = "not a packed episode: " if is_ours else "22 bytes of columns expected, 26 found"
        with pytest.raises(DataError, match=told):
            unpack(changed({**layout, "arrays": arrays}, whole))


@pytest.mark.parametrize("garbage", [b"", b"garbage", zlib.compress(b""), zlib.compress(b"{}\n{}\n")])
def test_what_is_no_episode_is_refused(garbage: bytes) -> None:
    with pytest.raises(DataError, match=r"^not a packed episode: "):
        unpack(garbage)
