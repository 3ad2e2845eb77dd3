"""The words of personas: for each fact a phrase, a title, and a label that stands alone."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Words:
    """`phrase` stands in the sentence, `title` names the persona, `label` in a comparison.

    `%(value)s` is the fact's own value. An empty `title` never names a persona.
    """

    label: Promise | str
    phrase: Promise | str = ""
    title: Promise | str = ""


# Keyed by "code:value", or by the code alone where the value is the shop's own word.
WORDS: dict[str, Words] = {
    "value:high": Words(_("Top fifth by money spent"), _("spends a lot"), _("big spenders")),
    "value:low": Words(_("Bottom third by money spent"), _("spends little"), _("small spenders")),
    "frequency:often": Words(_("Top fifth by orders"), _("comes back often"), _("regulars")),
    "frequency:once": Words(_("One order only"), _("has ordered once"), _("one-time buyers")),
    "recency:recent": Words(
        _("Ordered in the last 30 days"), _("ordered in the last 30 days"), _("active customers")
    ),
    "recency:lapsed": Words(
        _("No order for 90 days"), _("has not ordered for 90 days"), _("lapsed customers")
    ),
    "tenure:new": Words(
        _("First order in the last 60 days"), _("first ordered in the last 60 days"), _("newcomers")
    ),
    "price:high": Words(
        _("Top fifth by price per unit"), _("costly things"), _("buyers of costly things")
    ),
    "price:low": Words(
        _("Bottom third by price per unit"), _("low-priced things"), _("low-price buyers")
    ),
    "order:big": Words(
        _("Top fifth by order size"), _("places large orders"), _("large-order buyers")
    ),
    "order:small": Words(
        _("Bottom third by order size"), _("places small orders"), _("small-order buyers")
    ),
    "discount:never": Words(_("Never at a discount"), _("at full price"), _("full-price buyers")),
    "discount:often": Words(
        _("Three in ten lines or more at a discount"),
        _("often at a discount"),
        _("bargain hunters"),
    ),
    "refund:often": Words(
        _("A tenth of the money or more refunded"), _("sends a lot back"), _("returners")
    ),
    "hour:night": Words(
        _("A third of orders or more from 0 to 6 h"), _("at night"), _("night shoppers")
    ),
    "hour:morning": Words(
        _("A third of orders or more from 6 to 12 h"), _("in the morning"), _("morning shoppers")
    ),
    "hour:afternoon": Words(
        _("A third of orders or more from 12 to 18 h"),
        _("in the afternoon"),
        _("afternoon shoppers"),
    ),
    "hour:evening": Words(
        _("A third of orders or more from 18 to 24 h"), _("in the evening"), _("evening shoppers")
    ),
    "weekend:often": Words(
        _("A third of orders or more at weekends"), _("at weekends"), _("weekend shoppers")
    ),
    "answers:email": Words(
        _("Opened or clicked an e-mail in the last 90 days"),
        _("answers to e-mail"),
        _("e-mail readers"),
    ),
    "channel": Words(
        _("Comes to the shop by %(value)s"), _("comes by %(value)s"), _("visitors by %(value)s")
    ),
    "category": Words(
        _("A third of the money or more on %(value)s"), "%(value)s", _("buyers of %(value)s")
    ),
    "age_band": Words(_("Age %(value)s"), _("%(value)s years old")),
    "gender:female": Words(_("Women"), _("mostly women")),
    "gender:male": Words(_("Men"), _("mostly men")),
    "gender:other": Words(_("Other gender")),
    "country": Words(_("From %(value)s"), _("from %(value)s")),
    "city": Words(_("From %(value)s"), _("from %(value)s")),
    "own_high": Words(_("Top fifth by “%(value)s”")),
    "own_value": Words("%(value)s"),
    "occupation": Words(_("Occupation: %(value)s"), _("occupation often %(value)s")),
}
