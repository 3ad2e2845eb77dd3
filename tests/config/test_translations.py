"""The gate of the catalogue: nothing missing, guessed, doubled, or with other placeholders."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from django.core.management import CommandError, call_command
from pytest_django import Settings

from config import translations

ENTRY = 'msgid "Cancel"\nmsgstr "%s"\n'


def catalogue(message: str | tuple[str, str], translated: str, *flags: str) -> Catalog:
    made = Catalog(locale=translations.LOCALE)
    made.add(message, (translated,) if isinstance(message, tuple) else translated, flags=flags)
    return made


@pytest.fixture
def stored(settings: Settings, tmp_path: Path) -> Path:
    """The place of the catalogue in a checkout without sources."""
    settings.BASE_DIR = tmp_path
    path = translations.catalogue_path()
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize(
    ("message", "translated"),
    [
        ("%(n)d orders of %(day)s", "%(n)d 个订单"),
        ("%(n)d orders", "%(m)d 个订单"),
        ("%s of %s", "共 %s"),
        ("Dear {name}", "尊敬的 {first_name}"),
        ("50%% of %(n)d", "%(n)d 的 50%"),
        (("One order of %(day)s", "%(n)d orders of %(day)s"), "%(day)s 的订单"),
    ],
)
def test_a_translation_with_other_placeholders_is_wrong(
    message: str | tuple[str, str], translated: str
) -> None:
    (fault,) = translations.faults(catalogue(message, translated))
    assert "in place of" in fault


@pytest.mark.parametrize(
    ("message", "translated"),
    [
        ("%(n)d of %(day)s", "%(day)s：%(n)d"),
        (("One order", "%(n)d orders"), "%(n)d 个订单"),
        ("No placeholder", "没有"),
        ("Not translated: %(n)d", ""),
    ],
)
def test_order_may_change_and_one_chinese_form_serves_both_english_ones(
    message: str | tuple[str, str], translated: str
) -> None:
    assert translations.faults(catalogue(message, translated)) == []


def test_a_guess_is_not_a_translation() -> None:
    (fault,) = translations.faults(catalogue("Cancel", "取笑", "fuzzy"))
    assert "fuzzy" in fault


def test_a_mark_of_a_guess_outlives_the_next_update(stored: Path) -> None:
    stored.write_text("#, fuzzy\n" + ENTRY % "取笑", encoding="utf-8")
    # `Cancel` is a message of the admin theme, which is read whatever BASE_DIR holds.
    assert [m.id for m in translations.updated() if m.id and m.fuzzy] == ["Cancel"]


def test_an_entry_that_two_branches_brought_is_told(stored: Path) -> None:
    stored.write_text(f"{ENTRY % '取消'}\n#, python-format\n{ENTRY % '取消'}", encoding="utf-8")
    assert translations.doubled() == ['msgid "Cancel"']
    stored.write_text(f'{ENTRY % "取消"}\nmsgctxt "verb"\n{ENTRY % "取消"}', encoding="utf-8")
    assert translations.doubled() == []


def test_the_catalogue_of_this_checkout_passes() -> None:
    call_command("messages", check=True)


def test_a_catalogue_that_lacks_messages_fails_the_gate(stored: Path) -> None:
    stored.write_text("", encoding="utf-8")
    with pytest.raises(CommandError, match="lack a translation"):
        call_command("messages", check=True)
