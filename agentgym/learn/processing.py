"""The processor of a model that sees, as it was saved: tokenizer and image processor in one.

Without videos, whose processors need torchvision; images are processed by Pillow where that is not installed.
"""

from __future__ import annotations

from typing import Any

from agentgym.errors import UserError

__all__ = ["load_processor", "sees", "without_videos"]


def sees(config: Any) -> bool:
    """Whether the model of ``config`` is one that is shown images and says text."""
    from transformers import AutoModelForImageTextToText

    return hasattr(config, "vision_config") and type(config) in AutoModelForImageTextToText._model_mapping


def load_processor(source: str, config: Any, tokenizer: Any) -> Any:
    """The processor saved beside the model ``source``, around ``tokenizer``. Raises UserError where there is none."""
    from transformers import AutoImageProcessor
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    known: Any = PROCESSOR_MAPPING
    if type(config) not in known:
        raise UserError(f'transformers knows no processor of "{config.model_type}" models, so they cannot see here')
    still = without_videos(known[type(config)])
    try:
        shown = AutoImageProcessor.from_pretrained(source, trust_remote_code=False)
        parts = {"image_processor": shown, "tokenizer": tokenizer}
        found, _ = still.get_processor_dict(source)
        return still.from_args_and_dict([parts[name] for name in still.get_attributes()], found)
    except (ImportError, KeyError, OSError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f'the model "{source}" sees, and its processor cannot be loaded: {reason}; save it beside the model '
            "(processor.save_pretrained(DIR))"
        ) from None


def without_videos(processor: type[Any]) -> type[Any]:
    """The class ``processor`` with neither need nor use for a video processor."""
    attributes = [name for name in processor.get_attributes() if name != "video_processor"]
    return type(processor.__name__, (processor,), {"get_attributes": classmethod(lambda _: list(attributes))})
