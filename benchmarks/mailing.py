"""One process that sends a campaign to a sink, beside what a message costs at the least.

The floor of a message is the rendering of its two parts and smtplib with ready bytes; beside it
stands django.core.mail on one connection. `sink` and `worker` are processes of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from benchmarks.frame import ROOT, python
from benchmarks.server import tree_cpu

N_FLOOR = 1_000
N_TASKS = 500
# So many that two workers have several seconds of it.
N_TOGETHER = 10_000
WARM = 200
PARAGRAPH = '<p style="font:15px/1.5 sans-serif;margin:0 0 16px">{}</p>'
WORDS = "A quieter set of headphones, a lamp that dims, and a charger for all of it. " * 3
BODY = (
    "<html><body><h1>Hello {{ customer.first_name }}</h1>"
    + PARAGRAPH.format(WORDS)
    + "{% for n in (1..6) %}<p>{{ n }} · {{ shop.name }} · {{ campaign.name }}</p>{% endfor %}"
    + "".join(f'<p><a href="https://shop.test/p/{n}">Product {n}</a></p>' for n in range(4))
    + PARAGRAPH.format(WORDS)
    + '<p>{{ shop.legal_footer }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>'
    + "</body></html>"
)


class _Sink(asyncio.Protocol):
    """As much of SMTP as a sender that is right needs; it keeps nothing."""

    def connection_made(self, transport: Any) -> None:
        self._out, self._in_data, self._rest = transport, False, b""
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while True:
            end = b"\r\n.\r\n" if self._in_data else b"\r\n"
            line, found, rest = self._rest.partition(end)
            if not found:
                return
            self._rest = rest
            self._out.write(self._answer(line))

    def _answer(self, line: bytes) -> bytes:
        if self._in_data:
            self._in_data = False
            return b"250 taken\r\n"
        verb = line[:4].upper()
        if verb == b"DATA":
            self._in_data = True
            return b"354 go on\r\n"
        if verb == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
        if verb == b"QUIT":
            self._out.write(b"221 bye\r\n")
            self._out.close()
            return b""
        return b"250 ok\r\n"


def sink(port: int) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_Sink, "127.0.0.1", port, backlog=100)
        await server.serve_forever()

    with suppress(KeyboardInterrupt):
        asyncio.run(serve())


@contextmanager
def _sinking(port: int) -> Iterator[None]:
    process = subprocess.Popen(python("-m", "benchmarks.mailing", "sink", str(port)), cwd=ROOT)
    try:
        for _try in range(100):
            with suppress(OSError):
                smtplib.SMTP("127.0.0.1", port).quit()
                break
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


def measure(n: int) -> dict[str, float]:
    port = int(os.environ["BENCHMARK_SINK"])
    os.environ["SMTP_URL"] = f"smtp://127.0.0.1:{port}"
    _set_up()
    with _sinking(port):
        floors = _floors(port)
        _written(WARM + n, "June")
        _send_until_done(WARM)
        cpu, server = time.process_time(), _server_cpu()
        began = time.perf_counter()
        sent = _send_until_done(None)
        wall = time.perf_counter() - began
        ours = (time.process_time() - cpu) / sent * 1e6
        time.sleep(1)
        database = (_server_cpu() - server) / sent * 1e6
        rate = _two_workers(N_TOGETHER)
    least = floors["rendering"] + floors["smtplib"]
    return {
        "rendering, CPU us": floors["rendering"],
        "smtplib with ready bytes, CPU us": floors["smtplib"],
        "django.core.mail, built and sent, CPU us": floors["django"],
        "worker's CPU us per message": ours,
        "PostgreSQL's CPU us per message": database,
        "CPU of a message / rendering + smtplib": ours / least,
        "CPU us per message, PostgreSQL's too": ours + database,
        "messages per second of one worker": sent / wall,
        "messages per second of two workers": rate,
        "1666 / messages per second of two workers": 1666 / rate,
        **_celery(),
    }


def _set_up() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    for alias in ("default", "keystore"):
        call_command("migrate", verbosity=0, database=alias)


def _server_cpu() -> float:
    return tree_cpu(int(os.environ["BENCHMARK_SERVER"]))


def _floors(port: int) -> dict[str, float]:
    """CPU microseconds of a message: its two parts rendered, ready bytes sent, Django's own way."""
    from django.core.mail import EmailMultiAlternatives, get_connection

    from campaigns.rendering.content import Content, Frame, Reader, Source
    from campaigns.rendering.message import Envelope, build
    from tests.make import NOW

    content = Content(Source("en", "Hello {{ customer.first_name }}", BODY))
    frame = Frame("Shop", "https://shop.test", "Shop Ltd, 1 Street", "June", "en")

    def render() -> Any:
        return content.render(frame, Reader("Ann Lee"), unsubscribe_url="https://shop.test/u/x")

    made = render()
    envelope = Envelope("Shop", "shop@shop.test", "a@example.com", "<1@shop.test>", NOW)
    ready = build(envelope, subject=made.subject, html=made.html, text=made.text)
    smtp = smtplib.SMTP("127.0.0.1", port)
    plain = get_connection("django.core.mail.backends.smtp.EmailBackend", host="127.0.0.1",
                           port=port)  # fmt: skip
    plain.open()

    def django_way() -> None:
        letter = EmailMultiAlternatives(
            made.subject, made.text, "shop@shop.test", ["a@example.com"]
        )
        letter.attach_alternative(made.html, "text/html")
        plain.send_messages([letter])

    found = {
        "rendering": _each(render),
        "smtplib": _each(lambda: smtp.sendmail("shop@shop.test", ["a@example.com"], ready)),
        "django": _each(django_way),
    }
    smtp.quit()
    plain.close()
    return found


def _each(act: Callable[[], object]) -> float:
    for _ in range(WARM):
        act()
    began = time.process_time()
    for _ in range(N_FLOOR):
        act()
    return (time.process_time() - began) / N_FLOOR * 1e6


def _written(n: int, name: str) -> None:
    from campaigns import approvals, delivery
    from privacy.models import Shop
    from profiles.models import Customer
    from tests import make

    if (there := Customer.objects.count()) < n:
        make.readers(n - there, first=there)
    campaign = make.written_campaign(name, body=BODY)
    Shop.objects.update(legal_footer="Shop Ltd, 1 Street")
    delivery.plan(campaign, make.NOW)
    approvals.launch(campaign)


def _send_until_done(most: int | None) -> int:
    from campaigns import delivery
    from tests.make import NOW

    n = 0
    while most is None or n < most:
        took = delivery.send_due(NOW + timedelta(seconds=n), limit=delivery.BATCH)
        if not took:
            return n
        n += took
    return n


def _two_workers(n: int) -> float:
    """Messages a second of two ready processes that take what is due, until nothing is."""
    _written(n, "July")
    workers = [
        subprocess.Popen(
            python("-m", "benchmarks.mailing", "worker"), cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    told = [one.stdout for one in workers if one.stdout]
    for one in told:
        one.readline()
    began = time.perf_counter()
    for worker in workers:
        if worker.stdin:
            worker.stdin.close()
    sent = [int(one.readline()) for one in told]
    ended = time.perf_counter()
    for worker in workers:
        worker.wait()
    return sum(sent) / (ended - began)


def work() -> None:
    import django

    django.setup()
    from campaigns import delivery  # noqa: F401 -- as a worker has it before its first message

    print("ready", flush=True)
    sys.stdin.read()
    print(_send_until_done(None), flush=True)


def _celery() -> dict[str, float]:
    """What a message of Celery costs to publish and to take, over the recipients it is for."""
    from campaigns import tasks
    from config.celery import app

    nothing = app.tasks["celery.accumulate"]
    began = time.process_time()
    for _ in range(N_TASKS):
        nothing.apply_async(queue="bench", ignore_result=True)
    publish = (time.process_time() - began) / N_TASKS * 1e6
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-Q", "bench", "-P",
               "solo", "--without-gossip", "--without-mingle", "--without-heartbeat"]  # fmt: skip
    from redis import Redis

    store = Redis.from_url(os.environ["REDIS_URL"])
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while store.llen("bench") > N_TASKS * 0.9:
            time.sleep(0.05)
        left, before = int(store.llen("bench")), tree_cpu(process.pid)
        while int(store.llen("bench")):
            time.sleep(0.05)
        taken = (tree_cpu(process.pid) - before) / left * 1e6
    finally:
        process.kill()
        process.wait()
    return {
        "Celery CPU us per message, published and taken": publish + taken,
        "recipients per message of Celery": float(tasks.RECIPIENTS),
        "Celery CPU us per recipient": (publish + taken) / tasks.RECIPIENTS,
    }


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["sink", port]:
            sink(int(port))
        case ["worker"]:
            work()
        case [number]:
            print(json.dumps(measure(int(number))))
