"""Why somebody is in a segment or not: each condition, whether it holds, and with which value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import translation
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from privacy.models import Shop
from profiles import figures, segment_rules, segment_words
from profiles.models import Customer, Segment, SegmentMember
from profiles.segment_person import person
from profiles.segments.compile import fold
from profiles.segments.evaluate import Truth
from profiles.segments.rules import Condition
from profiles.segments.vocabulary import Source
from profiles.traits.featuring import currency_in_use

if TYPE_CHECKING:
    from profiles.segment_rules import Checked

STANDING = frozenset({Source.CONSENT, Source.LIST, Source.SEGMENT})


@dataclass(frozen=True)
class Reason:
    """A condition or a group of a rule; `known` is the person's own value in words, masked."""

    text: str
    holds: bool
    known: str = ""
    parts: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Why:
    """`reason` is None for whoever may not be profiled: such a person is in no segment."""

    is_in: bool
    reason: Reason | None
    entered_at: datetime | None
    left_at: datetime | None


def why(segment: Segment, customer_id: int, *, now: datetime, language: str = "") -> Why:
    """Return the reasons in `language`, or in the one that is active.

    `customer_id` is the customer's key. Raises Customer.DoesNotExist, and DomainError for a
    rule that cannot be read any more.
    """
    checked = segment_rules.checked(segment.rule, of=str(segment.uuid))
    customer = Customer.objects.get(pk=customer_id)
    stay = SegmentMember.objects.filter(segment=segment, customer=customer).order_by("pk").last()
    entered_at, left_at = (stay.entered_at, stay.left_at) if stay else (None, None)
    if not Customer.objects.for_purpose("profile.build").filter(pk=customer_id).exists():
        return Why(is_in=False, reason=None, entered_at=entered_at, left_at=left_at)
    with translation.override(language or get_language()):
        reason = _reason(checked, customer, now)
    return Why(reason.holds, reason, entered_at, left_at)


def _reason(checked: Checked, customer: Customer, now: datetime) -> Reason:
    shop = Shop.current()
    currency = currency_in_use(shop)
    rules = [checked.rule, *checked.rules.values()]
    names = segment_rules.names(rules)
    truth = Truth(person(customer, rules, now), now, checked.rules, currency, shop.zone)
    words = segment_words.Words(get_language() or "en", currency, names)
    return fold(checked.rule, _Reasons(truth, words, customer))


@dataclass(frozen=True)
class _Reasons:
    """The algebra of reasons: the truth of one person with the words for it."""

    truth: Truth
    words: segment_words.Words
    customer: Customer

    def all_of(self, parts: Sequence[Reason]) -> Reason:
        if len(parts) == 1:
            return parts[0]
        text = _("all of these") if parts else _("everybody")
        return Reason(text, all(part.holds for part in parts), parts=tuple(parts))

    def any_of(self, parts: Sequence[Reason]) -> Reason:
        if len(parts) == 1:
            return parts[0]
        return Reason(_("any of these"), any(part.holds for part in parts), parts=tuple(parts))

    def negate(self, part: Reason) -> Reason:
        return Reason(_("not this"), not part.holds, parts=(part,))

    def condition(self, condition: Condition) -> Reason:
        made = Reason(
            self.words.condition(condition), self.truth.condition(condition), self._known(condition)
        )
        if condition.field.source != Source.SEGMENT:
            return made
        values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
        inner = [fold(self.truth.rules[str(uuid)], self) for uuid in values]
        return replace(made, parts=tuple(inner))

    def _known(self, condition: Condition) -> str:
        field = condition.field
        if field.source in STANDING:
            return ""  # the condition says it, or with the segment's own conditions below
        if field.source in {Source.PURCHASE, Source.SEQUENCE}:
            return self._times(condition)
        known = self.truth.known(condition)
        if known is None:
            return _("not known")
        if field.source == Source.SEALED:
            return str(getattr(self.customer, field.name))
        return self.words.value(field, known)

    def _times(self, condition: Condition) -> str:
        """How often the purchase or the first event is on record, and when last."""
        moments = self.truth.moments(condition)
        if not moments:
            return _("never")
        text = ngettext("once, on %(day)s", "%(n)s times, last on %(day)s", len(moments))
        day = figures.day(max(moments), self.words.language)
        return text % {"n": len(moments), "day": day}
