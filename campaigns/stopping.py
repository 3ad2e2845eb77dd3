"""A person's answer to a text message: no more of them, in whatever word they know."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.rendering.sms import is_stop
from privacy import consent, registry, suppression
from privacy.consent import Declaration
from privacy.crypto.blind_index import NotAnAddressError
from privacy.models import Channel, Consent, ConsentEntry, Suppression


@transaction.atomic
def answered(number: str, text: str, *, source: str, now: datetime) -> bool:
    """Take an answer in; True if it said to stop, which then holds for everybody at the number."""
    if not is_stop(text):
        return False
    try:
        tag = suppression.tag_of(Channel.SMS, number)
    except NotAnAddressError:
        return False
    reason = Suppression.Reason.UNSUBSCRIBED
    suppression.suppress_tag(Channel.SMS, tag, reason=reason, now=now, source=source)
    people = [subject for _tag, subject in registry.subjects_tagged(Channel.SMS, [tag])]
    agreed = Consent.objects.filter(subject__uuid__in=people, channel=Channel.SMS)
    agreed = agreed.exclude(state=ConsentEntry.State.WITHDRAWN)
    consent.record_many(
        [
            Declaration(
                subject,
                name,
                Channel.SMS.value,
                ConsentEntry.State.WITHDRAWN.value,
                _("Answered a text message: stop"),
                source,
                now,
            )
            for subject, name in agreed.values_list("subject__uuid", "purpose")
        ],
        now=now,
    )
    return True
