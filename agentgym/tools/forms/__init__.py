"""The forms in which families of models write calls of tools into their replies.

A form is a class, a file each family. Which one a policy was taught is read off the text of its chat template
(``form_for``); which one a reply is in shows by its marks (``form_in``).
"""

from __future__ import annotations

from agentgym.tools.forms.deepseek import DeepSeek, DeepSeek31
from agentgym.tools.forms.form import Form
from agentgym.tools.forms.functionary import Functionary, Recipients
from agentgym.tools.forms.hermes import Hermes
from agentgym.tools.forms.llama import Llama
from agentgym.tools.forms.mistral import Mistral, MistralArgs
from agentgym.tools.forms.pythonic import Pythonic
from agentgym.tools.forms.xml import Xml

__all__ = ["FORMS", "Form", "form_for", "form_in"]

FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        DeepSeek(),
        DeepSeek31(),
        Mistral(),
        MistralArgs(),
        Xml(),
        Hermes(),
        Functionary(),
        Recipients(),
        Pythonic(),
        Llama(),
    )
}
"""By name; those with the plainest marks first, in templates as in replies."""


def form_for(template: str) -> Form | None:
    """The form that a chat template with this text teaches; None where it teaches none that is known.

    >>> form_for("… within <tool_call></tool_call> XML tags …").name, form_for("{{ messages }}")
    ('hermes', None)
    """
    return next((form for form in FORMS.values() if form.taught_by(template)), None)


def form_in(text: str) -> Form | None:
    """The form of the calls in ``text``; None where there are none to be seen."""
    return next((form for form in FORMS.values() if form.marked(text)), None)
