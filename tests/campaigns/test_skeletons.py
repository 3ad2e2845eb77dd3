"""A message out of its skeleton is byte for byte the one that is made as a whole."""

from __future__ import annotations

import pytest

from campaigns import composing, writing
from campaigns.composing import Composer
from campaigns.models import Delivery
from campaigns.rendering import starters
from campaigns.rendering.content import Content, Source
from campaigns.writing import source_of
from tests import make
from tests.campaigns.sending import launched
from tests.make import NOW

pytestmark = pytest.mark.django_db

NAMES = (
    *("Ann Lee", "O'Brien & Sons", "王 小明", "José-María Ñ", "L. P., Jr!", "X" * 190),
    *("", "  two  blanks ", "<b>bold</b>", 'a" href="https://evil.test/', "https://evil.test/x"),
    *("Ann\u2028Lee", "a=b", "&amp", "Dr.", ".", "p"),
)
TRICKY = (
    "<p>{{ customer.full_name }}</p>",
    "<body><p>{{ customer.first_name }} {{ customer.full_name }}</p></body>",
    "<p>.{{ customer.first_name }}.</p><p>{{ customer.first_name }}\n</p> \n.\n",
    "<p>&am{{ customer.first_name }};</p>",
    '<p style="display:none">{{ customer.first_name }}</p><a href="{{ unsubscribe_url }}">x</a>',
    '<a title="{{ customer.first_name }}" href="https://shop.test/a">{{ customer.first_name }}</a>',
    '<a href="https://shop.test/?n={{ customer.first_name }}">y</a>',
    '<a href="https://shop.test/{{ coupon.code }}">{{ coupon.code }}</a>',
    "{% if customer.full_name != '' %}Hi {{ customer.full_name | upcase }}{% endif %}, hello",
    "{% assign who = customer.first_name %}<p>{{ who }}</p>",
    "<p>{% cycle 'a', 'b' %}{% cycle 'a', 'b' %} {{ customer.first_name }}</p>",
    "<p>" + "王小明的优惠 " * 40 + "{{ customer.first_name }}</p>",
    "<p>" + "é" * 30 + "{{ customer.full_name }}</p>" + "<p>plain words</p>" * 3,
    "{% for n in (1..3) %}<p>{{ n }} {{ customer.first_name }} {{ shop.name }}</p>{% endfor %}",
    "<p>{{ nobody.knows }}</p>",
    "<p>{{ customer.nothing }}</p>",
    "<p>Nothing of anybody</p>",
    "<p>{{ unsubscribe_url | upcase }}</p>",
    "<p>{{ unsubscribe_url | truncate: 60 }} {{ unsubscribe_url | base64_encode }}</p>",
    '<p><a href="https://shop.test/bye?u={{ unsubscribe_url }}">x</a></p>',
    '<p><a href="{{ unsubscribe_url }}?a=1">x</a> {{ unsubscribe_url }}</p>',
)
FEW = composing.MANY - 1
TEXTS = (
    "Hi {{ customer.full_name }}\nhttps://shop.test/b {{ unsubscribe_url }}\n",
    "https://shop.test/{{ customer.first_name }}",
)


def sources() -> list[Source]:
    drafts = [draft for name in starters.names() for draft in writing.starter_drafts(name)]
    subject = "Hi {{ customer.first_name }} of {{ shop.name }}"
    return [
        *map(source_of, drafts),
        *(Source("en", subject, html) for html in TRICKY),
        *(Source("en", subject, "<p>x</p>", text) for text in TEXTS),
        Source("en", "Leave by {{ unsubscribe_url }}", "<p>{{ customer.first_name }}</p>"),
    ]


def test_every_message_out_of_a_skeleton_is_the_one_that_is_made_as_a_whole() -> None:
    for number, name in enumerate(NAMES):
        make.reader(f"c{number}", full_name=name)
    campaign = launched()
    rows = list(Delivery.objects.order_by("pk"))
    n_filled = 0
    for source in sources():
        contents = {(rows[0].variant_id or 0, "en"): Content(source)}
        at_once = Composer(campaign, now=NOW, contents=contents)
        one_by_one = Composer(campaign, now=NOW, contents=contents)

        made, failed = at_once.compose(rows)

        starts = range(0, len(rows), FEW)
        whole = [one_by_one.compose(rows[start : start + FEW]) for start in starts]
        assert made == [message for messages, _ in whole for message in messages], source.html
        assert failed == {pk: why for _, some in whole for pk, why in some.items()}
        outline = Content(source).outline(
            writing.frame(campaign, "en", now=NOW), unsubscribe_url=""
        )
        n_filled += outline is not None
    assert n_filled >= len(starters.names())


MANY_WORDS = "{% for n in (1..1500) %}<p>" + "x" * 150 + "</p>{% endfor %}"
MANY_NAMES = "{% for n in (1..1200) %}{{ customer.full_name }}{% endfor %}"


@pytest.mark.parametrize(
    "source",
    [
        Source("en", "Hi", f"{MANY_WORDS}{{{{ customer.first_name }}}}{MANY_WORDS}"),
        Source("en", "Hi", f"<p>{MANY_NAMES}</p>{{{{ shop.name }}}}<p>{MANY_NAMES}</p>"),
        Source("en", "Hi", "<p>x</p>", f"{MANY_NAMES} {{{{ shop.name }}}} {MANY_NAMES}"),
    ],
    ids=["what is the same for all", "readers' own words", "the text"],
)
def test_a_message_is_as_long_as_a_template_may_be_however_it_is_made(source: Source) -> None:
    for number in range(composing.MANY):
        make.reader(f"c{number}", full_name="Wolfeschlegelstein " * 10)
    campaign = launched()
    rows = list(Delivery.objects.order_by("pk"))
    contents = {(rows[0].variant_id or 0, "en"): Content(source)}

    made, failed = Composer(campaign, now=NOW, contents=contents).compose(rows)

    assert made == []
    assert set(failed.values()) == {"template_error"}


def test_the_messages_of_a_batch_bear_each_readers_own_token_alone() -> None:
    for number in range(composing.MANY):
        make.reader(f"c{number}")
    campaign = launched()
    rows = list(Delivery.objects.order_by("pk"))

    made, _ = Composer(campaign, now=NOW).compose(rows)

    for row, message in zip(rows, made, strict=True):
        joined = message.content.replace(b"=\r\n", b"")
        assert {other.pk for other in rows if str(other.token).encode() in joined} == {row.pk}
