"""The kinds of work there are: apps register a handler for each in their `tasks.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.module_loading import autodiscover_modules

from jobs.models import Job

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from jobs.work import Work

Handler = Callable[["Work"], "dict[str, Any] | None"]


class UnknownKindError(LookupError):
    """No handler is registered under the kind a job names."""


@dataclass(frozen=True)
class Kind:
    name: str
    title: StrOrPromise
    run: Handler
    queue: str
    max_attempts: int


_kinds: dict[str, Kind] = {}


def job(
    name: str,
    *,
    title: StrOrPromise,
    queue: str = Job.Queue.DEFAULT,
    max_attempts: int = 5,
) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of jobs of kind `name`.

    `title` is what people read on the jobs screen, a lazy translation.

    A handler runs again from the job's cursor after a crash, so each of its steps commits
    its effect and the cursor together (`Work.step`).
    """

    def register(run: Handler) -> Handler:
        _kinds[name] = Kind(name=name, title=title, run=run, queue=queue, max_attempts=max_attempts)
        return run

    return register


def find(name: str) -> Kind:
    """Return the kind of that name; the apps' `tasks.py` are loaded on first use."""
    if name not in _kinds:
        autodiscover_modules("tasks")
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownKindError(f"no handler is registered for jobs of kind {name!r}") from None


def titles() -> dict[str, str]:
    """Return what people read for each kind, by its name."""
    autodiscover_modules("tasks")
    return {name: str(kind.title) for name, kind in sorted(_kinds.items())}


def title_of(name: str) -> str:
    """Return what people read for a kind; its name if it is no longer registered."""
    try:
        return str(find(name).title)
    except UnknownKindError:
        return name
