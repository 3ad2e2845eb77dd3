"""Personal data in free text is found, and numbers of things are left alone."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import finder
from privacy.finder import Kind, Span

CORPUS = Path(__file__).parent / "data" / "free_text.txt"
MARK = re.compile(r"⟦([a-z ]+):([^⟧]*)⟧")


def labelled() -> list[tuple[str, set[Span]]]:
    """Each line of the corpus without its marks, and what the marks say."""
    found = []
    for line in CORPUS.read_text(encoding="utf-8").splitlines()[1:]:
        text, spans, at = "", set(), 0
        for mark in MARK.finditer(line):
            text += line[at : mark.start()]
            spans.add(Span(len(text), len(text) + len(mark[2]), Kind(mark[1])))
            text, at = text + mark[2], mark.end()
        found.append((text + line[at:], spans))
    return found


def test_the_corpus_is_found_with_few_misses_and_few_false_alarms() -> None:
    lines = labelled()
    right, wrong, missed = Counter[Kind](), Counter[Kind](), Counter[Kind]()
    for text, told in lines:
        found = set(finder.find(text))
        right += Counter(span.kind for span in found & told)
        wrong += Counter(span.kind for span in found - told)
        missed += Counter(span.kind for span in told - found)
    n_right, n_wrong, n_missed = right.total(), wrong.total(), missed.total()
    precision, recall = n_right / (n_right + n_wrong), n_right / (n_right + n_missed)

    sys.stdout.write(
        f"{len(lines)} lines: precision {precision:.3f}, recall {recall:.3f}; "
        f"false {dict(wrong)}, missed {dict(missed)}\n"
    )
    assert len(lines) >= 200
    assert precision >= 0.97
    assert recall >= 0.95


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("打我电话１３８００１３８０００吧", "打我电话[phone]吧"),
        ("ann@shop.example, +49 30 901820", "[email], [phone]"),
        ("id 11010519491231002X", "id [resident id]"),
        ("4111 1111 1111 1111", "[bank card]"),
        ("Order 4711 of 2024-03-15", "Order 4711 of 2024-03-15"),
    ],
)
def test_findings_are_replaced_by_their_kind(text: str, masked: str) -> None:
    assert finder.redact(text) == masked


def test_the_example_of_the_standard_is_a_resident_id_and_no_neighbour_of_it_is() -> None:
    # GB 11643-1999 gives 11010519491231002X as its example.
    signs = "0123456789X"

    found = [sign for sign in signs if finder.holds(f"身份证11010519491231002{sign}")]

    assert found == ["X"]


@pytest.mark.parametrize(
    "number",
    # Test numbers the networks publish for this use.
    ["4242424242424242", "5555555555554444", "2223003122003222", "378282246310005",
     "6011111111111117", "3566002020360505", "36227206271667", "6200000000000005"],
)  # fmt: skip
def test_a_card_of_each_network_is_found_and_a_wrong_digit_is_not(number: str) -> None:
    wrong = f"{number[:-1]}{(int(number[-1]) + 1) % 10}"

    assert [span.kind for span in finder.find(f"card {number}")] == [Kind.BANK_CARD]
    assert finder.find(f"card {wrong}") == []


@given(st.text())
def test_spans_lie_in_the_text_apart_and_in_order(text: str) -> None:
    around = f"{text} a@b.cn 13800138000 {text}"

    spans = finder.find(around)

    ends = [0, *(span.end for span in spans)]
    assert all(0 <= end <= span.start < span.end for end, span in zip(ends, spans, strict=False))
    assert bool(spans) == finder.holds(around)
