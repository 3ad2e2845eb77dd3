"""What verdicts on events and their codes say, in the reader's language."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from profiles.events.debugging import ACCEPTED, WAITING
from profiles.models import EventVerdict

VERDICTS: Final[dict[str, str | Promise]] = {
    ACCEPTED: _("Accepted"),
    WAITING: _("Waiting for the merge"),
    **dict(EventVerdict.Verdict.choices),
}
TONES: Final = {
    ACCEPTED: "is-good",
    EventVerdict.Verdict.TEST: "is-good",
    EventVerdict.Verdict.WARNED: "is-warn",
    EventVerdict.Verdict.DUPLICATE: "is-warn",
    EventVerdict.Verdict.REJECTED: "is-bad",
}
CODES: Final[dict[str, str | Promise]] = {
    "alias_incomplete": _(
        "An alias needs a userId and a previousId or anonymousId; nothing was joined."
    ),
    "alias_not_joined": _(
        "The previousId is another customer's already; nothing was joined. "
        "If both are one person, merge the two customers."
    ),
    "duplicate": _("Its messageId came before; it is stored once."),
    "email_taken": _("Another customer has this e-mail address; it was not kept."),
    "event_too_large": _("The event is too large."),
    "id_too_long": _("An id is too long."),
    "invalid_email": _("The e-mail address cannot be read; it was not kept."),
    "invalid_phone": _("The phone number cannot be read; it was not kept."),
    "invalid_full_name": _("The name cannot be read; it was not kept."),
    "invalid_event": _("A member has the wrong type, or the event is no JSON."),
    "missing_event_name": _("A track call needs an event."),
    "missing_id": _("The event needs a userId or an anonymousId."),
    "name_too_long": _("The name is too long."),
    "not_confirmed": _(
        "A browser or app key does not change the address or name of a known customer."
    ),
    "nul_character": _("Text holds the character U+0000."),
    "order_not_readable": _("The order cannot be read; it was stored as an event only."),
    "personal_data_dropped": _("Members with personal data were left out."),
    "personal_id": _("The messageId holds personal data."),
    "personal_name": _("The name of the event holds personal data."),
    "sent_at_ignored": _(
        "sentAt is no time that fits the timestamp; the timestamp was taken as it is."
    ),
    "timestamp_in_future": _("The timestamp lies in the future."),
    "timestamp_out_of_range": _("The timestamp cannot be believed."),
    "timestamp_too_old": _("The timestamp lies before the year 2000."),
    "too_deep": _("The event is nested too deeply."),
    "traits_need_user_id": _("Traits that name somebody need a userId; they were not kept."),
    "unknown_type": _("The type is none of the calls that there are."),
}
