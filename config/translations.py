"""Message catalogues by Babel alone, so that nobody needs the gettext programs.

Templates pass through Django's own `templatize`, which leaves the message calls of a
template as code; Python sources are read as they are.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

import django
import unfold
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}
APPS = ("campaigns", "config", "jobs", "privacy", "profiles", "recommendations")
LOCALE = "zh_Hans"
# Of `%` and of `str.format`; `%%` is a percent sign.
PLACEHOLDER = re.compile(r"%\([a-z_]+\)[sd]|%[sd]|%%|\{[a-z_]*\}")


def catalogue_path() -> Path:
    return Path(settings.BASE_DIR) / "locale" / LOCALE / "LC_MESSAGES" / "django.po"


def read() -> Catalog:
    path = catalogue_path()
    if not path.exists():
        return Catalog(locale=LOCALE)
    with path.open("rb") as file:
        return read_po(file, locale=LOCALE)


def extracted() -> Catalog:
    """Every message of the sources; unlike a stored catalogue it holds no translation."""
    found = Catalog(locale=LOCALE)
    root = Path(settings.BASE_DIR)
    for app in APPS:
        for path in sorted((root / app).rglob("*.py")):
            _collect(found, path.read_bytes(), "python")
        for pattern in ("*.html", "*.txt"):
            for path in sorted((root / app).rglob(f"templates/**/{pattern}")):
                source = templatize(path.read_text(encoding="utf-8"), origin=str(path))
                _collect(found, source.encode(), "javascript")
    for message in _of_the_admin_theme():
        found.add(message.id, context=message.context, flags=message.flags)
    return found


def _of_the_admin_theme() -> Iterator[Message]:
    """The theme's messages that neither it nor Django's admin translates."""
    theme = Catalog(locale=LOCALE)
    folder = Path(unfold.__file__).parent
    for path in sorted((folder / "templates").rglob("*.html")):
        source = templatize(path.read_text(encoding="utf-8"), origin=str(path))
        _collect(theme, source.encode(), "javascript")
    for path in sorted([*folder.glob("*.py"), *folder.glob("mixins/*.py")]):
        _collect(theme, path.read_bytes(), "python")
    known: set[object] = set()
    for path in Path(django.__file__).parent.rglob(f"locale/{LOCALE}/LC_MESSAGES/django.po"):
        with path.open("rb") as file:
            known |= {message.id for message in read_po(file, locale=LOCALE)}
    for message in theme:
        if message.id and message.id not in known:
            yield message


def _collect(found: Catalog, source: bytes, method: str) -> None:
    for _line, message, _comments, context in extract(
        method, io.BytesIO(source), keywords=KEYWORDS, options={"encoding": "utf-8"}
    ):
        flags = ("python-format",) if _is_percent_format(message) else ()
        found.add(message, context=context, flags=flags)


def _is_percent_format(message: str | tuple[str, ...]) -> bool:
    text = message if isinstance(message, str) else message[0]
    return "%(" in text or "%s" in text or "%d" in text


def updated() -> Catalog:
    """The stored catalogue with messages of today's sources only, translations kept."""
    stored, fresh = read(), extracted()
    for message in fresh:
        if message.id and (old := stored.get(message.id, message.context)) is not None:
            message.string = old.string
            message.flags |= old.flags & {"fuzzy"}
    return fresh


def write(catalogue: Catalog) -> None:
    path = catalogue_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    write_po(buffer, catalogue, no_location=True, omit_header=True, sort_output=True, width=100)
    path.write_bytes(HEADER + buffer.getvalue())


def missing(catalogue: Catalog) -> list[Message]:
    """Messages without a translation in every plural form."""
    return [message for message in catalogue if message.id and not _translated(message)]


def _translated(message: Message) -> bool:
    strings = _forms(message.string)
    return bool(strings) and all(strings)


def faults(catalogue: Catalog) -> list[str]:
    """What is wrong with translations that are there: a guess, or other placeholders."""
    there = [message for message in catalogue if message.id and _translated(message)]
    guesses = [f"{one.id}: fuzzy, so nobody has looked at it" for one in there if one.fuzzy]
    return guesses + [
        f"{message.id}: has {sorted(named)} in place of {sorted(wanted)}"
        for message in there
        # Of two English forms the plural names all; Chinese has one form for both.
        for wanted in [_placeholders(_forms(message.id)[-1])]
        for named in map(_placeholders, _forms(message.string))
        if named != wanted
    ]


def _forms(text: str | Sequence[str] | None) -> Sequence[str]:
    return [text or ""] if text is None or isinstance(text, str) else text


def doubled() -> list[str]:
    """Entries that the file holds twice, as two merged branches may leave behind."""
    entries = [
        "\n".join(line for line in entry.splitlines() if not line.startswith("#"))
        for entry in catalogue_path().read_text(encoding="utf-8").split("\n\n")
    ]
    ids = [entry.partition("\nmsgstr")[0] for entry in entries if entry.strip()]
    return sorted({one for one in ids if ids.count(one) > 1})


def _placeholders(text: str) -> Counter[str]:
    return Counter(PLACEHOLDER.findall(text))


def compile_catalogue() -> Path:
    """Write the binary catalogue Django reads, whole or not at all; returns its path."""
    target = catalogue_path().with_suffix(".mo")
    with NamedTemporaryFile(dir=target.parent, suffix=".mo.part", delete=False) as file:
        write_mo(file, read())
    Path(file.name).chmod(0o644)
    return Path(file.name).replace(target)


HEADER = b"""msgid ""
msgstr ""
"Language: zh_Hans\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""
