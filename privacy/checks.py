"""System checks: no model that reaches a person may lack a word on what erasing one does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 -- Django's
from django.core.exceptions import FieldDoesNotExist
from django.db.models import ForeignKey, ManyToManyField

from privacy import registry
from privacy.models import Subject
from privacy.registry import Action

if TYPE_CHECKING:
    from django.db.models import Model

HINT = "Declare it in the app's holdings.py: registry.delete, null, aggregate, keep or nobody."


def every_way_to_a_person_is_declared(**_: Any) -> list[CheckMessage]:
    """Walk all models and their relations; see `undeclared`."""
    return list(undeclared(apps.get_models(include_auto_created=True)))


def undeclared(models: list[type[Model]]) -> Iterator[CheckMessage]:
    """Yield a message for each model whose declaration is missing or does not hold.

    `E010`: reaches a person, says nothing. `E011`: has a foreign key to personal data that no
    path of its declaration takes. `E012`: a path that leads nowhere, or that stays open because
    nothing clears it. `W013`: no relation to a
    person, and nothing said of ids kept without one.
    """
    concrete = [model for model in models if not model._meta.proxy and model._meta.managed]
    reaching = _reaching(concrete)
    for model in concrete:
        holding = registry.holding_of(model)
        links = {field.name for field in _relations(model) if field.related_model in reaching}
        if holding is None and links:
            text = f"{model._meta.label} reaches a person by {sorted(links)} and declares nothing."
            yield Error(text, hint=HINT, obj=model, id="privacy.E010")
        elif holding is None:
            text = f"{model._meta.label} does not say whether it holds anything about a person."
            yield Warning(text, hint=HINT, obj=model, id="privacy.W013")
        else:
            yield from _faults(holding, links)


def _faults(holding: registry.Holding, links: set[str]) -> Iterator[CheckMessage]:
    firsts = {path.partition("__")[0] for path in holding.paths}
    taken = firsts | set(holding.clear) | set(holding.through)
    if holding.action is not Action.SHRED and (forgotten := sorted(links - taken)):
        text = f"{holding.label} reaches a person by {forgotten}, which its declaration leaves out."
        yield Error(text, hint=HINT, obj=holding.model, id="privacy.E011")
    if holding.clear and (open_still := sorted(firsts - set(holding.clear))):
        text = f"{holding.label} does not clear {open_still}: its rows stay the person's."
        yield Error(text, obj=holding.model, id="privacy.E012")
    for path in holding.paths:
        if not _leads_to_subject(holding.model, path):
            text = f"{holding.label}: the path {path!r} does not lead to a subject."
            yield Error(text, obj=holding.model, id="privacy.E012")


def _relations(model: type[Model]) -> list[Any]:
    fields = [*model._meta.concrete_fields, *model._meta.local_many_to_many]
    return [field for field in fields if isinstance(field, ForeignKey | ManyToManyField)]


def _reaching(models: list[type[Model]]) -> set[Any]:
    """Every model from which relations lead to Subject, and Subject itself."""
    found: set[Any] = {Subject}
    while True:
        more = {
            model
            for model in models
            if model not in found
            and any(field.related_model in found for field in _relations(model))
        }
        if not more:
            return found
        found |= more


def _leads_to_subject(model: type[Model], path: str) -> bool:
    for name in path.split("__"):
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            return False
        if not isinstance(field, ForeignKey) or not isinstance(field.related_model, type):
            return False
        model = field.related_model
    return model is Subject
