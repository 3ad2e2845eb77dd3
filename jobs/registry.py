"""The kinds of work there are: apps register a handler for each in their `tasks.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.module_loading import autodiscover_modules

from jobs.models import Job

if TYPE_CHECKING:
    from datetime import datetime

    from django_stubs_ext import StrOrPromise

    from jobs.work import Work

Handler = Callable[["Work"], "dict[str, Any] | None"]


Ended = Callable[["Sequence[Job]", "datetime"], None]


class UnknownKindError(LookupError):
    """No handler is registered under the kind a job names."""


@dataclass(frozen=True)
class Kind:
    """`is_routine`: its jobs come and go every few seconds, and nobody waits for one."""

    name: str
    title: StrOrPromise
    run: Handler
    queue: str
    max_attempts: int
    is_routine: bool


_kinds: dict[str, Kind] = {}
_listeners: dict[str, Ended] = {}


def job(
    name: str,
    *,
    title: StrOrPromise,
    queue: str = Job.Queue.DEFAULT,
    max_attempts: int = 5,
    is_routine: bool = False,
) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of jobs of kind `name`.

    `title` is what people read on the jobs screen, a lazy translation.

    A handler runs again from the job's cursor after a crash, so each of its steps commits
    its effect and the cursor together (`Work.step`).
    """

    def register(run: Handler) -> Handler:
        _kinds[name] = Kind(
            name=name,
            title=title,
            run=run,
            queue=queue,
            max_attempts=max_attempts,
            is_routine=is_routine,
        )
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


def when_ended(name: str, tell: Ended) -> None:
    """Have `tell(jobs, now)` hear of jobs at their end, in the transaction that ends them."""
    _listeners[name] = tell


def ended(jobs: Sequence[Job], now: datetime) -> None:
    """Tell the listeners of jobs that ended, those of routine kinds left out."""
    told = [job for job in jobs if not _is_routine(job.kind)]
    if told:
        for _name, tell in sorted(_listeners.items()):
            tell(told, now)


def _is_routine(name: str) -> bool:
    try:
        return find(name).is_routine
    except UnknownKindError:
        return False
