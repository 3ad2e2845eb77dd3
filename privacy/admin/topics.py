"""What the shop writes about: topics by name in each language, in the order people see them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from privacy.admin.viewing import ThemedAdmin
from privacy.models import Topic

TITLE_LENGTH, NOTE_LENGTH = 60, 160
_PARTS = {"titles": (_("Title"), TITLE_LENGTH), "notes": (_("What it is"), NOTE_LENGTH)}


def _field(part: str, language: str) -> str:
    return f"{part}_{language.replace('-', '_')}"


FIELDS = [_field(part, code) for code, _name in settings.LANGUAGES for part in _PARTS]


def _texts() -> dict[str, forms.CharField]:
    return {
        _field(part, code): forms.CharField(
            label=format_lazy("{} ({})", label, name),
            max_length=length,
            required=False,
            widget=UnfoldAdminTextInputWidget,
        )
        for code, name in settings.LANGUAGES
        for part, (label, length) in _PARTS.items()
    }


class _TopicForm(forms.ModelForm[Topic]):
    class Meta:
        model = Topic
        fields = ["key", "by_choice", "is_shown", "position"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for part in _PARTS:
            for code, text in getattr(self.instance, part).items():
                self.initial[_field(part, code)] = text

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        titles = [_field("titles", code) for code, _name in settings.LANGUAGES]
        if not any(given.get(name) for name in titles):
            self.add_error(titles[0], _("Name the topic in at least one language."))
        return given

    def save(self, commit: bool = True) -> Topic:  # noqa: FBT001, FBT002 -- Django's signature
        for part in _PARTS:
            told = {code: self.cleaned_data[_field(part, code)] for code, _ in settings.LANGUAGES}
            setattr(self.instance, part, {code: text for code, text in told.items() if text})
        return super().save(commit)


# Fields of the class body's own, one a language: the admin asks the class which there are.
TopicForm = type("TopicForm", (_TopicForm,), _texts())


@admin.register(Topic)
class TopicAdmin(ThemedAdmin[Topic]):
    form = TopicForm
    list_display = ["named", "key", "by_choice", "is_shown", "position"]
    ordering = ["position", "key"]
    fields = ["key", *FIELDS, "by_choice", "is_shown", "position"]

    @admin.display(description=_("topic"), ordering="key")
    def named(self, topic: Topic) -> str:
        return topic.title(get_language() or "en")

    def get_readonly_fields(self, request: HttpRequest, obj: Topic | None = None) -> list[str]:
        return ["key"] if obj else []
