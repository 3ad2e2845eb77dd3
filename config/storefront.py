"""The demo's storefront: the made-up shop as its visitors see it, telling events as any shop would.

It holds nothing of Candor's inside: it loads the snippet with a publishable key, as a page on
another host would.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext as _
from django.views.decorators.csrf import ensure_csrf_cookie

from config.demo.catalogue import CATEGORIES
from privacy import doors
from privacy.models import ApiKey, Shop, Source
from privacy.problems import DomainError
from profiles import figures, snippet
from profiles.events import debugging
from profiles.events.debugging import Wanted
from profiles.money import from_minor
from recommendations import serving
from recommendations.models import Product

KEY_FILE = "demo-write-key"
SOURCE = "Demo storefront"
N_STRIP = 6
N_LOG = 30


@dataclass(frozen=True)
class Shelved:
    """A product as the page shows it; `price` is written for the reader, `amount` for events."""

    id: str
    title: str
    description: str
    brand: str
    category: str
    picture: str
    price: str
    amount: str


@ensure_csrf_cookie
def shop_page(request: HttpRequest) -> HttpResponse:
    shop, language = _demo(), get_language() or "en"
    shelf = _shelf(shop.currency, language)
    popular = serving.for_customer(None, n=N_STRIP, language=language)
    facts = {
        "language": language,
        "currency": shop.currency,
        "locale": to_locale(language).replace("_", "-"),
        "nStrip": N_STRIP,
        "products": [asdict(product) for product in shelf],
        "popular": [{"id": item.product_id, "why": item.reason_text} for item in popular.items],
        "words": _words(),
    }
    categories = dict.fromkeys((product.picture, product.category) for product in shelf)
    context = {
        "shop": shop,
        "facts": facts,
        "categories": sorted(categories),
        "key": write_key(timezone.now()),
        "snippet": snippet.path(),
        "integrity": snippet.integrity(),
    }
    return render(request, "candor/storefront.html", context)


def log_page(_request: HttpRequest) -> JsonResponse:
    """What the storefront sent last and what became of it, newest first."""
    _demo()
    source = Source.objects.filter(name=SOURCE).first()
    wanted = Wanted(source_id=source.pk) if source else None
    lines = debugging.lines(wanted, now=timezone.now(), limit=N_LOG) if wanted else []
    answer = JsonResponse({"events": [asdict(line) for line in lines]})
    answer["Cache-Control"] = "no-store"
    return answer


def write_key(now: datetime) -> str:
    """The storefront's publishable key; a new one where none is kept or it was revoked."""
    path: Path = settings.KEYS_DIR / KEY_FILE
    if path.exists():
        kept = path.read_text(encoding="ascii")
        try:
            doors.find(kept, now=now)
        except DomainError:
            path.unlink(missing_ok=True)
        else:
            return kept
    source, _created = Source.objects.get_or_create(
        name=SOURCE, defaults={"kind": Source.Kind.WEBSITE, "created_at": now}
    )
    plaintext = doors.issue(source, kind=ApiKey.Kind.WRITE, now=now)[1]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write(plaintext)
    unfinished.replace(path)
    return plaintext


def _demo() -> Shop:
    shop = Shop.current()
    if not shop.is_demo:
        raise Http404
    return shop


def _shelf(currency: str, language: str) -> list[Shelved]:
    """Every product on sale, such that each stretch of the list shows all categories."""
    kinds = {category.name: category for category in CATEGORIES}
    products = Product.objects.filter(is_active=True, price_minor__isnull=False)
    places = {name: count() for name in kinds}
    shelf = []
    for product in products.order_by("category", "product_id"):
        kind = kinds.get(product.category)
        if kind is None or product.price_minor is None:
            continue
        own = product.translations.get(language, {})
        amount: Decimal = from_minor(product.price_minor, currency)
        shelved = Shelved(
            id=product.product_id,
            title=product.title_in(language),
            description=own.get("description") or product.description,
            brand=product.brand,
            category=kind.name_zh if language.startswith("zh") else kind.name,
            picture=kind.key,
            price=figures.money(product.price_minor, currency, language),
            amount=str(amount),
        )
        shelf.append((next(places[kind.name]), shelved))
    return [shelved for _place, shelved in sorted(shelf, key=lambda one: one[0])]


def _words() -> dict[str, str]:
    """What the script says, in the reader's language."""
    return {
        "sending": _("sending"),
        "waiting": _("waiting for the merge"),
        "accepted": _("accepted"),
        "warned": _("accepted, with a warning"),
        "rejected": _("rejected"),
        "duplicate": _("duplicate"),
        "test": _("test"),
        "slow": _("still waiting: is a worker running?"),
        "popular": _("What everybody buys"),
        "forYou": _("For you"),
        "popularHint": _("The same for everybody, until you allow measuring."),
        "newHint": _("Look at a product, and this changes within seconds."),
        "forYouHint": _("From what you looked at here. Nobody knows who you are."),
        "empty": _("Your cart is empty."),
        "remove": _("Remove"),
        "thanks": _(
            "Thank you! An order that a browser tells of counts no revenue: in a real shop its "
            "server confirms it."
        ),
        "noEvents": _("Nothing was sent yet."),
        "silent": _("Measuring is off: nothing is stored or sent."),
    }
