"""Text messages of a campaign: their faults, and each reader's own, ready for the channel."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import gate, targeting, writing
from campaigns.channels.base import Message
from campaigns.composing import link_numbers, short_url
from campaigns.models import Campaign, Delivery, Link, SendingRules, SmsText, Variant
from campaigns.rendering import links, sms
from campaigns.rendering.content import Frame, Reader, Rendered, first_name
from campaigns.rendering.faults import TemplateError
from privacy.fields import Columns, reveal_columns
from privacy.problems import Fault
from privacy.purposes import purpose

if TYPE_CHECKING:
    from campaigns.rendering.sandbox import Compiled

STARTERS = {
    "en": "{{ shop.name }}: new accessories for what you own. {{ shop.url }} Reply STOP to end.",
    "zh-hans": "{{ shop.name }}：为您的设备上新了配件，详见 {{ shop.url }} 回复TD退订",
}
LONGEST = 1_600
UNREGISTERED = gettext_lazy("The gateway sends registered texts alone: name the registered text.")
SAMPLE = Reader(full_name="Ann Example")


@dataclass(frozen=True, slots=True)
class Text:
    """A compiled text of one variant in one language."""

    body: Compiled
    template: str
    parameters: Mapping[str, Compiled]

    @property
    def names_the_reader(self) -> bool:
        parts = (self.body, *self.parameters.values())
        return any(path.startswith("customer") for part in parts for path in part.uses)

    def render(self, frame: Frame, reader: Reader) -> tuple[str, dict[str, str]]:
        """Return the text and the parameters for `reader`; raises TemplateError."""
        facts = _facts(frame, reader)
        text = self.body.render(facts).strip()
        if len(text) > LONGEST:
            raise TemplateError("too_long", str(LONGEST), field="text")
        return text, {name: part.render(facts) for name, part in self.parameters.items()}


def start(variant: Variant) -> None:
    """Give a new variant a text to begin with in each of the languages."""
    SmsText.objects.bulk_create(
        SmsText(variant=variant, locale=locale, text=text) for locale, text in STARTERS.items()
    )


def faults(campaign: Campaign, *, now: datetime) -> list[Fault]:
    """Return everything that keeps the campaign's text messages from being sent."""
    variants = list(campaign.variants.order_by("key").prefetch_related("sms_texts"))
    if not variants:
        return [Fault("no_variant", _("Add at least one variant."), "/variants")]
    found = [fault for variant in variants for fault in _variant_faults(campaign, variant, now)]
    everywhere = {row.locale for variant in variants for row in variant.sms_texts.all()}
    if not everywhere:
        found.append(Fault("no_message", _("Write the message of a variant."), "/variants"))
    for variant in variants:
        for locale in sorted(everywhere - {row.locale for row in variant.sms_texts.all()}):
            detail = _("Variant %(key)s has no text in “%(locale)s”.")
            detail %= {"key": variant.key, "locale": locale}
            found.append(Fault("missing_language", detail, f"/variants/{variant.key}"))
    if not any(variant.weight for variant in variants):
        found.append(Fault("no_weight", _("Give a variant a weight above 0."), "/variants"))
    return found


def _variant_faults(campaign: Campaign, variant: Variant, now: datetime) -> list[Fault]:
    found = []
    for row in variant.sms_texts.all():
        pointer = f"/variants/{variant.key}/sms/{row.locale}"
        frame = writing.frame(campaign, row.locale, now=now)
        try:
            text, _parameters = compiled(row).render(frame, SAMPLE)
            compiled(row).render(frame, Reader())
        except TemplateError as error:
            found.append(Fault(error.code, writing.explain(error), f"{pointer}/{error.field}"))
            continue
        if not sms.tells_how_to_stop(text):
            detail = _("Say how to get no more messages, such as “Reply STOP” or “回复TD退订”.")
            found.append(Fault("no_way_to_stop", detail, f"{pointer}/text"))
        if lacks_registered_text(row):
            detail = str(UNREGISTERED)
            found.append(Fault("no_registered_text", detail, f"{pointer}/template_id"))
    return found


def lacks_registered_text(row: SmsText) -> bool:
    """Whether the gateway sends registered texts alone, and this one names none."""
    from campaigns.channels.sms import needs_templates  # noqa: PLC0415 -- slow to load

    return not row.template_id and needs_templates()


def compiled(row: SmsText) -> Text:
    """Return the text of a row, parsed once; raises TemplateError."""
    return _compiled(row.text, row.template_id, tuple(sorted(row.parameters.items())))


@lru_cache(maxsize=64)
def _compiled(text: str, template: str, parameters: tuple[tuple[str, str], ...]) -> Text:
    from campaigns.rendering.sandbox import compile_template  # noqa: PLC0415 -- Liquid loads late

    return Text(
        compile_template(text, html=False, field="text"),
        template,
        {
            name: compile_template(value, html=False, field="parameters")
            for name, value in parameters
        },
    )


class TextComposer:
    """Composes one campaign's text messages at `now`, as `Composer` does its mails."""

    def __init__(self, campaign: Campaign, *, now: datetime) -> None:
        self._campaign = campaign
        self._now = now
        rows = SmsText.objects.filter(variant__campaign=campaign)
        self._texts = {(row.variant_id, row.locale): compiled(row) for row in rows}
        self._frames = {
            locale: writing.frame(campaign, locale, now=now) for _variant, locale in self._texts
        }

    def render(self, variant: int, locale: str, reader: Reader) -> Rendered:
        """Return what `reader` would read; raises TemplateError."""
        text, _parameters = self._texts[variant, locale].render(self._frames[locale], reader)
        return Rendered(locale, "", "", text)

    def sample(self, variant: int, locale: str) -> Rendered:
        """Return all that a gateway would be told for the sample reader; raises TemplateError."""
        text, parameters = self._texts[variant, locale].render(self._frames[locale], SAMPLE)
        return Rendered(locale, "", "", "\n".join([text, *parameters.values()]))

    def test(self, variant: int, locale: str, customer: int, key: str) -> Message | None:
        """Return a test for one customer's telephone, links as written; None if it has no number.

        Raises TemplateError.
        """
        kind = variant, locale
        known = self._people([customer], {kind}).get(customer) or {}
        if not (number := known.get("phone")):
            return None
        message = self._filled(kind, number, Reader(known.get("full_name") or ""), key)
        marked = _("[Test] %(subject)s") % {"subject": message.content.decode()}
        return replace(message, content=marked.encode())

    def compose(self, deliveries: Sequence[Delivery]) -> tuple[list[Message], dict[int, str]]:
        """Return the messages, and by delivery the reason where none could be made."""
        people = self._people(
            [row.customer_id for row in deliveries],
            {(_variant(row), row.locale) for row in deliveries},
        )
        gone = {row.customer_id for row in deliveries} - people.keys() - people.damaged
        barred = gate.barred(self._campaign, gone) if gone else {}
        made: list[tuple[Delivery, Message]] = []
        failed: dict[int, str] = {}
        for row in deliveries:
            known = people.get(row.customer_id)
            if known is None:
                failed[row.pk] = barred.get(row.customer_id, "damaged")
            elif not (number := known.get("phone") or ""):
                failed[row.pk] = "no_address"
            else:
                try:
                    reader = Reader(known.get("full_name") or "")
                    kind = _variant(row), row.locale
                    made.append((row, self._filled(kind, number, reader, str(row.pk))))
                except TemplateError:
                    failed[row.pk] = "template_error"
        return self._counted(made), failed

    def _counted(self, made: Sequence[tuple[Delivery, Message]]) -> list[Message]:
        """Exchange links for short ones, where the shop wants them counted."""
        if not has_short_links(self._campaign):
            return [message for _row, message in made]
        said = [(message.content.decode(), *message.parameters.values()) for _row, message in made]
        targets = {url for texts in said for text in texts for url in links.targets("", text)}
        numbers = link_numbers(self._campaign, targets)
        found = []
        for row, message in made:
            short = {url: short_url(row.pk, row.token or "", n) for url, n in numbers.items()}
            content = links.rewrite_text(message.content.decode(), short).encode()
            parameters = {
                name: links.rewrite_text(value, short) for name, value in message.parameters.items()
            }
            found.append(replace(message, content=content, parameters=parameters))
        return found

    def _filled(self, kind: tuple[int, str], number: str, reader: Reader, key: str) -> Message:
        content = self._texts[kind]
        text, parameters = content.render(self._frames[kind[1]], reader)
        return Message(
            key,
            "",
            number,
            text.encode(),
            self._now,
            reference=f"{self._campaign.uuid.hex}.{key}",
            template=content.template,
            parameters=parameters,
        )

    def _people(self, customers: Collection[int], kinds: Collection[tuple[int, str]]) -> Columns:
        fields = ["phone"]
        if any(self._texts[kind].names_the_reader for kind in kinds):
            fields.append("full_name")
        name = self._campaign.purpose
        reachable = targeting.reachable(self._campaign)
        readers = reachable.filter(pk__in=customers)
        with purpose(name, actor=f"campaign:{self._campaign.uuid}", now=self._now):
            return reveal_columns(readers, fields, name)


def _variant(row: Delivery) -> int:
    if row.variant_id is None:
        raise ValueError("a held-out customer gets no message")
    return row.variant_id


def _facts(frame: Frame, reader: Reader) -> dict[str, Any]:
    return {
        "shop": {"name": frame.shop_name, "url": frame.shop_url},
        "campaign": {"name": frame.campaign_name},
        "language": frame.language,
        "today": frame.today,
        "customer": {"full_name": reader.full_name, "first_name": first_name(reader.full_name)},
    }


def has_short_links(campaign: Campaign) -> bool:
    return campaign.is_marketing and SendingRules.current().short_links


def sample_short_link() -> str:
    """Return an address as long as the short links of a campaign planned now may get."""
    last = [model.objects.aggregate(pk=Max("pk"))["pk"] or 0 for model in (Delivery, Link)]
    return short_url(last[0] + 36**4, "x" * links.SHORT_MARK, last[1] + 36**2)


def sample_fields(frame: Frame) -> dict[str, str]:
    """Return what the fields of a text say for the sample reader, by their names in Liquid."""
    found: dict[str, str] = {}
    for name, value in _facts(frame, SAMPLE).items():
        parts = value.items() if isinstance(value, dict) else ()
        found |= {f"{name}.{part}": said for part, said in parts} if parts else {name: str(value)}
    return found


def as_sent(row: SmsText, frame: Frame, short_link: str) -> str:
    """Return what the sample reader would get, every link as long as `short_link` if there is one.

    A text with a fault is returned as it is written.
    """
    try:
        text, _parameters = compiled(row).render(frame, SAMPLE)
    except TemplateError:
        return row.text
    short = dict.fromkeys(links.targets("", text), short_link) if short_link else {}
    return links.rewrite_text(text, short)


def sign() -> str:
    """Return the signature that gateways in China put before each text."""
    from campaigns.channels.sms import Gateway  # noqa: PLC0415 -- slow to load

    told = Gateway.from_url(settings.SMS_URL).query.get("sign", "") if settings.SMS_URL else ""
    return f"【{told}】" if told else ""
