"""The purposes that the code knows: what personal data is used for, and on which legal ground.

Each basis is our reading of the law and says that counsel must confirm it. The database
mirrors this registry (`purposes.mirror`), so that the shop can see and end a purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from privacy.models import Channel

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class Known(StrEnum):
    """What is known of people beside their sealed values."""

    ATTRIBUTES = "attributes"  # coarse: country and city, age, gender, occupation, language
    BEHAVIOUR = "behaviour"  # orders, carts, events, messages opened
    PROFILE = "profile"  # what follows from behaviour: traits, segments, personas
    CHOICES = "choices"  # consents, objections, suppressed addresses


_CUSTOMERS = _("Customers")


@dataclass(frozen=True)
class Purpose:
    """A use of personal data.

    `needs_notice`: nobody has to agree, but each must have been told, in the ledger, and not
    have refused; `needs_purchase`: and have bought. `is_automated`: decides about a person without
    anybody looking (art. 22 GDPR, art. 24 PIPL); `spares_minors`: and not about a child (recital
    71). `retention` says how long what it uses is kept, `people` whose data it is; `known` is what
    it uses beside the values of its data classes.
    """

    name: str
    label: StrOrPromise
    basis: StrOrPromise
    retention: StrOrPromise
    data_classes: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    needs_consent: bool = False
    needs_notice: bool = False
    needs_purchase: bool = False
    is_marketing: bool = False
    is_profiling: bool = False
    is_automated: bool = False
    spares_minors: bool = False
    people: StrOrPromise = _CUSTOMERS
    known: frozenset[Known] = frozenset()

    @property
    def is_declared(self) -> bool:
        """Whether the ledger holds what people declared about it."""
        return self.needs_consent or self.needs_notice

    @property
    def is_limited(self) -> bool:
        """Whether it may use only some people, so that rows must be found by `for_purpose`."""
        return self.is_marketing or self.is_profiling or self.is_declared

    def channel(self, asked: str | None) -> str | None:
        """Return the channel meant; raises ValueError for one the purpose does not use."""
        if asked is None and len(self.channels) == 1:
            return next(iter(self.channels))
        if asked is None and self.is_declared:
            raise ValueError(f"{self.name} needs a channel: {sorted(self.channels)}")
        if asked is not None and asked not in self.channels:
            raise ValueError(f"{self.name} does not use the channel {asked!r}")
        return asked


_CONSENT = _("Consent, art. 6(1)(a) GDPR, art. 13(1) PIPL. Counsel must confirm.")
_SOFT = _(
    "Legitimate interest, art. 6(1)(f) GDPR with art. 13(2) of Directive 2002/58/EC: only to"
    " people who bought a similar product, were told when their address was taken, and may refuse"
    " at any time, free of charge. Not in China. Counsel must confirm."
)
_INTEREST = _("Legitimate interest with a right to object. Counsel must confirm.")
_PROTECTED = _(
    "Legitimate interest, to be weighed for this use alone, with a right to object. No group is"
    " formed by age or gender until a use rule names the trait. Counsel must confirm."
)
_CONTRACT = _("Contract with the customer. Counsel must confirm.")
_ASKED = _(
    "What the person asked for, art. 6(1)(b) GDPR; proof of consent, art. 7(1) GDPR, art. 14 PIPL."
    " Counsel must confirm."
)
_DUTY = _("Legal duty, art. 12-22 GDPR, art. 44-50 PIPL. Counsel must confirm.")
_TILL_WITHDRAWN = _("Until it is withdrawn; the proof of it stays.")
_TILL_OBJECTION = _("Until the person objects.")
_WITH_CUSTOMER = _("As long as the customer.")
_EVERY_CLASS = frozenset({"email", "phone", "name", "birth_date"})
_MAIL = frozenset({"email", "name"})
_VISITORS = _("Customers and visitors of the shop's pages")
_SENT_TO = frozenset({Known.PROFILE, Known.CHOICES})

REGISTRY = {
    purpose.name: purpose
    for purpose in (
        Purpose(
            "campaign.email",
            _("E-mail campaigns"),
            _CONSENT,
            _TILL_WITHDRAWN,
            data_classes=_MAIL,
            channels=frozenset({Channel.EMAIL.value}),
            needs_consent=True,
            is_marketing=True,
            known=_SENT_TO,
        ),
        Purpose(
            "campaign.email.existing",
            _("E-mail to buyers about similar products"),
            _SOFT,
            _TILL_OBJECTION,
            data_classes=_MAIL,
            channels=frozenset({Channel.EMAIL.value}),
            needs_notice=True,
            needs_purchase=True,
            is_marketing=True,
            known=_SENT_TO,
        ),
        Purpose(
            "campaign.sms",
            _("SMS campaigns"),
            _CONSENT,
            _TILL_WITHDRAWN,
            data_classes=frozenset({"phone", "name"}),
            channels=frozenset({Channel.SMS.value}),
            needs_consent=True,
            is_marketing=True,
            known=_SENT_TO,
        ),
        Purpose(
            "campaign.push",
            _("Push campaigns"),
            _CONSENT,
            _TILL_WITHDRAWN,
            data_classes=frozenset({"text"}),
            channels=frozenset({Channel.PUSH.value}),
            needs_consent=True,
            is_marketing=True,
            known=_SENT_TO,
        ),
        Purpose(
            "service.email",
            _("E-mail about a person's own orders"),
            _CONTRACT,
            _WITH_CUSTOMER,
            data_classes=_MAIL | {"text"},
            channels=frozenset({Channel.EMAIL.value}),
        ),
        Purpose(
            "campaign.onsite",
            _("Campaigns in the shop's own pages"),
            _INTEREST,
            _TILL_OBJECTION,
            channels=frozenset({Channel.ONSITE.value}),
            is_marketing=True,
            people=_VISITORS,
            known=_SENT_TO,
        ),
        Purpose(
            "signup.confirm",
            _("Confirming a sign-up"),
            _ASKED,
            _("Until it is confirmed, at most 30 days."),
            data_classes=_MAIL | {"phone"},
            channels=frozenset({Channel.EMAIL.value}),
            people=_("Whoever signs up on a form"),
        ),
        Purpose(
            "profile.build",
            _("Customer profiles"),
            _INTEREST,
            _WITH_CUSTOMER,
            is_profiling=True,
            is_automated=True,
            known=frozenset({Known.ATTRIBUTES, Known.BEHAVIOUR}),
        ),
        Purpose(
            "profile.protected",
            _("Groups formed by age or gender too"),
            _PROTECTED,
            _WITH_CUSTOMER,
            data_classes=frozenset({"age", "gender"}),
            is_profiling=True,
            is_automated=True,
            known=frozenset({Known.ATTRIBUTES}),
        ),
        Purpose(
            "profile.score",
            _("Churn and value scores"),
            _INTEREST,
            _WITH_CUSTOMER,
            is_profiling=True,
            is_automated=True,
            spares_minors=True,
            known=frozenset({Known.BEHAVIOUR}),
        ),
        Purpose(
            "recommend",
            _("Product recommendations"),
            _INTEREST,
            _WITH_CUSTOMER,
            is_profiling=True,
            is_automated=True,
            spares_minors=True,
            people=_VISITORS,
            known=frozenset({Known.BEHAVIOUR}),
        ),
        Purpose(
            "fairness.audit",
            _("Checking that groups are treated alike"),
            _INTEREST,
            _("Figures of groups alone are kept, as long as what they judge."),
            known=frozenset({Known.ATTRIBUTES, Known.BEHAVIOUR}),
        ),
        Purpose(
            "support.reveal",
            _("Answering a customer"),
            _CONTRACT,
            _WITH_CUSTOMER,
            data_classes=_EVERY_CLASS,
            known=frozenset({Known.ATTRIBUTES, Known.BEHAVIOUR}),
        ),
        Purpose(
            "subject.rights",
            _("Answering a person about their own data"),
            _DUTY,
            _("Three years after the answer."),
            data_classes=_EVERY_CLASS | {"text"},
            people=_("Whoever asks about their data"),
            known=frozenset(Known),
        ),
        Purpose(
            "customer.merge",
            _("Making two records of one person one"),
            _CONTRACT,
            _WITH_CUSTOMER,
            data_classes=_EVERY_CLASS,
        ),
        Purpose(
            "import",
            _("Bringing in the shop's data"),
            _CONTRACT,
            _WITH_CUSTOMER,
            data_classes=_EVERY_CLASS | {"file"},
            known=frozenset({Known.ATTRIBUTES, Known.BEHAVIOUR, Known.CHOICES}),
        ),
    )
}
