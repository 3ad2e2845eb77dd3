"""A visitor's list in one statement of PostgreSQL, for the pages that every visit asks for.

It says what `serving.for_customer` says step by step, which stays for other databases and for
lists of many. Nothing is kept from one request to the next, so whoever objects, and whatever
leaves the shop, is gone from the next answer. The same statement asks whether the key still
opens, and notes what it served (`served_lists`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from django.db import connection

from privacy import prepared
from privacy.doors import VERSION, Recalled
from profiles.event_store import EVENTS
from profiles.events.visitors import LOOKED_WITHIN
from profiles.events.visitors import N_RECENT as N_EVENTS
from profiles.models import Customer
from profiles.models.order import COUNTABLE
from recommendations import explaining, lists, served_lists
from recommendations.places import LOOKED
from recommendations.serving import N_RECENT, SPARE, SPARE_POPULAR, Recommended

# The parts of a score are those of the own list and of the neighbours of what was looked at;
# the greatest gives the reason. Only the best are looked up in the catalogue.
STATEMENT: Final = """
WITH plain AS MATERIALIZED (
    SELECT WHERE (%(version)s::text = '' OR %(version)s::text = ({version}))
        AND NOT EXISTS (
            SELECT FROM recommendations_scenario
            WHERE placement = %(placement)s::text AND is_active
        )
), run AS MATERIALIZED (
    SELECT id, engine FROM recommendations_trainingrun WHERE is_active
), who AS MATERIALIZED (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM plain) THEN NULL
        WHEN %(user)s::text <> ''
        THEN (SELECT id FROM profiles_customer WHERE external_id = %(user)s::text)
        ELSE (SELECT customer_id FROM profiles_identity WHERE anonymous_id = %(anonymous)s::text)
    END AS id
), allowed (id) AS MATERIALIZED (
    {allowed}
), recent AS (
    SELECT %(beside)s::text AS product_id, 0 AS nth
    WHERE %(beside)s::text <> '' AND EXISTS (SELECT FROM plain)
    UNION ALL (
        SELECT product_id, row_number() OVER (ORDER BY happened_at DESC, id DESC)
        FROM {events}
        WHERE customer_id = (SELECT id FROM who)
            AND happened_at >= %(since)s::timestamptz AND product_id <> ''
        ORDER BY happened_at DESC, id DESC LIMIT {n_events}
    ) UNION ALL (
        SELECT product_id, row_number() OVER (ORDER BY happened_at DESC, id DESC)
        FROM {events}
        WHERE EXISTS (SELECT FROM plain) AND (SELECT id FROM who) IS NULL AND customer_id IS NULL
            AND anonymous_id = %(anonymous)s::text AND %(anonymous)s::text <> ''
            AND happened_at >= %(since)s::timestamptz AND product_id <> ''
        ORDER BY happened_at DESC, id DESC LIMIT {n_events}
    )
), looked AS MATERIALIZED (
    SELECT newest.product_id, product.id AS key
    FROM (
        SELECT product_id FROM recent
        WHERE (SELECT id FROM who) IS NULL OR EXISTS (SELECT FROM allowed)
        GROUP BY product_id ORDER BY min(nth) LIMIT {n_recent}
    ) newest LEFT JOIN recommendations_product product USING (product_id)
), owned AS MATERIALIZED (
    SELECT DISTINCT line.product_id
    FROM profiles_order placed JOIN profiles_orderline line ON line.order_id = placed.id
    WHERE placed.customer_id = (SELECT id FROM allowed)
        AND line.quantity > line.refunded_quantity AND {countable}
), part AS MATERIALIZED (
    SELECT one.key, one.score::float8 AS score, one.reason, one.at,
        own.bases[2 * one.at - 1] AS base, own.bases[2 * one.at] AS other, '' AS because
    FROM recommendations_customerlisting own,
        unnest(own.products, own.scores, own.reasons) WITH ORDINALITY AS one (key, score, reason, at)
    WHERE own.run_id = (SELECT id FROM run) AND own.customer_id = (SELECT id FROM allowed)
    UNION ALL
    SELECT one.key, one.score::float8, {looked}::smallint, NULL, one.base, 0, one.because
    FROM (
        SELECT looked.key AS base, looked.product_id AS because,
            unnest(near.products) AS key, unnest(near.scores) AS score
        FROM looked JOIN recommendations_productlisting near
            ON near.product_id = looked.product_id AND near.run_id = (SELECT id FROM run)
    ) one
), ranked AS MATERIALIZED (
    SELECT key, sum(score) AS score,
        CASE WHEN EXISTS (SELECT FROM looked) THEN sum(score) ELSE -min(at) END AS worth
    FROM part GROUP BY key ORDER BY worth DESC, key
    LIMIT CASE WHEN EXISTS (SELECT FROM looked) THEN %(n)s::int + {spare} END
), best AS MATERIALIZED (
    SELECT ranked.key, ranked.worth, ranked.score
    FROM ranked JOIN recommendations_product product ON product.id = ranked.key
    WHERE {shown}
    ORDER BY ranked.worth DESC, ranked.key LIMIT %(n)s::int
), own AS MATERIALIZED (
    SELECT 0 AS step, best.worth, best.score, main.reason, main.base, main.other, product.*
    FROM best
    JOIN (
        SELECT DISTINCT ON (key) part.key, part.reason, part.base, part.other
        FROM part JOIN best USING (key)
        ORDER BY key, part.score DESC, part.because COLLATE "C"
    ) main USING (key)
    JOIN recommendations_product product ON product.id = best.key
    ORDER BY best.worth DESC, best.key
), filling AS (
    SELECT 1 AS step, -one.at::float8 AS worth, one.score::float8, one.reason,
        popular.bases[2 * one.at - 1] AS base, popular.bases[2 * one.at] AS other, product.*
    FROM (
        SELECT listing.products, listing.scores, listing.reasons, listing.bases
        FROM recommendations_productlisting listing
        JOIN recommendations_trainingrun made ON made.id = listing.run_id
        WHERE listing.product_id = '' ORDER BY made.created_at DESC, made.id DESC LIMIT 1
    ) popular,
    unnest(popular.products, popular.scores, popular.reasons)
        WITH ORDINALITY AS one (key, score, reason, at)
    JOIN recommendations_product product ON product.id = one.key
    WHERE EXISTS (SELECT FROM plain) AND one.at <= %(n)s::int + {spare_popular} AND {shown}
        AND NOT EXISTS (SELECT FROM own WHERE own.id = product.id)
    ORDER BY one.at
), item AS MATERIALIZED (
    SELECT * FROM own UNION ALL SELECT * FROM filling LIMIT %(n)s::int
), noted AS (
    INSERT INTO recommendations_servedlist
        (recommendation_id, served_at, placement, version, products)
    SELECT %(recommendation)s::uuid, %(now)s::timestamptz, %(place)s::text,
        (SELECT id FROM run), jsonb_agg(product_id ORDER BY step, worth DESC, id)
    FROM item HAVING count(*) > 0 AND %(is_noted)s::bool
    ON CONFLICT DO NOTHING
)
SELECT (SELECT id FROM run), (SELECT engine FROM run),
    (SELECT currency FROM privacy_shop WHERE id = 1), {lazily},
    item.step, item.product_id, item.title, item.translations -> %(language)s::text ->> 'title',
    item.category, item.price_minor, item.image_url, item.link, item.score, item.reason,
    offer.price_minor, offer.currency, offer.link,
    base.product_id, base.title, base.translations -> %(language)s::text ->> 'title',
    other.product_id
FROM plain LEFT JOIN (
    item
    LEFT JOIN recommendations_offer offer
        ON offer.product_id = item.id AND offer.country = %(country)s::text
    LEFT JOIN recommendations_product base ON base.id = item.base
    LEFT JOIN recommendations_product other ON other.id = item.other
) ON TRUE
ORDER BY item.step, item.worth DESC, item.id
"""
SHOWN: Final = """product.is_active
        AND NOT EXISTS (SELECT FROM looked WHERE looked.product_id = product.product_id)
        AND (product.is_consumable
            OR NOT EXISTS (SELECT FROM owned WHERE owned.product_id = product.product_id))"""

# A list noted may be lost with the last half second before a power cut; to wait for the
# disk would take longer than to answer. In a transaction that does more, the rest decides.
LAZILY: Final = """(SELECT set_config('synchronous_commit', CASE WHEN %(is_alone)s::bool
        THEN 'off' ELSE current_setting('synchronous_commit') END, TRUE))"""

# A key that nobody has, in whose place the statement asks for whoever is there.
SOMEBODY: Final = 2**62 - 1


class Run(NamedTuple):
    """The training run at work."""

    pk: int
    engine: str


@dataclass(frozen=True)
class Read:
    """What is shown; `fallback` says that popular products fill at least one place."""

    items: list[Recommended]
    fallback: bool
    run: Run | None
    currency: str
    recommendation_id: UUID


def of_visitor(
    *,
    user_id: str,
    anonymous_id: str,
    beside: str,
    placement: str,
    n: int,
    language: str,
    country: str,
    now: datetime,
    key: Recalled | None = None,
    is_noted: bool = True,
) -> Read | None:
    """Return up to `n` products for whoever is behind the ids.

    None where that needs a closer look: a placement's rules hold, or `key` is not what it was.

    `beside` is the product that the page shows. Reasons are said in the active language, titles
    in `language`; money is in minor units. `currency` is the shop's, empty before it is set up.
    """
    recommendation_id = uuid4()
    asked = {
        "version": key.version if key else "",
        "digest": key.key.digest if key else b"",
        "recommendation": recommendation_id,
        "now": now,
        "is_alone": not connection.in_atomic_block,
        "user": user_id,
        "anonymous": anonymous_id,
        "beside": beside,
        "placement": placement,
        "place": served_lists.place(placement),
        "is_noted": is_noted,
        "n": n,
        "language": language.lower(),
        "country": country,
        "since": now - LOOKED_WITHIN,
    }
    rows = prepared.rows(_statement(), asked)
    if not rows:
        return None
    run_id, engine, currency = rows[0][:3]
    there = [_Row(*row[4:]) for row in rows if row[4] is not None]
    phrases = explaining.phrases()
    return Read(
        items=[_item(row, phrases) for row in there],
        fallback=len(there) < n or there[-1].step > 0,
        run=None if run_id is None else Run(run_id, engine),
        currency=currency or "",
        recommendation_id=recommendation_id,
    )


class _Row(NamedTuple):
    """A line of the statement but for what is said once; what is there in a country may be nothing."""

    step: int
    product_id: str
    title: str
    translated: str | None
    category: str
    price_minor: int | None
    image_url: str
    link: str
    score: float
    reason: int
    there_minor: int | None
    there_currency: str | None
    there_link: str | None
    base: str | None
    base_title: str | None
    base_translated: str | None
    other: str | None


def _item(row: _Row, phrases: explaining.Phrases) -> Recommended:
    code = lists.REASONS[row.reason].value
    is_priced = row.there_minor is not None
    return Recommended(
        product_id=row.product_id,
        title=row.translated or row.title,
        category=row.category,
        price_minor=row.there_minor if is_priced else row.price_minor,
        image_url=row.image_url,
        link=row.there_link or row.link,
        score=row.score,
        reason_code=code,
        reason_text=explaining.said(phrases, code, row.base_translated or row.base_title or ""),
        based_on=tuple(id_ for id_ in (row.base, row.other) if id_ is not None),
        currency=(row.there_currency or "") if is_priced else "",
    )


@lru_cache(maxsize=1)
def _statement() -> str:
    """The statement; whom the purpose allows is asked of the database each time."""
    one = Customer.objects.for_purpose("recommend").filter(pk=SOMEBODY)
    with connection.cursor() as cursor:
        allowed = cursor.mogrify(*one.values("pk").query.sql_with_params())
    return STATEMENT.format(
        allowed=allowed.replace(str(SOMEBODY), "(SELECT id FROM who)").replace("%", "%%"),
        events=EVENTS.relation,
        countable=COUNTABLE.format("placed"),
        shown=SHOWN,
        looked=LOOKED,
        n_events=N_EVENTS,
        n_recent=N_RECENT,
        spare=N_RECENT + SPARE,
        spare_popular=SPARE_POPULAR,
        version=VERSION,
        lazily=LAZILY,
    )
