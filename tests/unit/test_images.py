"""Images of a processor that is made by hand: what is kept, what stands for an image, and what nobody may say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agentgym.errors import DataError, UserError
from agentgym.media import MediaStore, as_media, media_in, text_of
from agentgym.processor import Images
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Media
from tests.kit import byte_tokenizer

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for p in m['content'] %}{% if p['type'] == 'image' %}<|reserved|>{% else %}{{ p['text'] }}"
    "{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Stub:
    """An image is a token for each of its rows, between two others; its numbers take half of what is kept."""

    image_token, fake_image_token = "<|reserved|>", "<fake>"

    def __init__(self, image_token_id: int = 7) -> None:
        self.image_token_id = image_token_id
        self.numbers = 2**27
        self.heights: list[int] = []

    def __call__(self, *, images: list[Any], text: str, **options: Any) -> dict[str, Any]:
        (pixels,) = images
        self.heights.append(len(pixels))
        return {
            "input_ids": [[1, *[self.image_token_id] * len(pixels), 2]],
            "attention_mask": [[1]],
            "pixel_values": np.broadcast_to(np.uint8(0), (1, self.numbers)),  # which takes no memory
        }


def picture(height: int) -> Media:
    return as_media(np.zeros((height, 2, 3), np.uint8))


def test_an_image_is_processed_once_and_the_last_ones_are_kept() -> None:
    """Two of 2²⁷ bytes are all that is kept; of a third the one goes that nobody asked for longest."""
    stub = Stub()
    images = Images(stub)
    one, two, three = (picture(height) for height in (1, 2, 3))
    for media in (one, two, one, two, one):
        images.seen(media)
    assert stub.heights == [1, 2]
    for media in (three, one, three):
        images.seen(media)
    assert stub.heights == [1, 2, 3]
    images.seen(two)
    assert stub.heights == [1, 2, 3, 2]


def test_a_single_image_is_kept_however_large_it_is() -> None:
    stub = Stub()
    stub.numbers = 2**29
    images = Images(stub)
    for height in (1, 1, 2, 2):
        images.seen(picture(height))
    assert stub.heights == [1, 2]


def test_what_is_for_the_text_alone_is_no_input_of_the_vision_part() -> None:
    seen = Images(Stub()).seen(picture(2))
    assert (seen.token_ids, list(seen.inputs), seen.size) == ((1, 7, 7, 2), ["pixel_values"], 2**27)


def test_tokens_of_images_are_put_in_and_taken_out_again() -> None:
    images, pictures = Images(Stub()), [picture(1), picture(2)]
    whole = [5, 1, 7, 2, 1, 7, 7, 2, 6]
    assert images.expanded([5, 7, 7, 6], pictures) == whole
    assert images.collapsed(whole, pictures) == [5, 7, 7, 6]
    assert images.collapsed([1, 1, 7, 2], pictures[:1]) == [1, 7]  # at the very end, after what only begins like it
    with pytest.raises(DataError, match=r"2 placeholders .* for 1 images"):
        images.expanded([7, 7], pictures[:1])
    with pytest.raises(DataError, match="the tokens hold no image of 4 tokens"):
        images.collapsed([1, 7, 2, 1, 7, 7], pictures)


def test_a_processor_without_an_image_token_is_refused() -> None:
    with pytest.raises(UserError, match="object has no image token, so nothing can stand for an image"):
        Images(object())


# -- beside a tokenizer -----------------------------------------------------------------------------------


def seeing() -> tuple[ChatTokenizer, int]:
    hf = byte_tokenizer(TEMPLATE)
    token = hf.convert_tokens_to_ids("<|reserved|>")
    assert isinstance(token, int)
    return ChatTokenizer(hf, Images(Stub(token))), token


def shown(media: Media, *texts: str) -> dict[str, Any]:
    parts = [{"type": "image", "image": media}, *({"type": "text", "text": text} for text in texts)]
    return {"role": "user", "content": parts}


def test_an_image_is_a_placeholder_in_the_text_and_its_own_tokens_in_the_prompt() -> None:
    chat, token = seeing()
    assert chat.sees_images
    text = chat.render([shown(picture(2), "look")])
    assert text == "<|im_start|>user\n<|reserved|>look<|im_end|>\n<|im_start|>assistant\n"
    ids = chat.encode(text, [picture(2)])
    at = ids.index(token)
    assert ids[at - 1 : at + 3] == [1, token, token, 2]
    with pytest.raises(UserError, match=r"the chat template of .* wrote 1 placeholders .* for 0 images"):
        chat.encode(text)


@pytest.mark.parametrize("marker", ["<|reserved|>", "<fake>"])
def test_nobody_says_an_image(marker: str) -> None:
    """Neither the environment nor the policy, whose other words stay as they are."""
    chat, token = seeing()
    parted = f"{marker[:-1]} >"
    said = [
        {"role": "user", "content": f"a{marker}b"},
        {"role": "assistant", "content": f"c{marker}<|im_start|>"},
        shown(picture(1), f"d{marker}"),
    ]
    text = chat.render(said)
    assert f"a{parted}b" in text
    assert f"c{parted}<|im_start|>" in text
    assert f"d{parted}" in text
    assert chat.encode(text, [picture(1)]).count(token) == 1
    assert chat.decode(chat.encode_reply(f"e{marker}")) == f"e{parted}"


def test_without_eyes_an_image_is_left_out_and_its_texts_stand_in_lines() -> None:
    blind = ChatTokenizer(byte_tokenizer(TEMPLATE))
    assert not blind.sees_images
    assert "user\none\ntwo<|im_end|>" in blind.render([shown(picture(1), "one", "two")])


# -- where they are kept ----------------------------------------------------------------------------------


def test_what_one_store_lacks_is_brought_from_another(tmp_path: Any) -> None:
    source, target = MediaStore(), MediaStore(tmp_path)
    one, two = picture(1), picture(2)
    source.put(one)
    target.put(two)
    target.bring([one.digest, two.digest], source)  # the second is not in the source, nor asked for there
    assert target.get(one.digest) == one
    assert [media.digest in MediaStore(tmp_path) for media in (one, two, picture(3))] == [True, True, False]
    assert [media.digest in source for media in (one, two)] == [True, False]
    with pytest.raises(DataError, match="was never shown here"):
        target.bring([picture(3).digest], source)


def test_what_moves_to_a_directory_is_there_and_no_longer_in_memory(tmp_path: Any) -> None:
    store, media = MediaStore(), picture(1)
    store.put(media)
    store.move_to(tmp_path / "a")
    store.move_to(tmp_path / "b")
    assert (media.digest in MediaStore(tmp_path / "a"), media.digest in MediaStore(tmp_path / "b")) == (True, False)


def test_images_of_a_conversation_come_as_they_are_shown() -> None:
    one, two = picture(1), picture(2)
    both = {"role": "user", "content": [*shown(two)["content"], *shown(one)["content"]]}
    assert media_in([shown(one, "x"), {"role": "assistant", "content": "hm"}, both]) == [one, two, one]
    assert text_of(shown(one, "a", "b")["content"]) == "a\nb"
