"""The nano policy: words survive, phrases hide no word that can be said, and the fresh model copies."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.config import validated
from agentgym.errors import ConfigError
from agentgym.learn.nano import NanoConfig, build_model, build_tokenizer
from agentgym.tokenizer import ChatTokenizer

ACTIONS = ["search[blue tent]", "click[b42kx]", "click[< prev]", "click[buy now]", "click[back to search]"]
PAGES = [
    f"Instruction: find me a {color} {thing}, with price lower than {price}.00 dollars [SEP] Back to Search [SEP] "
    f"Page 1 (Total results: 50) [SEP] Next > [SEP] B42KX [SEP] {color} {thing} of canvas [SEP] ${price}.99"
    for color in ("blue", "red", "green")
    for thing in ("tent", "mug", "lamp")
    for price in (10, 20)
]
TOKENIZER = build_tokenizer(PAGES, ACTIONS, NanoConfig())


def round_trip(text: str) -> str:
    return ChatTokenizer(TOKENIZER).decode(ChatTokenizer(TOKENIZER).encode(text))


@pytest.mark.parametrize("action", [*ACTIONS, "click[next >]", "click[$10.99]", "search[zebra-striped 5-pack]"])
def test_an_action_survives(action: str) -> None:
    assert round_trip(action) == action


@settings(max_examples=200, deadline=None)
@given(st.lists(st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True), min_size=1, max_size=6))
def test_any_words_survive_in_an_action(words: list[str]) -> None:
    action = f"search[{' '.join(words)}]"
    assert round_trip(action) == action


def test_a_word_that_the_corpus_lacks_is_spelled() -> None:
    ids = ChatTokenizer(TOKENIZER).encode("xylophon")
    assert "<|unk|>" not in TOKENIZER.convert_ids_to_tokens(ids)
    assert len(ids) > 1
    assert len(ChatTokenizer(TOKENIZER).encode("canvas")) == 1


def test_what_every_page_says_is_one_token_and_hides_no_word_that_was_said() -> None:
    phrases = [token for token in TOKENIZER.get_vocab() if " " in token]
    assert "instruction: find me a" in phrases
    said = {word for action in ACTIONS for word in action.replace("[", " ").replace("]", " ").split()}
    assert {word for phrase in phrases for word in phrase.split()} & (said - {"<"}) == set()
    ids = ChatTokenizer(TOKENIZER).encode(PAGES[0])
    words = [str(TOKENIZER.decode([i])).strip() for i in ids]
    assert [word for word in words if word in ("blue", "tent")] == ["blue", "tent", "blue", "tent"]


def test_a_copied_word_has_the_same_tokens_on_the_page_and_in_the_action() -> None:
    chat = ChatTokenizer(TOKENIZER)
    page, action = chat.encode(PAGES[0]), chat.encode("click[b42kx]")
    word = chat.encode("b42kx")
    assert any(page[i : i + len(word)] == word for i in range(len(page)))
    assert any(action[i : i + len(word)] == word for i in range(len(action)))


def test_an_observation_cannot_say_a_special_token() -> None:
    chat = ChatTokenizer(TOKENIZER)
    evil = "".join(TOKENIZER.all_special_tokens)
    ids = chat.encode(chat.render([{"role": "system", "content": evil}, {"role": "user", "content": evil}]))
    special = [token for token in TOKENIZER.convert_ids_to_tokens(ids) if token in TOKENIZER.all_special_tokens]
    assert special == ["<|sys|>", "<|obs|>", "<|act|>"]


def test_a_reply_ends_with_the_end_token() -> None:
    chat = ChatTokenizer(TOKENIZER)
    assert chat.stop_token_ids == (TOKENIZER.convert_tokens_to_ids("<|end|>"),)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_fresh_model_copies_what_followed_before(seed: int) -> None:
    """After A B … A it ranks B first far more often than one time in 200."""
    model = build_model(200, NanoConfig(), seed=seed)
    rng = torch.Generator().manual_seed(seed)
    hits = 0
    for _ in range(100):
        ids = 6 + torch.randperm(194, generator=rng)[:24]
        at = int(torch.randint(0, 22, (), generator=rng))
        with torch.inference_mode():
            logits = model(torch.cat([ids, ids[at : at + 1]])[None]).logits[0, -1]
        hits += int(logits.argmax()) == int(ids[at + 1])
    assert hits >= 50


def test_the_seed_alone_decides_the_weights() -> None:
    state = torch.get_rng_state()
    one, again = (build_model(64, NanoConfig(width=16), seed=3).state_dict() for _ in range(2))
    other = build_model(64, NanoConfig(width=16), seed=4).state_dict()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["model.embed_tokens.weight"], other["model.embed_tokens.weight"])
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(("pages", "is_one"), [(11, False), (12, True)])
def test_what_an_eighth_of_the_pages_say_is_one_token(pages: int, is_one: bool) -> None:
    """12 of 100, to be exact; and it counts once a page, however often the page says it."""
    texts = [f"alpha beta w{i} alpha beta" if i < pages else f"v{i} u{i}" for i in range(100)]
    assert ("alpha beta" in build_tokenizer(texts, [], NanoConfig()).get_vocab()) == is_one


def test_what_was_said_and_amounts_stay_words_of_their_own() -> None:
    texts = ["open the red door for $5.00 now"] * 9
    phrases = {token for token in build_tokenizer(texts, ["red"], NanoConfig()).get_vocab() if " " in token}
    assert phrases == {"open the", "door for"}


def test_the_most_frequent_words_are_kept() -> None:
    texts = ["often seldom", "often", "often rarely", "seldom"]
    base = len(build_tokenizer(texts, [], NanoConfig(max_vocabulary=1)))
    words = [set(build_tokenizer(texts, [], NanoConfig(max_vocabulary=base + n)).get_vocab()) for n in (0, 1, 2)]
    assert [{"often", "seldom", "rarely"} & found for found in words] == [set(), {"often"}, {"often", "seldom"}]


def test_a_model_has_the_size_that_was_asked_for() -> None:
    asked = NanoConfig(width=16, layers=3, heads=4, feed_forward=20, max_context=99)
    config = build_model(64, asked, seed=0).config
    found = (config.hidden_size, config.num_hidden_layers, config.num_attention_heads, config.intermediate_size)
    assert (*found, config.max_position_embeddings, config.vocab_size) == (16, 3, 4, 20, 99, 64)
    assert config.eos_token_id == TOKENIZER.eos_token_id


def test_vocabulary_is_bounded_but_never_below_single_characters() -> None:
    small = build_tokenizer(PAGES, ACTIONS, NanoConfig(max_vocabulary=1))
    assert len(small) < len(TOKENIZER)
    assert small.decode(small.encode("click[canvas]", add_special_tokens=False)) == "click[canvas]"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"width": 30, "heads": 4}, "width 30 must be a multiple of twice the heads"),
        ({"width": 10}, "width 10 must be a multiple of twice the heads"),
        ({"image_size": 36}, "image_size 36 must be a multiple of patch_size"),
        ({"layers": 1}, "model.layers"),
        ({"heads": 1}, "model.heads"),
        ({"feed_forward": 0}, "model.feed_forward"),
        ({"max_context": 0}, "model.max_context"),
        ({"widht": 32}, 'Did you mean "width"'),
    ],
)
def test_a_size_that_cannot_be_is_refused(changes: dict[str, int], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        validated(NanoConfig, changes, where="model")


def test_an_environment_may_show_nothing() -> None:
    assert len(build_tokenizer(["", " ", "Go."], [""], NanoConfig())) > 100
