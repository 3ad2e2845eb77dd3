"""Sign-up forms: asked for on a page, confirmed from the mailbox, proved in the consent ledger.

Whatever is known of an address, the form answers alike: nobody learns there who is a customer,
unsubscribed or erased.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from campaigns import post
from campaigns.models import SignUp, SignUpForm, SignUpText, SignUpWording
from jobs import queue
from jobs.work import ObstacleError
from privacy import consent, erasure, registry, rights, suppression, throttling, tokens, topics
from privacy.consent import Declaration
from privacy.crypto.blind_index import NotAnAddressError, normalise_email, normalise_phone
from privacy.models import Channel, Consent, ConsentEntry, Shop, Subject, Suppression, Topic
from privacy.problems import DomainError
from privacy.purposes import purpose
from privacy.registry import Carried
from privacy.rights import Right
from privacy.throttling import Limit
from profiles.bulk import again_if_overtaken
from profiles.identity import registering
from profiles.models import Customer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.work import Work

JOB: Final = "campaigns.send_sign_up_letter"
USE: Final = "sign-up"
CONFIRMS: Final = "signup.confirm"
AGREED: Final = "campaign.email"
VALID: Final = timedelta(days=7)
PER_VISITOR: Final = Limit("sign-up", 10, 3_600)
PER_ADDRESS_A_DAY: Final = 3
MAX_NAME: Final = 100
# What ends when the owner of an address signs up anew; what staff keep off stays off.
LIFTED: Final = (
    Suppression.Reason.UNSUBSCRIBED,
    Suppression.Reason.COMPLAINED,
    Suppression.Reason.BOUNCED,
    Suppression.Reason.ERASED,
)


class MailAwayError(ObstacleError):
    """The mail server did not take a letter; it is tried again."""


@dataclass(frozen=True)
class Given:
    """What somebody typed; `topics` are keys."""

    email: str
    full_name: str = ""
    phone: str = ""
    topics: Collection[str] = ()


def keep_wordings(form: SignUpForm, *, now: datetime) -> int:
    """Make a new version of each text whose words people agree to have changed; how many."""
    newest = {row.locale: row for row in form.wordings.order_by("version")}
    made = []
    for text in form.texts.order_by("locale"):
        last = newest.get(text.locale)
        if last is None or last.text != text.consent:
            version = last.version + 1 if last else 1
            made.append(
                SignUpWording(
                    form=form, locale=text.locale, version=version, text=text.consent, since=now
                )
            )
    SignUpWording.objects.bulk_create(made)
    return len(made)


def text_of(form: SignUpForm, language: str) -> SignUpText | None:
    """Return the form's text in a language, else in the shop's, else in any it has."""
    texts = {text.locale: text for text in form.texts.order_by("locale")}
    wanted = (language, language.split("-", maxsplit=1)[0], Shop.current().language)
    found = next((texts[code] for code in wanted if code in texts), None)
    return found or next(iter(texts.values()), None)


def ask(form: SignUpForm, text: SignUpText, given: Given, *, visitor: str, now: datetime) -> None:
    """Take a sign-up in and mail the link that confirms it, to any address alike.

    A fourth for an address in a day is passed over without a word. `visitor` is the caller's
    network address. Raises DomainError `form_closed`, `invalid_email`, `invalid_phone`,
    `too_long`, `nothing_chosen` or `too_many_requests` (429).
    """
    throttling.take([(PER_VISITOR, throttling.neighbourhood(visitor))], now=now)
    chosen = _checked(form, given)
    tag = suppression.tag_of(Channel.EMAIL, given.email)
    today = SignUp.objects.filter(address_tag=tag, asked_at__gt=now - timedelta(days=1))
    if today.count() >= PER_ADDRESS_A_DAY:
        return
    wording = form.wordings.filter(locale=text.locale).order_by("-version").first()
    if wording is None:
        raise DomainError("form_closed", _("This form is closed."), status=410)
    asks = set(form.asks)
    made = SignUp(
        subject=Subject.objects.create(restricted=True),
        form=form,
        wording=wording,
        topics=sorted(topic.key for topic in chosen),
        locale=text.locale,
        email=given.email,
        full_name=(given.full_name.strip() or None) if SignUpForm.Asked.NAME in asks else None,
        phone=(given.phone.strip() or None) if SignUpForm.Asked.PHONE in asks else None,
        asked_at=now,
    )
    with transaction.atomic():
        made.save()
        queue.enqueue(JOB, {"sign_up": made.pk}, now=now, unique_key=f"{JOB}:{made.pk}")


def _checked(form: SignUpForm, given: Given) -> list[Topic]:
    if not form.is_open:
        raise DomainError("form_closed", _("This form is closed."), status=410)
    try:
        normalise_email(given.email)
    except NotAnAddressError:
        detail = _("This is not an e-mail address; it reads name@example.com.")
        raise DomainError("invalid_email", detail, pointer="/email") from None
    if len(given.full_name) > MAX_NAME:
        detail = _("Write at most %(n)d characters.") % {"n": MAX_NAME}
        raise DomainError("too_long", detail, pointer="/full_name")
    if given.phone.strip() and SignUpForm.Asked.PHONE in form.asks:
        try:
            normalise_phone(given.phone)
        except NotAnAddressError:
            detail = _("This cannot be read; it has the form %(form)s.") % {
                "form": "+8613800138000"
            }
            raise DomainError("invalid_phone", detail, pointer="/phone") from None
    offered = list(form.topics.filter(is_shown=True))
    chosen = [topic for topic in offered if topic.key in given.topics]
    if offered and not chosen:
        detail = _("Choose at least one topic.")
        raise DomainError("nothing_chosen", detail, pointer="/topics")
    return chosen


# The letter -------------------------------------------------------------------------------


def link(asked: SignUp) -> str:
    return settings.PUBLIC_URL + reverse("confirm-sign-up", args=[tokens.token(USE, asked.uuid)])


def send_letter(work: Work) -> dict[str, Any]:
    """Send the letter of `payload["sign_up"]`; raises MailAwayError to be tried again.

    An address that staff keep off gets none.
    """
    asked = (
        SignUp.objects.select_related("form", "wording").filter(pk=work.payload["sign_up"]).first()
    )
    if asked is None or asked.letter != SignUp.Letter.WAITING or asked.email is None:
        return {"state": asked.letter if asked else "gone"}
    now = work.now
    kept_off = Suppression.objects.filter(
        channel=Channel.EMAIL,
        address_tag=bytes(asked.address_tag or b""),
        reason=Suppression.Reason.IMPORTED,
    )
    if kept_off.exists():
        state = SignUp.Letter.KEPT_BACK
    else:
        with purpose(CONFIRMS, actor="system:sign-up", now=now, reason="letter"):
            address = asked.email.reveal()
        with translation.override(asked.locale):
            title, words = letter(asked)
        carried, code = post.carry(f"sign-up-{asked.uuid.hex}", address, title, words, now)
        if carried is Carried.LATER:
            raise MailAwayError(_("The mail server did not take a letter (%(c)s).") % {"c": code})
        state = SignUp.Letter.SENT if carried is Carried.SENT else SignUp.Letter.FAILED
    with work.step():
        SignUp.objects.filter(pk=asked.pk).update(letter=state)
    return {"state": str(state)}


def letter(asked: SignUp) -> tuple[str, str]:
    """Return subject line and text in the language that is active."""
    shop = Shop.current().name or _("The shop")
    facts = {"shop": shop, "link": link(asked), "words": asked.wording.text}
    text = _(
        "Hello,\n\nsomebody, we hope you, signed up for news of %(shop)s with this address and "
        "agreed to this:\n\n%(words)s\n\nConfirm it here within a week:\n\n%(link)s\n\n"
        "If it was not you, do nothing: you get no more mail about it.\n\n%(shop)s\n"
    )
    return _("Please confirm · %(shop)s") % facts, text % facts


# The confirmation -------------------------------------------------------------------------


def find(token: str, *, now: datetime) -> SignUp | None:
    """Return what a token asks to confirm, or None: not ours, expired, or the person is gone."""
    uuid = tokens.read(USE, token)
    if uuid is None:
        return None
    rows = SignUp.objects.select_related("form", "wording", "subject").filter(uuid=uuid)
    return rows.filter(asked_at__gt=now - VALID).first()


def confirm(token: str, *, now: datetime) -> SignUp | None:
    """Use a token up: from now on the person agrees. Confirming again changes nothing.

    The person is the customer at the address, or a new one. What else was known of them stays,
    an empty name or telephone is filled in. Returns None for a token that `find` does not find.
    """
    asked = find(token, now=now)
    if asked is None or asked.confirmed_at is not None or asked.email is None:
        return asked
    with purpose(CONFIRMS, actor="system:sign-up", now=now, reason="confirmed"):
        typed = {
            name: value.reveal()
            for name in ("email", "full_name", "phone")
            if (value := getattr(asked, name)) is not None
        }
    if _settle(asked, typed, now=now):
        erasure.destroy_key(asked.subject.uuid)
    asked.refresh_from_db()
    return asked


@again_if_overtaken
@transaction.atomic
def _settle(asked: SignUp, typed: Mapping[str, str], *, now: datetime) -> bool:
    mine = SignUp.objects.filter(pk=asked.pk, confirmed_at=None)
    if not mine.update(confirmed_at=now):
        return False
    customer = _customer(asked, typed, now=now)
    SignUp.objects.filter(pk=asked.pk).update(
        about=customer.subject_id,
        email=None,
        full_name=None,
        phone=None,
        email_tag=None,
    )
    consent.record_many(_declarations(asked, customer, now), now=now)
    for tag in filter(None, (asked.address_tag, customer.email_suppression_tag)):
        for reason in LIFTED:
            suppression.lift_tag(Channel.EMAIL, bytes(tag), reason=reason, now=now)
    if customer.subject.objected:
        rights.switch(customer.subject, Right.OBJECTION, on=False, actor="person:sign-up", now=now)
    return True


def _customer(asked: SignUp, typed: Mapping[str, str], *, now: datetime) -> Customer:
    """Return the customer at the address, or a new one under an id made of the sign-up's."""
    there = sorted(registry.subjects_at(Channel.EMAIL, typed["email"]))
    known = Customer.objects.select_related("subject").select_for_update(of=("self",))
    customer = known.filter(subject__uuid=there[0]).first() if there else None
    if customer is None:
        name = f"signup-{asked.uuid.hex}"
        pks, _n_added = registering.register([name], now=now)
        customer = known.get(pk=pks[name])
        customer.email = typed["email"]
        customer.locale = customer.locale or asked.locale
    if customer.full_name is None and "full_name" in typed:
        customer.full_name = typed["full_name"]
    if customer.phone is None and "phone" in typed:
        customer.phone = typed["phone"]
    customer.save()
    return customer


def _declarations(asked: SignUp, customer: Customer, now: datetime) -> list[Declaration]:
    """What the person declared: the form's words, and each topic that was ticked.

    Who agrees for the first time and chose topics wants no others.
    """
    source = f"sign-up form: {asked.form.key}"
    evidence = {
        "sign_up": str(asked.uuid),
        "form": str(asked.form.uuid),
        "version": str(asked.wording.version),
        "asked_at": asked.asked_at.isoformat(),
    }
    states = ConsentEntry.State

    def said(name: str, state: str, wording: str) -> Declaration:
        return Declaration(
            customer.subject_id,
            name,
            Channel.EMAIL,
            state,
            wording,
            source,
            now,
            locale=asked.locale,
            evidence=evidence,
        )

    is_new = not Consent.objects.filter(
        subject=customer.subject, purpose=AGREED, channel=Channel.EMAIL, state=states.GIVEN
    ).exists()
    told = [said(AGREED, states.GIVEN, asked.wording.text)]
    if not asked.topics:
        return told
    said_before = topics.said_by(customer.subject_id)
    for topic in Topic.objects.order_by("position", "key"):
        title = topic.title(asked.locale)
        if topic.key in asked.topics:
            told.append(said(topic.ledger_name, states.GIVEN, f"{title}: {asked.wording.text}"))
        elif (
            is_new
            and not topic.by_choice
            and (topic.ledger_name, Channel.EMAIL.value) not in said_before
        ):
            with translation.override(asked.locale):
                told.append(said(topic.ledger_name, states.WITHDRAWN, _("%s: not ticked") % title))
    return told
