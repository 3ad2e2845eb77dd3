"""Who followed which link of a campaign: people, and machines by what gave them away."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.db.models import Count, Q

from campaigns.models import Campaign, Delivery, Hit


@dataclass(frozen=True, slots=True)
class Followed:
    """A link with how many readers followed it, how often, and how often a machine did."""

    url: str
    n_people: int
    n_clicks: int
    n_machine: int

    @property
    def place(self) -> str:
        """The address without its query, short enough for a table."""
        parts = urlsplit(self.url)
        return f"{parts.netloc}{parts.path}"[:80]


def links(campaign: Campaign) -> list[Followed]:
    """Return every link of the campaign, the most followed first; one query."""
    clicks = Q(hit__kind=Hit.Kind.CLICK)
    people = clicks & Q(hit__by_machine=False)
    rows = campaign.links.annotate(
        n_people=Count("hit__delivery", distinct=True, filter=people),
        n_clicks=Count("hit", filter=people),
        n_machine=Count("hit", filter=clicks & Q(hit__by_machine=True)),
    )
    found = [Followed(row.url, row.n_people, row.n_clicks, row.n_machine) for row in rows]
    return sorted(found, key=lambda one: (-one.n_people, -one.n_machine, one.url))


def machines(campaign: Campaign) -> list[tuple[str, str, int]]:
    """Return kind, sign in words and number of the visits that machines made; one query."""
    rows = (
        Hit.objects.filter(delivery__campaign=campaign, by_machine=True)
        .order_by()
        .values_list("kind", "sign")
        .annotate(n=Count("pk"))
    )
    kinds, signs = dict(Hit.Kind.choices), dict(Hit.Sign.choices)
    found = [(str(kinds[kind]), str(signs.get(sign, "–")), n) for kind, sign, n in rows]
    return sorted(found, key=lambda one: (-one[2], one[0], one[1]))


def n_out(campaign: Campaign) -> int:
    """Return how many messages went out, or may have."""
    states = [Delivery.State.SENT, Delivery.State.UNKNOWN]
    return campaign.deliveries.filter(state__in=states).count()
