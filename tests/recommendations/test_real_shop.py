"""The engines on a real shop's year: figures with floors, so a change for the worse is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recommendations import training
from recommendations.engines.base import Interactions, Items
from recommendations.interactions import Reading
from recommendations.models import TrainingRun

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


@pytest.fixture(scope="module")
def year(data_dir: Path) -> Reading:
    """The sales of Online Retail II, 2009-12 to 2010-12; lines without customer are baskets."""
    lines = pd.read_csv(
        data_dir / "online_retail" / "2009-2010.csv.gz",
        dtype={"Invoice": str, "StockCode": str, "Customer ID": str},
        parse_dates=["InvoiceDate"],
    )
    sales = ~lines["Invoice"].str.startswith("C") & (lines["Quantity"] > 0) & (lines["Price"] > 0)
    lines = lines[sales & lines["StockCode"].str.match(r"\d{5}")]
    known = lines["Customer ID"].notna()
    people = sorted(lines.loc[known, "Customer ID"].unique())
    baskets = sorted(lines.loc[~known, "Invoice"].unique())
    who = lines["Customer ID"].where(known, lines["Invoice"])
    ids = sorted(lines["StockCode"].unique())
    return Reading(
        Interactions(
            users=pd.Index([*people, *baskets]).get_indexer(who).astype(np.int64),
            items=pd.Index(ids).get_indexer(lines["StockCode"]).astype(np.int64),
            at=lines["InvoiceDate"].to_numpy().astype("datetime64[s]").astype(np.int64),
            n_people=len(people),
            n_rows=len(people) + len(baskets),
            n_items=len(ids),
        ),
        Items.plain(ids),
        customers=tuple(range(len(people))),
    )


def test_the_blend_beats_28_day_popularity_and_item_based_filtering(year: Reading) -> None:
    judged = training.judge(year, lambda: None)

    assert judged.verdict == TrainingRun.Verdict.BEATS_POPULAR
    assert judged.comparison["ndcg@10"]["low"] > 0.035
    assert judged.metrics["ndcg@10"]["value"] > 0.120
    item_based = judged.comparison["engines"]["item_based"]["ndcg@10"]
    assert judged.metrics["ndcg@10"]["low"] > item_based["value"]
    assert judged.baseline_metrics["ndcg@10"]["value"] == pytest.approx(0.0749, abs=0.0005)
    assert judged.metrics["coverage@20"]["value"] > 0.15
