"""Carts: what they hold by all that was told of them, and when they count as abandoned."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils.translation import gettext as _

from privacy.problems import DomainError
from profiles.bulk import again_if_overtaken, insert_rows
from profiles.identity import registering
from profiles.models import Cart, CartLine, CartToken, Identity, Order
from profiles.orders.statements import MAX_TOTAL_MINOR

RESTS: Final = timedelta(hours=1)
ORDERED_WITHIN: Final = timedelta(days=30)
TOKEN_LASTS: Final = timedelta(days=30)
MAX_MOVES: Final = 200
MAX_LINES: Final = 200
MAX_UNITS: Final = 1_000_000
ITEM: Final = ("product_id", "quantity", "unit_price_minor", "title", "category")
SAVED: Final = [
    "customer", "anonymous_id", "state", "currency", "total_minor", "n_units", "base", "moves",
    "stated_at", "opened_at", "changed_at", "abandoned_at", "recovered_at", "ordered_at",
]  # fmt: skip


@dataclass(frozen=True)
class Item:
    """A product of a cart; a negative quantity takes it out."""

    product_id: str
    quantity: int = 1
    unit_price_minor: int = 0
    title: str = ""
    category: str = ""


_facts = attrgetter(*ITEM)


@dataclass(frozen=True)
class CartState:
    """What a cart of the shop's own id holds at `stated_at`, in whole."""

    cart_id: str
    stated_at: datetime
    currency: str
    items: tuple[Item, ...]
    customer_id: str = ""
    anonymous_id: str = ""

    def __post_init__(self) -> None:
        """Raise DomainError `total_absurd` for more than an order can cost."""
        if sum(item.quantity * item.unit_price_minor for item in self.items) > MAX_TOTAL_MINOR:
            detail = _("The lines add up to more than an order can cost.")
            raise DomainError("total_absurd", detail, pointer="/lines")


def held(base: Sequence[dict[str, Any]], moves: Iterable[Sequence[Any]]) -> dict[str, Item]:
    """What a cart holds: its last statement, and every move since in the order of time.

    The latest price, title and category told of a product are its own.
    """
    items = {row["product_id"]: Item(**row) for row in base}
    for _at, _message, row in sorted(moves, key=lambda move: (move[0], move[1])):
        move = Item(**row)
        there = items.pop(move.product_id, replace(move, quantity=0))
        quantity = min(there.quantity + move.quantity, MAX_UNITS)
        if quantity > 0 and (len(items) < MAX_LINES or there.quantity):
            items[move.product_id] = Item(
                move.product_id,
                quantity,
                move.unit_price_minor or there.unit_price_minor,
                move.title or there.title,
                move.category or there.category,
            )
    return items


def state(cart: Cart, items: Iterable[Item], *, at: datetime) -> None:
    """Say what the cart holds in whole; an older statement than the last one says nothing."""
    if cart.stated_at is not None and at < cart.stated_at:
        return
    added: dict[str, Item] = {}
    for item in list(items)[:MAX_LINES]:
        there = added.get(item.product_id, replace(item, quantity=0))
        quantity = min(there.quantity + item.quantity, MAX_UNITS)
        added[item.product_id] = replace(item, quantity=quantity)
    cart.base = [asdict(item) for item in added.values()]
    cart.stated_at = at
    cart.moves = [move for move in cart.moves if move[0] > _text(at)]
    _stir(cart, at)


def move(cart: Cart, item: Item, *, at: datetime, message: str) -> None:
    """Put an item in or take it out, unless a later statement knows of that already."""
    if cart.stated_at is not None and at <= cart.stated_at:
        return
    cart.moves = [*cart.moves, [_text(at), message, asdict(item)]]
    if len(cart.moves) > MAX_MOVES:
        oldest = sorted(cart.moves, key=lambda move: (move[0], move[1]))
        half = oldest[: MAX_MOVES // 2]
        cart.base = [asdict(item) for item in held(cart.base, half).values()]
        cart.stated_at = datetime.fromisoformat(half[-1][0])
        cart.moves = oldest[MAX_MOVES // 2 :]
    _stir(cart, at)


def touch(cart: Cart, *, at: datetime) -> None:
    """Note that somebody looked at the cart."""
    _stir(cart, at)


def order(cart: Cart, *, at: datetime) -> None:
    """Say that the cart was bought; what comes later under its id is a new cart."""
    if cart.abandoned_at is not None and cart.recovered_at is None:
        cart.recovered_at = at
    cart.state, cart.ordered_at = Cart.State.ORDERED, at


def is_over(cart: Cart, at: datetime) -> bool:
    """Whether what happened at that moment belongs to a cart that was bought since."""
    return (
        cart.state == Cart.State.ORDERED and cart.ordered_at is not None and at <= cart.ordered_at
    )


def reopen(cart: Cart, *, at: datetime) -> None:
    """Begin anew under the id of a cart that was bought."""
    cart.state, cart.opened_at, cart.changed_at = Cart.State.OPEN, at, at
    cart.base, cart.moves, cart.stated_at = [], [], cart.ordered_at
    cart.abandoned_at = cart.recovered_at = cart.ordered_at = None


def _stir(cart: Cart, at: datetime) -> None:
    """Something happened: an abandoned cart is recovered by what came after."""
    cart.changed_at = max(cart.changed_at, at)
    cart.opened_at = min(cart.opened_at, at)
    if (
        cart.state == Cart.State.ABANDONED
        and cart.abandoned_at is not None
        and at > cart.abandoned_at
    ):
        cart.state, cart.recovered_at = Cart.State.RECOVERED, at


def save(carts: Sequence[Cart]) -> None:
    """Save changed carts, new ones among them, with their lines and totals."""
    holding = [held(cart.base, cart.moves) for cart in carts]
    for cart, items in zip(carts, holding, strict=True):
        cart.total_minor = sum(item.quantity * item.unit_price_minor for item in items.values())
        cart.n_units = sum(item.quantity for item in items.values())
    known = [cart for cart in carts if cart.pk]
    Cart.objects.bulk_create(cart for cart in carts if not cart.pk)
    Cart.objects.bulk_create(  # as one upsert: a bulk_update weighs every row against every other
        known,
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=SAVED,
        batch_size=500,
    )
    _write_lines({cart.pk: items for cart, items in zip(carts, holding, strict=True)})


def _write_lines(holding: Mapping[int, dict[str, Item]]) -> None:
    """Bring the lines of carts to what they hold; most lines of a cart that changed did not."""
    rows = CartLine.objects.filter(cart__in=holding)
    there = {(row.cart_id, row.product_id): row for row in rows}
    held_now = {
        (cart, item.product_id): item for cart, items in holding.items() for item in items.values()
    }
    gone = [row.pk for key, row in there.items() if key not in held_now]
    if gone:
        CartLine.objects.filter(pk__in=gone).delete()
    insert_rows(
        CartLine,
        ["cart_id", *ITEM],
        [(key[0], *_facts(item)) for key, item in held_now.items() if key not in there],
    )
    CartLine.objects.bulk_create(
        [
            CartLine(pk=there[key].pk, cart_id=key[0], **asdict(item))
            for key, item in held_now.items()
            if key in there and _item_of(there[key]) != item
        ],
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=ITEM[1:],
    )


def _item_of(row: CartLine) -> Item:
    return Item(row.product_id, row.quantity, row.unit_price_minor, row.title, row.category)


@again_if_overtaken
@transaction.atomic
def put(stated: CartState, *, source_id: int, now: datetime) -> Cart:
    """Bring a cart to the stated content and return it; an older statement changes nothing."""
    customers, _n_added = registering.register({stated.customer_id} - {""}, now=now)
    cart = Cart.objects.select_for_update().filter(cart_id=stated.cart_id).first()
    at = stated.stated_at
    if cart is None:
        cart = Cart(cart_id=stated.cart_id, source_id=source_id, opened_at=at, changed_at=at)
    elif is_over(cart, at):
        return cart
    elif cart.state == Cart.State.ORDERED:
        reopen(cart, at=at)
    is_new = cart.stated_at is None or at >= cart.stated_at
    if is_new:
        cart.currency = stated.currency
        cart.customer_id = customers.get(stated.customer_id, cart.customer_id)
        cart.anonymous_id = stated.anonymous_id or cart.anonymous_id
        state(cart, stated.items, at=at)
    save([cart])
    return cart


def issue_token(cart: Cart, *, now: datetime) -> tuple[str, datetime]:
    """Return a token that brings the cart back, and until when; only its hash is kept."""
    token = secrets.token_urlsafe(32)
    expires_at = now + TOKEN_LASTS
    CartToken.objects.create(cart=cart, digest=_digest(token), expires_at=expires_at)
    return token, expires_at


def restore(token: str, *, now: datetime) -> Cart:
    """The cart behind a token. Raises DomainError `cart_token_unknown`, `cart_token_expired`."""
    found = CartToken.objects.filter(digest=_digest(token)).select_related("cart__customer").first()
    if found is None:
        detail = _("No cart has this token; ask for the link anew.")
        raise DomainError("cart_token_unknown", detail, status=404)
    if found.expires_at <= now:
        detail = _("This link to a cart has expired.")
        raise DomainError("cart_token_expired", detail, status=410)
    return found.cart


@transaction.atomic
def sweep(now: datetime) -> int:
    """Close carts that were bought, then mark those that rest for an hour as abandoned.

    Returns how many were. Expired tokens go, and empty carts are left as they are.
    """
    CartToken.objects.filter(expires_at__lte=now).delete()
    waiting = Cart.objects.exclude(state=Cart.State.ORDERED)
    waiting.filter(changed_at__gt=now - ORDERED_WITHIN).filter(_bought()).update(
        state=Cart.State.ORDERED,
        ordered_at=now,
        recovered_at=_recovered_at(now),
    )
    resting = Cart.objects.filter(
        state__in=[Cart.State.OPEN, Cart.State.RECOVERED],
        changed_at__lte=now - RESTS,
        n_units__gt=0,
    )
    return resting.update(state=Cart.State.ABANDONED, abandoned_at=now)


def _bought() -> Exists:
    """An order of the cart's customer that counts, since the cart last changed."""
    orders = Order.objects.countable().filter(
        customer=OuterRef("customer"), placed_at__gte=OuterRef("changed_at")
    )
    return Exists(orders)


def _recovered_at(now: datetime) -> Any:
    is_won_back = Q(abandoned_at__isnull=False, recovered_at__isnull=True)
    return Case(When(is_won_back, then=Value(now)), default=F("recovered_at"))


def adopt(*, last_identity: int) -> None:
    """Give visitors' carts to the customers whom identities behind that one name."""
    new = Identity.objects.filter(pk__gt=last_identity)
    whose = Identity.objects.filter(anonymous_id=OuterRef("anonymous_id")).values("customer")
    strangers: QuerySet[Cart] = Cart.objects.filter(customer__isnull=True)
    strangers.filter(anonymous_id__in=new.values("anonymous_id")).exclude(anonymous_id="").update(
        customer=Subquery(whose[:1])
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
