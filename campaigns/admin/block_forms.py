"""The forms of the block editor: one a block, in the order in which they stand on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import QueryDict

from campaigns import block_words
from campaigns.rendering import block_list, blocks
from privacy.problems import Fault

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

NEW = "__uid__"
ROWS = {"text": 4, "products": 4}


class BlockForm(forms.Form):
    """What one block takes; whether it is enough is asked of the whole message."""

    def __init__(self, kind: str, values: Mapping[str, Any], uid: str) -> None:
        given = {f"{uid}-{name}": value for name, value in values.items()}
        super().__init__(given, prefix=uid, label_suffix="")
        for field in blocks.FIELDS[kind]:
            label, told = block_words.field(kind, field.name)
            self.fields[field.name] = forms.CharField(
                label=label,
                help_text=told,
                required=False,
                strip=False,
                max_length=blocks.MAX_TEXT,
                widget=_widget(field),
            )


@dataclass(frozen=True)
class Row:
    """A block on the page: `uid` names its inputs, `place` counts from 1."""

    uid: str
    place: int
    kind: str
    label: StrOrPromise
    told: StrOrPromise
    form: BlockForm
    errors: Sequence[str] = ()

    @property
    def summary(self) -> str:
        """What tells it from others of its kind while it is shut."""
        values = self.form.data
        names = ("title", "button", "text", "alt", "image", "unsubscribe")
        found = (str(values.get(f"{self.uid}-{name}", "")).strip() for name in names)
        return next((text for text in found if text), "")[:60]


def rows(message: Sequence[Mapping[str, Any]], faults: Sequence[Fault] = ()) -> list[Row]:
    """Return the blocks' forms, each fault beside its field, or above all its fields."""
    return [
        _row(f"b{at}", at, block, [one for one in faults if _is_of(one, at)])
        for at, block in enumerate(message)
    ]


def blank(kinds: Sequence[str]) -> list[Row]:
    """Return an empty form of each kind, for the page's script to copy."""
    return [_row(NEW, 0, {"type": kind}, ()) for kind in kinds]


def read(posted: QueryDict) -> list[dict[str, str]]:
    """Return the blocks in the order in which the page had them."""
    found = []
    for uid in posted.getlist("block")[: blocks.MAX_BLOCKS + 1]:
        kind = posted.get(f"{uid}-type", "")
        if kind not in blocks.FIELDS:
            continue
        names = [field.name for field in blocks.FIELDS[kind]]
        values = {name: posted.get(f"{uid}-{name}", "").replace("\r\n", "\n") for name in names}
        found.append({"type": kind, **{key: value for key, value in values.items() if value}})
    return found


def acted(posted: QueryDict, message: list[dict[str, str]]) -> list[dict[str, str]] | None:
    """Return the blocks after the button that was pressed; None if it was another button."""
    verb, _, about = posted.get("do", "").partition(":")
    if verb == "add":
        kind = posted.get("add", "")
        return [*message, {"type": kind}] if kind in blocks.FIELDS else message
    uids = posted.getlist("block")
    if verb in {"up", "down", "copy", "remove"} and about in uids:
        return block_list.changed(message, verb, uids.index(about))
    return None


def _row(uid: str, at: int, block: Mapping[str, Any], faults: Sequence[Fault]) -> Row:
    kind = str(block.get("type", ""))
    label, told = block_words.BLOCKS[kind]
    form = BlockForm(kind, {k: v for k, v in block.items() if k != "type"}, uid)
    form.full_clean()
    whole = []
    for fault in faults:
        name = fault.pointer.rpartition("/")[2]
        if name in form.fields:
            form.add_error(name, fault.detail)
        else:
            whole.append(fault.detail)
    return Row(uid, at + 1, kind, label, told, form, whole)


def _is_of(fault: Fault, at: int) -> bool:
    return fault.pointer == f"/blocks/{at}" or fault.pointer.startswith(f"/blocks/{at}/")


def _widget(field: blocks.Field) -> forms.Widget:
    if field.kind == "text":
        return forms.Textarea(attrs={"rows": ROWS.get(field.name, 3)})
    attributes = {"list": "library", "data-picture": ""} if field.kind == "image" else {}
    return forms.TextInput(attrs=attributes)
