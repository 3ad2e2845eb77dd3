"""Counting a rule while it is written."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from privacy.admin.viewing import shop_of
from privacy.models import Channel
from privacy.problems import DomainError
from profiles import counting, figures, segment_rules, segmentation
from profiles.admin.rule_form import fault_words, read_tree
from profiles.segment_rules import Checked


@require_POST
@permission_required("profiles.view_segment", raise_exception=True)
def preview(request: HttpRequest) -> JsonResponse:
    """Answer words that can be shown as they are: size, reachable, the rule, some customers."""
    language = get_language() or "en"
    try:
        tree = read_tree(request.POST.get("rule", ""))
        rule = segment_rules.checked(tree, of=request.GET.get("of", ""))
    except (DomainError, ValueError) as error:
        return JsonResponse({"ok": False, "text": fault_words(str(error))})
    told: dict[str, Any] = {
        "words": segmentation.describe(rule.rule, language, currency=shop_of(request).currency)
    }
    now, asker = timezone.now(), _asker(request)
    try:
        told |= _counted(counting.soon(rule, now, of=asker), language)
        if request.user.has_perm("profiles.view_customer"):
            told["samples"] = _samples(rule, now, asker)
    except counting.TooLongError:
        text = _("Counting takes longer than here is time for; saving the rule counts it in full.")
        return JsonResponse({"ok": False, "text": text, "words": told["words"]})
    return JsonResponse({"ok": True, **told})


def _asker(request: HttpRequest) -> str:
    """One page of one person: its newer count ends the one that still runs."""
    with suppress(ValueError):
        return f"candor-count-{request.user.pk}-{UUID(request.POST.get('builder', ''))}"
    return ""


def _counted(size: counting.Size, language: str) -> dict[str, Any]:
    text = ngettext("%(n)s customer", "%(n)s customers", size.n_customers)
    if size.is_estimate:
        text = _("about %(n)s customers, estimated from a sample: %(low)s to %(high)s")
    told = {"n": size.n_customers, "low": size.low, "high": size.high}
    reachable = _("%(n)s reachable by %(channel)s")
    return {
        "text": text % {name: figures.number(n, language) for name, n in told.items()},
        "channels": [
            reachable % {"n": figures.number(n, language), "channel": Channel(channel).label}
            for channel, n in size.reachable.items()
        ],
    }


def _samples(rule: Checked, now: datetime, asker: str) -> list[list[str]]:
    """Nobody waits long for examples: there are none where finding them takes its time."""
    try:
        with counting.at_most(counting.SOON, of=asker):
            found = counting.samples(rule, now)
    except counting.SupersededError:
        raise
    except counting.TooLongError:
        return []
    return [
        [
            one["id"],
            one["name"],
            one["email"],
            ", ".join(filter(None, (one["city"], one["country"]))),
        ]
        for one in found
    ]
