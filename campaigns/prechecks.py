"""What is better looked at before a campaign goes out: what bars it, and what is advice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import approvals, link_check, looking
from campaigns.models import Campaign, Card, CheckedLink, SmsText, Template
from campaigns.rendering import inspecting, links
from privacy.models import Channel
from privacy.problems import DomainError

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.models import Variant
    from campaigns.rendering.content import Rendered
    from campaigns.targeting import Estimate

N_NAMED = 5
# What is said in each language, by channel; the others say it on cards.
_WRITTEN: Mapping[str, tuple[type[Model], *tuple[str, ...]]] = {
    Channel.EMAIL: (Template, "subject", "body_html"),
    Channel.SMS: (SmsText, "text"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: `bars` the campaign, or is advice; `where` names the message."""

    code: str
    detail: str
    where: str = ""
    bars: bool = False


def findings(campaign: Campaign, now: datetime) -> list[Finding]:
    """Return what bars the campaign and then what is advice, in the staff's language."""
    barring = [
        Finding(fault.code, fault.detail, fault.pointer, bars=True)
        for fault in approvals.faults(campaign, now=now)
    ]
    try:
        shown = looking.samples(campaign, now)
    except DomainError:  # it is among what bars
        return barring
    look = _of_mail if campaign.channel == Channel.EMAIL else _of_words
    advice = [one for variant, message in shown for one in look(variant, message)]
    return [*barring, *advice, *_untranslated(campaign), *_of_links(campaign, shown)]


def of_size(estimate: Estimate) -> list[Finding]:
    """Return what is advice about a counted audience: whether anybody would get the message."""
    if estimate.n_messages > 0:
        return []
    if estimate.n_members == 0:
        told = _("Nobody is in the audience now; it would be looked for again at the start.")
    else:
        told = _(
            "Nobody in the audience can be reached now; “Reach and fairness” says which rule "
            "leaves them out."
        )
    return [Finding("nobody_to_reach", told)]


def _of_mail(variant: Variant, message: Rendered) -> Iterator[Finding]:
    where = f"{variant.key} · {message.locale}"
    if n := len(inspecting.images_without_words(message.html)):
        told = ngettext(
            "%(n)d picture has no words in its place, for readers who do not see it.",
            "%(n)d pictures have no words in their place, for readers who do not see them.",
            n,
        )
        yield Finding("no_alt", told % {"n": n}, where)
    size = inspecting.n_bytes(message.html)
    if size > inspecting.CLIPPED_ABOVE:
        told = _("The HTML has %(n)d KiB; Gmail shows the first 102 and hides the rest.")
        yield Finding("too_large", told % {"n": size // 1024}, where)
    yield from _of_words(variant, message)
    if inspecting.is_shouted(message.subject):
        told = _("The subject line shouts: capitals, or several marks in a row.")
        yield Finding("shouted", told, where)
    if len(message.subject) > inspecting.LONGEST_SUBJECT:
        told = _("The subject line has %(n)d characters; most programs cut it off before.")
        yield Finding("long_subject", told % {"n": len(message.subject)}, where)
    if not message.text.strip():
        yield Finding("no_text", _("There is no plain text for programs without HTML."), where)


def _of_words(variant: Variant, message: Rendered) -> Iterator[Finding]:
    told = links.to_text(message.html) if message.html else message.text
    if words := inspecting.spam_words(f"{message.subject}\n{told}"):
        detail = _("Words that filters weigh or advertising law forbids: %(words)s.")
        detail %= {"words": ", ".join(words[:N_NAMED])}
        yield Finding("spam_words", detail, f"{variant.key} · {message.locale}")


def _untranslated(campaign: Campaign) -> Iterator[Finding]:
    """Variants of which several languages say the same, word for word."""
    model, *columns = _WRITTEN.get(campaign.channel, (Card, "title", "text"))
    rows = model._default_manager.filter(variant__campaign=campaign)
    said = rows.order_by("variant__key", "locale").values_list("variant__key", *columns)
    for key, same in groupby(said, key=lambda row: row[0]):
        texts = [links.to_text("\n".join(words)) for _key, *words in same]
        if inspecting.are_the_same(texts):
            told = _("Its languages have the same text: is one not translated yet?")
            yield Finding("untranslated", told, key)


def _of_links(campaign: Campaign, shown: list[tuple[Variant, Rendered]]) -> Iterator[Finding]:
    there = {
        url for _variant, message in shown for url in links.targets(message.html, message.text)
    }
    for row in CheckedLink.objects.filter(campaign=campaign).order_by("url"):
        if row.url in there and link_check.is_broken(row.outcome):
            told = _("%(url)s does not answer as it should (%(outcome)s).")
            yield Finding("broken_link", told % {"url": row.url, "outcome": row.outcome})
