"""Every page of the admin and every path of the API, as each role and key sees them."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from html import unescape
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.test import Client
from django.urls import Resolver404, get_resolver, resolve
from django.urls.resolvers import URLPattern, URLResolver

from campaigns.models import Delivery
from config.leaks.findings import Sweep
from jobs.models import Job
from privacy.models import Staff, SubjectExport, Webhook
from profiles.models import Cart, Customer, Order, Segment

HREF = re.compile(r"""(?:href|src|data-url|action)=["']([^"'#]+)""")
UUIDS: Final[dict[str, Any]] = {
    "v1/segments/": Segment,
    "v1/webhooks/": Webhook,
    "v1/jobs/": Job,
    "v1/customers/": SubjectExport,
}
LEAVES = ("/admin/logout/", "/admin/demo/remove/", "/i18n/", "/static/", "/v1/docs", "/v1/redoc")
# Messages as written to a person, shown to roles that may send: theirs, not a leak.
MESSAGES = re.compile(r"/admin/outbox/[^/]+/")


def walk_admin(sweep: Sweep, *, of_a_kind: int) -> None:
    """Follow every link from the admin's home, and from the public pages, as each role."""
    for role in (*Staff.Role.values, ""):
        browser = visitor()
        if role:
            browser.force_login(Staff.objects.create_user(f"leak-{role}", role=role))
        surface = f"pages: {role or 'nobody'}"
        for path, answer in _pages(browser, of_a_kind):
            sweep.shown[surface] += answer.status_code == HTTPStatus.OK
            if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                sweep.failed.append(path)
            if not MESSAGES.match(path):
                sweep.look(surface, path, _whole(answer))


def visitor() -> Client:
    """A client that asks for this installation by its own name."""
    return Client(raise_request_exception=False, headers={"host": settings.ALLOWED_HOSTS[0]})


def look_at(sweep: Sweep, surface: str, place: str, answer: Any) -> None:
    sweep.shown[surface] += answer.status_code == HTTPStatus.OK
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        sweep.failed.append(place)
    sweep.look(surface, place, _whole(answer))


def _whole(answer: Any) -> bytes:
    head = "\n".join(f"{name}: {value}" for name, value in answer.items())
    return head.encode() + b"\n\n" + bytes(answer.getvalue())


def _pages(browser: Client, of_a_kind: int) -> Iterator[tuple[str, Any]]:
    waiting, met = deque(["/admin/", "/", "/privacy/requests/", "/nowhere"]), set[str]()
    waiting.extend(_starts())
    n_of_kind: Counter[str] = Counter()
    while waiting:
        path = waiting.popleft()
        if path in met or path.startswith(LEAVES):
            continue
        met.add(path)
        n_of_kind[kind := _kind(path)] += 1
        if n_of_kind[kind] > of_a_kind:
            continue
        answer: Any = browser.get(path, follow=False)
        yield path, answer
        links = [answer["Location"]] if "Location" in answer else []
        if "html" in answer.get("Content-Type", ""):
            links += HREF.findall(answer.content.decode(errors="replace"))
        waiting.extend(_inside(path, links))


def _kind(path: str) -> str:
    """The route of a page: of lists that sort and filter in many ways a few are enough."""
    try:
        return resolve(urlsplit(path).path).route
    except Resolver404:
        return ""


def _starts() -> Iterator[str]:
    """Pages of some customers and their messages, wherever a link to them might be missing."""
    for customer in Customer.objects.order_by("pk")[:5].values_list("pk", flat=True):
        yield f"/admin/profiles/customer/{customer}/change/"
        yield f"/admin/profiles/customer/{customer}/history/"
        yield f"/admin/profiles/customer/{customer}/delete/"


def _inside(path: str, links: list[str]) -> Iterator[str]:
    for link in links:
        parts = urlsplit(urljoin(path, unescape(link)))
        if not parts.netloc and parts.path.startswith("/"):
            yield parts.path + (f"?{parts.query}" if parts.query else "")


def walk_api(sweep: Sweep, keys: dict[str, str]) -> None:
    """Read every path of the API with each kind of key and without one."""
    values = {
        "external_id": str(Customer.objects.values_list("external_id", flat=True).first()),
        "number": str(Order.objects.values_list("number", flat=True).first()),
        "token": str(Delivery.objects.values_list("token", flat=True).first()),
        "write_key": keys["wk"],
        "cart_id": str(Cart.objects.values_list("cart_id", flat=True).first()),
    }
    for kind, key in {**keys, "none": ""}.items():
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        for route in _routes(get_resolver()):
            if not route.startswith(("v1/", "o/", "c/", "u/")):
                continue
            mine = values | {"uuid": _uuid(route)}
            path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", _filled(mine), route)
            answer: Any = visitor().get(path, headers=headers)
            look_at(sweep, f"API: {kind}", path, answer)


def _filled(values: dict[str, str]) -> Callable[[re.Match[str]], str]:
    return lambda place: values.get(place[1], "x")


def _uuid(route: str) -> str:
    """The uuid of a row that the route leads to."""
    for start, model in UUIDS.items():
        if route.startswith(start):
            return str(model.objects.order_by("-pk").values_list("uuid", flat=True).first())
    return ""


def _routes(patterns: URLResolver, before: str = "") -> Iterator[str]:
    for pattern in patterns.url_patterns:
        route = before + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from _routes(pattern, route)
