from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from profiles.orders.filed_refunds import Candidate, Part, split
from tests.make import NOW


def bought(line_id: int, quantity: int, *, days_ago: int) -> Candidate:
    return Candidate(NOW - timedelta(days=days_ago), line_id, line_id, quantity)


def test_a_refund_comes_from_the_latest_line_first_and_goes_over_several() -> None:
    lines = [bought(3, 2, days_ago=1), bought(2, 2, days_ago=5), bought(1, 9, days_ago=9)]

    parts = list(split(5, 1000, lines, refunded_at=NOW))

    assert parts == [Part(3, 2, 400), Part(2, 2, 400), Part(1, 1, 200)]
    assert [line.left for line in lines] == [0, 0, 8]


def test_a_refund_never_comes_from_a_later_line() -> None:
    lines = [bought(2, 5, days_ago=-1), bought(1, 1, days_ago=0)]

    assert list(split(2, 300, lines, refunded_at=NOW)) == [Part(1, 1, 150), Part(None, 1, 150)]


def test_a_refund_of_nothing_known_has_no_line() -> None:
    assert list(split(2, 300, [], refunded_at=NOW)) == [Part(None, 2, 300)]


@given(
    st.integers(1, 1000),
    st.integers(0, 10**7),
    st.lists(st.tuples(st.integers(0, 50), st.integers(-3, 30)), max_size=12),
)
def test_parts_add_up_and_no_line_gives_back_more_than_it_had(
    quantity: int, amount: int, stock: list[tuple[int, int]]
) -> None:
    lines = [bought(n, left, days_ago=days) for n, (left, days) in enumerate(stock)]
    lines.sort(key=lambda line: line.placed_at, reverse=True)
    had = {line.line_id: line.left for line in lines}

    parts = list(split(quantity, amount, lines, refunded_at=NOW))

    assert sum(part.quantity for part in parts) == quantity
    assert sum(part.amount_minor for part in parts) == amount
    assert all(part.amount_minor >= 0 for part in parts)
    assert all(line.left >= 0 for line in lines)
    taken = {line.line_id: had[line.line_id] - line.left for line in lines}
    assert {p.line_id: p.quantity for p in parts if p.line_id is not None} == {
        line_id: n for line_id, n in taken.items() if n
    }
