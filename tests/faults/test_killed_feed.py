"""Kill -9 half-way through a feed of which a third is broken: it goes on, keeps what is good, tells why."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from profiles.files.appended import FULL_BYTES
from tests.faults.installation import installation, kill, until

pytestmark = pytest.mark.slow

N_ROWS = int(os.environ.get("FAULT_FEED_ROWS", "9000"))
HEADER = ("id", "title", "price", "availability")
BROKEN = [
    (("{}", "Item", "NaN", "in_stock"), "price_invalid"),
    (("", "Item", "1.00 EUR", "in_stock"), "id_missing"),
    (("{}", "", "1.00 EUR", "in_stock"), "title_missing"),
    (("{}", "Item"), "field_count"),
]
ITEM = (
    "<item><g:id>{}</g:id><title>{}</title><g:price>{}</g:price>"
    "<g:availability>in_stock</g:availability></item>\n"
)
HEAD = '<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>\n'
BROKEN_ITEMS = [
    (("{}", "Item", "NaN"), "price_invalid"),
    (("", "Item", "1.00 EUR"), "id_missing"),
    (("{}", "", "1.00 EUR"), "title_missing"),
    (("{}", "a & b", "1.00 EUR"), "xml_invalid"),
]


def written(path: Path, *, is_xml: bool) -> Counter[str]:
    """Write the feed, row by row, and return how many rows are wrong by each reason."""
    found: Counter[str] = Counter()
    with path.open("w") as file:
        file.write(HEAD if is_xml else "\t".join(HEADER) + "\n")
        broken = BROKEN_ITEMS if is_xml else BROKEN
        for n in range(N_ROWS):
            cells: tuple[str, ...] = (f"p{n}", f"Item {n}", "10.00 EUR", "in_stock")
            if n % 3 == 2:
                wrong, code = broken[n // 3 % len(broken)]
                cells = tuple(cell.format(f"p{n}") for cell in wrong)
                found[code] += 1
            file.write(ITEM.format(*cells[:3]) if is_xml else "\t".join(cells) + "\n")
        file.write("</channel></rss>\n" if is_xml else "")
    return found


@pytest.mark.parametrize(
    ("database", "form"),
    [("sqlite", "xml"), pytest.param("postgresql", "tsv", marks=pytest.mark.postgres)],
)
def test_a_feed_killed_half_way_keeps_what_is_good_and_tells_why_of_the_rest(
    database: str, form: str, tmp_path: Path
) -> None:
    path = tmp_path / "feed"
    told = written(path, is_xml=form == "xml")
    url = os.environ["TEST_DATABASE_URL"] if database == "postgresql" else ""
    with installation(
        tmp_path / "var", database=url, redis=os.environ.get("TEST_REDIS_URL", "")
    ) as made:
        made.migrate()
        process = made.start("import_feed", str(path))
        products = "SELECT COUNT(*) FROM recommendations_product"
        until(lambda: made.rows(products)[0][0] * 3 > N_ROWS or process.poll() is not None, "half")
        assert process.poll() is None, "the feed was in before the kill"
        kill(process)
        [(before,)] = made.rows(products)

        done = made.manage("import_feed", str(path))

        assert done.returncode == 0, done.stderr
        assert "Going on with job" in done.stdout
        n_good = N_ROWS - told.total()
        assert 0 < before < n_good
        assert made.rows(products) == [(n_good,)]
        [report] = (tmp_path / "var" / "feeds").iterdir()
        with report.open(newline="") as file:
            rows = list(csv.DictReader(file))
        *rows, last = rows if report.stat().st_size > FULL_BYTES else [*rows, {"id": "0"}]
        assert {row["verdict"] for row in rows} == {"rejected"}
        [n_beyond] = map(int, re.findall(r"\d+", last["id"]))
        assert len(rows) + n_beyond == told.total()
        [(summary,)] = made.rows("SELECT summary FROM recommendations_feedimport")
        codes = (json.loads(summary) if isinstance(summary, str) else summary)["codes"]
        assert codes == told
        if not n_beyond:
            assert Counter(row["code"] for row in rows) == told
