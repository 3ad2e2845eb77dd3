from __future__ import annotations

from collections.abc import Mapping

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

KEY = RegexValidator(r"\A[a-z0-9][a-z0-9-]*\Z", _("Small letters, digits and hyphens."))


class Topic(models.Model):
    """What the shop writes about, which a person wants or does not want on each channel.

    What people said of it stands in the consent ledger under `ledger_name`. `by_choice` is only
    for those who asked for it; any other is for all who agreed to the channel's messages and did
    not say no to it. `titles` and `notes` are by language.
    """

    PREFIX = "topic."

    key = models.CharField(
        _("key"),
        max_length=40,
        unique=True,
        validators=[KEY],
        help_text=_("What the consent ledger and the API call it; it stays."),
    )
    titles = models.JSONField(_("titles"), default=dict)
    notes = models.JSONField(_("notes"), default=dict, blank=True)
    by_choice = models.BooleanField(
        _("only by choice"),
        default=False,
        help_text=_(
            "Only who asked for it gets it. Otherwise everybody gets it who agreed to the "
            "channel's messages, until they say no."
        ),
    )
    is_shown = models.BooleanField(
        _("shown"), default=True, help_text=_("On the preference page and in sign-up forms.")
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("topic")
        verbose_name_plural = _("topics")

    def __str__(self) -> str:
        return self.title("en")

    @property
    def ledger_name(self) -> str:
        return f"{self.PREFIX}{self.key}"

    def title(self, language: str) -> str:
        return in_language(self.titles, language) or self.key

    def note(self, language: str) -> str:
        return in_language(self.notes, language)


def in_language(texts: Mapping[str, str], language: str) -> str:
    """Return the text of a language, else of its main language, else any there is."""
    wanted = language.lower()
    for code in (wanted, "zh-hans" if wanted.startswith("zh") else wanted.split("-")[0], "en"):
        if text := texts.get(code, ""):
            return text
    return next((text for _code, text in sorted(texts.items()) if text), "")
