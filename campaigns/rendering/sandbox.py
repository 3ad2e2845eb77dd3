"""Liquid with every limit set: what a marketer writes cannot loop, grow or reach for ever."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from itertools import groupby
from math import prod
from typing import Any, ClassVar

from liquid import BoundTemplate, Environment, Node, StrictUndefined
from liquid.exceptions import (
    BlockNestingError,
    ContextDepthError,
    FilterArgumentError,
    LiquidError,
    LocalNamespaceLimitError,
    LoopIterationLimitError,
    OutputStreamLimitError,
    ResourceLimitError,
    UndefinedError,
    UnknownFilterError,
)

from campaigns.rendering.faults import TemplateError

MAX_SOURCE = 200_000
MAX_OUTPUT = 400_000
MAX_LOOPS = 5_000
MAX_WORK = 20_000_000
MAX_NUMBER = 10**18
_INNER = re.compile(r"__\w+__")
_NEEDS_ESCAPING = frozenset("&<>'\"")
_PATH = re.compile(r"\{\{ (customer|coupon)\.([a-z_]+) \}\}")
FORBIDDEN_TAGS = ("include", "render")
# Tags that leave nothing behind for those after them.
STATELESS = frozenset({"if", "unless", "case", "for", "comment", "raw", "echo"})


class _Sandbox(Environment):
    loop_iteration_limit: ClassVar[int | None] = MAX_LOOPS
    local_namespace_limit: ClassVar[int | None] = MAX_OUTPUT
    output_stream_limit: ClassVar[int | None] = MAX_OUTPUT
    block_nesting_limit: ClassVar[int] = 20
    context_depth_limit: ClassVar[int] = 20

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for name in FORBIDDEN_TAGS:
            del self.tags[name]
        self.filters = {name: _bounded(name, function) for name, function in self.filters.items()}


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a filter call whose result could be huge, for which Liquid's own limits look too late.

    And one that asks for Python's inner names: it would find nothing, and say nothing.
    """

    @wraps(function)
    def guarded(*args: Any, **options: Any) -> Any:
        for arg in (*args[1:], *options.values()):
            if isinstance(arg, str) and _INNER.search(arg):
                raise UndefinedError(f"'{arg}' is undefined", token=None)
        sizes = [len(arg) for arg in args if isinstance(arg, str | list | tuple | range) and arg]
        if prod(sizes) > MAX_WORK or any(isinstance(arg, range) for arg in args):
            raise ResourceLimitError(f"filter {name}", token=None)
        result = function(*args, **options)
        if isinstance(result, int) and abs(result) > MAX_NUMBER:
            raise ResourceLimitError(f"filter {name}", token=None)
        return result

    return guarded


@lru_cache(maxsize=2)
def _environment(*, escape: bool) -> _Sandbox:
    return _Sandbox(undefined=StrictUndefined, autoescape=escape)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A parsed template; `uses` are the paths it reads, such as `customer.full_name`."""

    template: BoundTemplate
    uses: frozenset[str]
    field: str = ""

    def render(self, facts: Mapping[str, object]) -> str:
        """Return the text for `facts`; an unknown variable raises TemplateError naming it."""
        try:
            return self.template.render(facts)
        except LiquidError as error:
            raise _explained(error, self.field) from None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a template; `path` is what it puts out and no more, such as a first name."""

    compiled: Compiled
    is_own: bool
    path: tuple[str, str] | None = None

    def render(self, facts: Mapping[str, Any]) -> str:
        """Return the text for `facts`; raises TemplateError."""
        if self.path is not None:
            value = facts[self.path[0]].get(self.path[1])
            if isinstance(value, str) and _NEEDS_ESCAPING.isdisjoint(value):
                return value
        return self.compiled.render(facts)


def taken_apart(compiled: Compiled, known: Collection[str]) -> list[Piece] | None:
    """Return the template as pieces to be rendered one by one.

    A piece that reads only `known` names is nobody's own, and as long as can be. None
    for a template whose pieces hang on each other, through what a tag remembers.
    """
    whole = compiled.template
    if not STATELESS.issuperset(whole.analyze().tags) or "continue" in str(whole):
        return None
    pieces: list[Piece] = []
    for is_own, nodes in groupby(whole.nodes, key=lambda node: not _reads_only(whole, node, known)):
        together = [*nodes]
        for some in [[node] for node in together] if is_own else [together]:
            piece = replace(compiled, template=_bound(whole, some))
            path = _PATH.fullmatch(str(piece.template)) if is_own else None
            pieces.append(Piece(piece, is_own, (path[1], path[2]) if path else None))
    return pieces


def _reads_only(whole: BoundTemplate, node: Node, known: Collection[str]) -> bool:
    paths = _bound(whole, [node]).global_variable_paths()
    return all(re.split(r"[.\[]", path, maxsplit=1)[0] in known for path in paths)


def _bound(whole: BoundTemplate, nodes: list[Node]) -> BoundTemplate:
    return BoundTemplate(whole.env, nodes)


def compile_template(source: str, *, html: bool, field: str = "") -> Compiled:
    """Parse `source`; with `html`, every value is escaped when it is put in.

    Raises TemplateError for a fault of syntax, an unknown filter or tag, or a source over
    `MAX_SOURCE` characters.
    """
    if len(source) > MAX_SOURCE:
        raise TemplateError("too_long", str(MAX_SOURCE), field=field)
    try:
        template = _environment(escape=html).from_string(source)
        used = frozenset(template.global_variable_paths())
    except LiquidError as error:
        raise _explained(error, field) from None
    return Compiled(template, used, field)


_CODES: tuple[tuple[type[LiquidError], str], ...] = (
    (UndefinedError, "unknown_variable"),
    (UnknownFilterError, "unknown_filter"),
    (LoopIterationLimitError, "endless_loop"),
    (OutputStreamLimitError, "too_much_output"),
    (LocalNamespaceLimitError, "too_much_memory"),
    (BlockNestingError, "too_deep"),
    (ContextDepthError, "too_deep"),
    (ResourceLimitError, "too_much_memory"),
    (FilterArgumentError, "wrong_value"),
)


def _explained(error: LiquidError, field: str) -> TemplateError:
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "syntax")
    where = error.context()
    about = str(error.message)
    if isinstance(error, UndefinedError):
        about = about.removesuffix(" is undefined").strip("'")
    elif isinstance(error, UnknownFilterError):
        about = about.removeprefix("unknown filter ").strip("'")
    elif "range literal length" in about:
        code = "endless_loop"
    return TemplateError(code, about, where[0] if where else None, field=field)
