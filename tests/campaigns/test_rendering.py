"""Templates: bounded, strict, safe; messages: right headers, tracked links, a text part."""

from __future__ import annotations

import email
import email.policy
import re
import time
from email.message import EmailMessage
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rendering import links, locales, message, starters
from campaigns.rendering.content import Content, Frame, Pick, Reader, Source, first_name
from campaigns.rendering.faults import TemplateError
from campaigns.rendering.sandbox import compile_template
from tests.make import NOW

FRAME = Frame("Volt", "https://volt.test", "Volt Ltd\n1 Road", "June", "en")
PICK = Pick("p1", "Cable & Co", "Audio", "€12.00", "", "https://volt.test/p?a=1&b=2", "You own X")
ENVELOPE = message.Envelope(
    "Volt",
    "v@volt.test",
    "ann@example.com",
    "<1@volt.test>",
    NOW,
    "https://volt.test/u/t",
    "u@v.test",
)
DOUBLING = (
    "{% capture a %}xxxxxxxxxx{% endcapture %}"
    "{% for i in (1..60) %}{% capture a %}{{ a }}{{ a }}{% endcapture %}{% endfor %}"
)
FACTS = {"customer": {"first_name": "Ann"}, "recommendations": [1, 2, 3]}


def parsed(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


@pytest.mark.parametrize(
    ("source", "code", "about"),
    [
        ("Hi {{ custmer.first_name }}", "unknown_variable", "custmer"),
        ("{% if customer.frist_name %}x{% endif %}", "unknown_variable", "customer.frist_name"),
        ("{{ customer.__class__ }}", "unknown_variable", "customer.__class__"),
        ("{{ customer.first_name | shout }}", "unknown_filter", "shout"),
        ("{% for i in (1..1000000000) %}x{% endfor %}", "endless_loop", ""),
        ("{% for i in (1..1000000000000000000000) %}x{% endfor %}", "endless_loop", ""),
        (
            "{% for a in (1..1000) %}{% for b in (1..1000) %}x{% endfor %}{% endfor %}",
            "endless_loop",
            "",
        ),
        ("{% tablerow i in (1..1000000000) %}x{% endtablerow %}", "endless_loop", ""),
        (
            "{% assign a='aaaa' %}{% for i in (1..60) %}{% assign a=a | append: a %}{% endfor %}",
            "too_much_memory",
            "",
        ),
        (
            "{% assign i=9 %}{% for k in (1..60) %}{% assign i=i | times: i %}{% endfor %}",
            "too_much_memory",
            "",
        ),
        ("{% assign x=(1..100000000) | join: ',' %}", "too_much_memory", ""),
        (
            DOUBLING,
            "too_much_output",
            "",
        ),
        ("{% include 'secret' %}", "syntax", "include"),
        ("{% render 'secret' %}", "syntax", "render"),
        ("{% for i in recommendations %}", "syntax", ""),
        ("{{ 5 | divided_by: 0 }}", "wrong_value", ""),
        ("x" * 200_001, "too_long", "200000"),
    ],
)
def test_a_template_that_cannot_be_used_says_why(source: str, code: str, about: str) -> None:
    began = time.process_time()

    with pytest.raises(TemplateError) as caught:
        compile_template(source, html=True, field="body_html").render(FACTS)

    assert (caught.value.code, caught.value.field) == (code, "body_html")
    assert about in caught.value.about
    assert time.process_time() - began < 1


def test_the_line_of_a_fault_is_named() -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template("one\ntwo {{ three }}", html=True).render(FACTS)

    assert caught.value.line == 2


def test_values_are_escaped_in_html_and_plain_in_the_subject() -> None:
    source = Source("en", "For {{ customer.full_name }}", "<p>{{ customer.full_name }}</p>")

    rendered = Content(source).render(FRAME, Reader("<b>O'Neil"), unsubscribe_url="")

    assert rendered.subject == "For <b>O'Neil"
    assert rendered.html == f"<p>{escape('<b>O', quote=True)}&#39;Neil</p>"
    assert rendered.text == "<b>O'Neil"


def test_a_line_break_in_a_name_cannot_start_a_header() -> None:
    source = Source("en", "Hi {{ customer.full_name }}", "<p>x</p>")
    evil = Reader("Ann\r\nBcc: all@example.com")

    rendered = Content(source).render(FRAME, evil, unsubscribe_url="")
    raw = message.build(ENVELOPE, subject=rendered.subject, html="x", text="x")

    assert "Bcc" not in parsed(raw)
    assert parsed(raw)["Subject"] == "Hi Ann Bcc: all@example.com"


@pytest.mark.parametrize("field", ["sender_name", "sender_email", "message_id", "unsubscribe_url"])
def test_a_line_break_in_a_fixed_header_is_refused(field: str) -> None:
    facts = {name: getattr(ENVELOPE, name) for name in message.Envelope.__slots__}
    evil = message.Envelope(**{**facts, field: "x\r\nBcc: a@b.co"})

    with pytest.raises(message.HeaderError):
        message.build(evil, subject="s", html="h", text="t")


def test_headers_of_one_click_unsubscription_stand_as_rfc_8058_says() -> None:
    raw = message.build(ENVELOPE, subject="s", html="h", text="t")

    assert (
        b"\r\nList-Unsubscribe: <https://volt.test/u/t>, <mailto:u@v.test?subject=unsubscribe>\r\n"
        in raw
    )
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    assert raw.count(b"List-Unsubscribe-Post") == 1


@given(st.text(), st.text(alphabet=st.characters(blacklist_categories=["Cs"])))
def test_any_text_comes_back_out_of_a_message(subject: str, body: str) -> None:
    raw = message.build(
        ENVELOPE, subject=subject.encode("utf-8", "ignore").decode(), html=body, text=body
    )
    back = parsed(raw)
    plain = back.get_body(("plain",))
    assert plain is not None

    assert [line.rstrip() for line in plain.get_content().splitlines()] == [
        line.rstrip() for line in "\n".join(body.splitlines()).splitlines()
    ]
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert raw.isascii()


def test_subject_and_sender_in_chinese_come_back() -> None:
    envelope = message.Envelope("电器商店", "v@volt.test", "ann@例子.com", "<1@v>", NOW)

    back = parsed(message.build(envelope, subject="为您挑选 " * 20, html="你好", text="你好"))

    assert back["Subject"] == ("为您挑选 " * 20).strip()
    assert back["From"] == "电器商店 <v@volt.test>"
    assert back["To"] == "ann@xn--fsqu00a.com"


@pytest.mark.parametrize(
    "address",
    ["", "ann", "@x.com", "ann@", "a b@x.com", "ann@x", '"a"@x.com', "ann@x.com,b@y.com",
     "ann\r\n@x.com", "a" * 65 + "@x.com", "ann@" + "x" * 64 + ".com", "张@x.com", "a..b@x.com"],
)  # fmt: skip
def test_an_address_that_cannot_be_mailed_is_refused(address: str) -> None:
    with pytest.raises(message.AddressError):
        message.mailable(address)


def test_links_are_exchanged_and_nothing_else() -> None:
    html = (
        '<a class="b" href="https://v.test/?a=1&amp;b=2">x</a> <a href=\'http://v.test/2\'>y</a>'
        '<a href="mailto:a@b.co">m</a> <a href="#top">t</a> <a href="javascript:x()">j</a>'
        '<img src="https://v.test/i.png">'
    )

    found = links.targets(html)
    changed = links.rewrite(html, {url: f"https://c.test/{n}" for n, url in enumerate(found)})

    assert found == ["https://v.test/?a=1&b=2", "http://v.test/2"]
    assert re.findall(r"""href=["'](.*?)["']""", changed) == [
        "https://c.test/0", "https://c.test/1", "mailto:a@b.co", "#top", "javascript:x()",
    ]  # fmt: skip
    assert 'src="https://v.test/i.png"' in changed


def test_the_pixel_is_the_last_thing_in_the_body() -> None:
    assert links.with_pixel("<body>x</BODY>", "https://o").startswith("<body>x<img")
    assert links.with_pixel("x", "https://o").endswith('style="display:block;border:0">')
    assert links.without_pixel(links.with_pixel("<body>x</body>", "https://o")) == "<body>x</body>"


def test_plain_text_writes_links_out_and_leaves_styles_behind() -> None:
    html = "<style>p{}</style><h1>Hi</h1><p>a &amp; b<br>c</p><a href='https://v.test/1'>Go</a>"

    assert links.to_text(html) == "Hi\n\na & b\n\nc\n\nGo (https://v.test/1)"


def test_links_in_plain_text_are_exchanged_without_the_full_stop() -> None:
    text = "See https://v.test/1. Or (https://v.test/2), https://v.test/(3)"

    found = links.targets("", text)

    assert found == ["https://v.test/1", "https://v.test/2", "https://v.test/(3)"]
    assert links.rewrite_text(text, {found[0]: "A", found[1]: "B"}) == (
        "See A. Or (B), https://v.test/(3)"
    )


@pytest.mark.parametrize(
    ("url", "counted"),
    [
        ("https://v.test/1", True),
        ("HTTP://v.test", True),
        ("https://v.test/" + "x" * links.MAX_URL, False),
        ("https://v.test/a b", False),
        ("https://v.test/\x00", False),
        ("https://[::1/", False),
        ("https:///nowhere", False),
        ("mailto:ann@v.test", False),
    ],
)
def test_only_a_web_address_of_bearable_length_is_redirected_to(url: str, *, counted: bool) -> None:
    assert links.is_trackable(url) is counted


def test_a_link_that_says_its_address_is_not_written_out_twice() -> None:
    html = '<a href="https://v.test/1">https://v.test/1</a> <a href="#top">Up</a> <a href="/x"></a>'
    assert links.to_text(html) == "https://v.test/1 Up"


def test_a_language_is_chosen_among_some() -> None:
    with pytest.raises(ValueError, match="no language"):
        locales.choose("en", [], shop_language="en")


@pytest.mark.parametrize(
    ("wanted", "available", "shop", "chosen"),
    [
        ("en-GB", ["en", "en-gb"], "en", "en-gb"),
        ("en_US", ["en", "zh-hans"], "zh-hans", "en"),
        ("zh-CN", ["en", "zh-hans"], "en", "zh-hans"),
        ("zh-TW", ["en", "zh-hans"], "en", "zh-hans"),
        ("de", ["en", "zh-hans"], "zh-hans", "zh-hans"),
        ("", ["en", "zh-hans"], "zh-hans", "zh-hans"),
        ("de", ["en", "fr"], "es", "en"),
        ("de", ["fr", "it"], "es", "fr"),
    ],
)
def test_a_reader_gets_the_nearest_language(
    wanted: str, available: list[str], shop: str, chosen: str
) -> None:
    assert locales.choose(wanted, available, shop_language=shop) == chosen


@pytest.mark.parametrize(("name", "first"), [("Ann Lee", "Ann"), ("张伟", "张伟"), ("", "")])
def test_people_are_greeted_by_the_first_name(name: str, first: str) -> None:
    assert first_name(name) == first


@pytest.mark.parametrize("starter", starters.load("picked_for_you"), ids=lambda s: s.locale)
@pytest.mark.parametrize("reader", [Reader(), Reader("Ann Lee", [PICK])], ids=["nobody", "ann"])
def test_every_starter_renders_for_everybody(starter: starters.Starter, reader: Reader) -> None:
    content = Content(Source(starter.locale, starter.subject, starter.body_html))

    rendered = content.render(FRAME, reader, unsubscribe_url="https://volt.test/u/t")

    assert rendered.subject
    assert 'href="https://volt.test/u/t"' in rendered.html
    assert ("Cable &amp; Co" in rendered.html) == bool(reader.picks)
    assert content.names_the_reader
    assert content.recommends


def test_starters_come_in_english_and_chinese() -> None:
    assert {s.locale for name in starters.names() for s in starters.load(name)} == {"en", "zh-hans"}
