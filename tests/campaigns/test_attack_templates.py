"""What an attacker could write into a template: each is refused by a clear word, none harms."""

from __future__ import annotations

import time

import pytest

from campaigns import writing
from campaigns.rendering import blocks, markup
from campaigns.rendering.content import Content, Frame, Pick, Reader, Source
from campaigns.rendering.faults import TemplateError

FRAME = Frame("Shop", "https://shop.test", "Footer", "June", "en", "2026-03-02")
READER = Reader("Ann Lee", [Pick("p", "TV", "TVs", "1.00", "", "https://shop.test/", "Popular")])
PATIENCE_SECONDS = 5.0

WALKS = [
    "{{ customer.__class__ }}",
    "{{ customer.__class__.__mro__ }}",
    "{{ customer.full_name.__class__.__base__.__subclasses__ }}",
    "{{ shop.__init__.__globals__ }}",
    "{{ recommendations.__len__ }}",
    "{{ recommendations[0].__dict__ }}",
    "{{ customer['__class__'] }}",
    "{{ customer.email }}",
    "{{ customer.subject.uuid }}",
    "{{ settings.SECRET_KEY }}",
    "{{ request.user }}",
    "{{ self }}",
    "{{ config }}",
    "{{ shop.name.format }}",
    "{{ campaign.deliveries }}",
    "{{ coupon.delivery }}",
]
LOOPS = [
    "{% for i in (1..1000000000) %}x{% endfor %}",
    "{% for i in (1..100000) %}x{% endfor %}",
    "{% for i in (1..4000) %}{% for j in (1..4000) %}x{% endfor %}{% endfor %}",
    "{% tablerow i in (1..1000000) cols:1 %}x{% endtablerow %}",
    "{% for i in (1..5000) %}{% for c in recommendations %}{% for d in (1..9) %}y{% endfor %}{% endfor %}{% endfor %}",
    "{% for i in (-999999999..999999999) %}{{ i }}{% endfor %}",
]
MEMORY = [
    '{% assign a = "xxxxxxxxxxxxxxxx" %}' + "{% assign a = a | append: a %}" * 30 + "{{ a }}",
    "{{ (1..100000000) | join: 'xxxxxxxx' }}",
    "{{ (1..100000000) | size }}",
    "{{ (1..100000000) | reverse | first }}",
    '{% for i in (1..4999) %}{% capture x %}{{ x | default: "" }}'
    + "y" * 500
    + "{% endcapture %}{% endfor %}{{ x }}",
    "{% for i in (1..4999) %}" + "z" * 200 + "{% endfor %}",
    "{{ 999999999999 | times: 999999999999 | times: 999999999999 }}",
    '{{ "a" | append: "b" | split: "" | join: "" | unknown_filter }}',
    "x" * 200_001,
]
REACHES = [
    "{% include 'secrets' %}",
    "{% render 'secrets' %}",
    "{% include '/etc/passwd' %}",
    "{{ 'x' | eval }}",
    "{{ 'x' | exec: 'id' }}",
    "{{ shop.url | fetch }}",
    "{% exec 'id' %}",
    "{% python %}import os{% endpython %}",
    "{% load static %}",
    "{% if %}",
    "{{ customer.full_name | ",
    "{% for %}{% endfor %}",
    "{% if true %}" * 60 + "{% endif %}" * 60,
]
IN_WORDS = [
    "{{ customer | map: '__class__' }}",
    "{{ shop | map: 'url.__class__' | first }}",
    "{{ recommendations | where: '__class__' | size }}",
    "{{ recommendations | sum: '__class__' }}",
    "{{ 1 | plus: 99999999999999999999 | times: 99999999999999999999 }}",
    "{% for i in (1..5000) %}{% cycle customer.__class__, 'x' %}{% endfor %}",
    "{% case customer.__dict__ %}{% when 1 %}x{% endcase %}",
    "{% assign x = customer.__reduce__ %}{{ x }}",
    "{% capture x %}{{ unsubscribe_url.__globals__ }}{% endcapture %}",
    "{% liquid\ninclude 'secrets' %}",
    "{% extends '/etc/passwd' %}",
    "{% macro x %}{% endmacro %}{% call x %}{% import os %}",
]
REFUSED = [*WALKS, *LOOPS, *MEMORY, *REACHES, *IN_WORDS]
MARKUP = [
    "<mjml><mj-body><mj-include path='/etc/passwd' /></mj-body></mjml>",
    "<mjml><mj-body><mj-raw><script>alert(1)</script></mj-raw></mj-body></mjml>",
    "<mjml><mj-body><mj-raw><iframe src='https://evil.test'></iframe></mj-raw></mj-body></mjml>",
    "<mjml><mj-body><mj-raw><form action='https://evil.test'></form></mj-raw></mj-body></mjml>",
    "<mjml><mj-body><mj-raw><img src='x' onerror='alert(1)'></mj-raw></mj-body></mjml>",
    "<mjml><mj-body><mj-button href='javascript:alert(1)'>x</mj-button></mj-body></mjml>",
    "<mjml><mj-body>",
]


def test_there_are_forty_and_more() -> None:
    assert len(set(REFUSED)) >= 50
    assert len(set(MARKUP)) >= 7


@pytest.mark.parametrize("field", ["subject", "html"])
@pytest.mark.parametrize("attack", REFUSED, ids=lambda text: text[:40])
def test_an_attack_is_refused_with_a_code_and_in_time(attack: str, field: str) -> None:
    parts = {"subject": "Hello", "html": "<p>Hello</p>"} | {field: attack}
    began = time.monotonic()

    with pytest.raises(TemplateError) as told:
        Content(Source("en", **parts)).render(FRAME, READER, unsubscribe_url="https://shop.test/u")

    assert len(writing.explain(told.value)) > 10  # a sentence for whoever wrote it
    assert told.value.field == ("subject" if field == "subject" else "body_html")
    assert time.monotonic() - began < PATIENCE_SECONDS


@pytest.mark.parametrize("attack", MARKUP)
def test_markup_that_runs_or_reads_is_refused(attack: str) -> None:
    with pytest.raises(TemplateError) as told:
        markup.to_html(attack)

    assert told.value.code in {"forbidden_markup", "wrong_mjml"}


@pytest.mark.parametrize("end", ["\r\n", "\n", "\x00", "\x85", "\u2028"])
def test_no_value_adds_a_header(end: str) -> None:
    reader = Reader(f"Ann{end}Bcc: all@evil.test")
    source = Source("en", "Hi {{ customer.full_name }}", "<p>x</p>")

    shown = Content(source).render(FRAME, reader, unsubscribe_url="https://shop.test/u")

    assert end not in shown.subject
    assert len(shown.subject.splitlines()) == 1


def test_what_a_reader_is_called_is_text_wherever_it_stands() -> None:
    reader = Reader("<script>alert(1)</script>{{ shop.url }}")
    html = blocks.compiled(
        [{"type": "text", "title": "{{ customer.full_name }}", "text": "x"}],
        blocks.Brand(),
        language="en",
    )
    source = Source("en", "x", markup.to_html(html))

    shown = Content(source).render(FRAME, reader, unsubscribe_url="https://shop.test/u")

    assert "<script" not in shown.html
    assert "{{ shop.url }}" in shown.html


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ({"type": "script"}, "unknown_block"),
        ({"type": "button", "button": "x", "link": "javascript:alert(1)"}, "wrong_link"),
        ({"type": "image", "image": "data:text/html,x"}, "wrong_link"),
        ({"type": "text", "text": ""}, "empty_block"),
        ({"type": "text", "text": ["x"]}, "wrong_block"),
        ({"type": "text", "text": "x" * 5_001}, "wrong_block"),
    ],
)
def test_a_block_that_cannot_be_is_refused_by_name(block: dict[str, object], code: str) -> None:
    with pytest.raises(TemplateError) as told:
        blocks.compiled([block], blocks.Brand(), language="en")

    assert told.value.code == code
    assert told.value.line == 1
