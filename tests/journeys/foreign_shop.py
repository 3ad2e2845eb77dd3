"""A shop of somebody else's and Candor, each a server of its own, as a browser meets them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

STRICT = "default-src 'none'; script-src 'self' {candor}; connect-src {candor}; img-src 'self'"


@dataclass
class Shop:
    """Its pages by path, each a pair of media type and text; the policy goes with each."""

    url: str
    pages: dict[str, tuple[str, str]] = field(
        default_factory=lambda: {"/favicon.ico": ("image/svg+xml", "")}
    )
    policy: str = ""

    def show(self, head: str, body: str = "", script: str = "") -> str:
        """Put up the home page, its own script in a file beside it; returns its address."""
        self.pages["/shop.js"] = ("text/javascript", script)
        page = (
            f'<!DOCTYPE html><html lang="en"><head><title>Shop</title>{head}'
            f'<script src="/shop.js" defer></script></head><body><h1>Shop</h1>{body}</body></html>'
        )
        self.pages["/"] = ("text/html; charset=utf-8", page)
        return f"{self.url}/"


@contextlib.contextmanager
def running_shop() -> Iterator[Shop]:
    def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        kind, text = shop.pages.get(environ["PATH_INFO"], ("", ""))
        headers = [("Content-Type", kind or "text/plain")]
        if shop.policy:
            headers.append(("Content-Security-Policy", shop.policy))
        start("200 OK" if kind else "404 Not Found", headers)
        return [text.encode()]

    with serving(application) as url:
        shop = Shop(url)
        yield shop


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(application: Callable[..., Any]) -> Iterator[str]:
    """A server in a thread; gives its address."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet, connections_override={})
    server.set_app(application)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def running_candor() -> contextlib.AbstractContextManager[str]:
    """The program itself, static files and all."""
    return serving(get_wsgi_application())
