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
from profiles.admin.rule_form import read_tree
from profiles.segment_rules import Checked


@require_POST
@permission_required("profiles.view_segment", raise_exception=True)
def preview(request: HttpRequest) -> JsonResponse:
    """Answer words that can be shown as they are: size, reachable, the rule, some customers."""
    language = get_language() or "en"
    try:
        tree = read_tree(request.POST.get("rule", ""))
        rule = segment_rules.checked(tree)
    except (DomainError, ValueError) as error:
        return JsonResponse({"ok": False, "text": str(error)})
    told: dict[str, Any] = {
        "words": segmentation.describe(rule.rule, language, currency=shop_of(request).currency)
    }
    try:
        with counting.at_most(counting.WAIT, of=_asker(request)):
            told |= _counted(rule, language, timezone.now())
            if request.user.has_perm("profiles.view_customer"):
                told["samples"] = _samples(rule, timezone.now())
    except counting.TooLongError:
        text = _("Counting takes longer than here is time for; saving the rule counts it in full.")
        return JsonResponse({"ok": False, "text": text, "words": told["words"]})
    return JsonResponse({"ok": True, **told})


def _asker(request: HttpRequest) -> str:
    """One page of one person: its newer count ends the one that still runs."""
    with suppress(ValueError):
        return f"candor-count-{request.user.pk}-{UUID(request.POST.get('builder', ''))}"
    return ""


def _counted(rule: Checked, language: str, now: datetime) -> dict[str, Any]:
    size = counting.size(rule, now)
    text = ngettext("%(n)s customer", "%(n)s customers", size.n_customers)
    reachable = _("%(n)s reachable by %(channel)s")
    return {
        "text": text % {"n": figures.number(size.n_customers, language)},
        "channels": [
            reachable % {"n": figures.number(n, language), "channel": Channel(channel).label}
            for channel, n in size.reachable.items()
        ],
    }


def _samples(rule: Checked, now: datetime) -> list[list[str]]:
    return [
        [
            one["id"],
            one["name"],
            one["email"],
            ", ".join(filter(None, (one["city"], one["country"]))),
        ]
        for one in counting.samples(rule, now)
    ]
