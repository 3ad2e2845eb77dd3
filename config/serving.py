"""The roles of a running installation: all in one process, or each in its own."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from billiard import active_children
from celery import signals
from celery.beat import Scheduler, Service
from celery.worker import state
from django.conf import settings
from django.db import connections
from django.utils import timezone

from config.celery import app
from jobs import children, queue, sweeping
from jobs.workers import this_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from celery.worker import WorkController

log = logging.getLogger(__name__)

WEB_THREADS = 8
WORKER_THREADS = 4
# A window of messages per look at the memory broker: with fewer, each costs a polling interval.
PREFETCH = 8
STOP_SECONDS = 10.0
BEGIN_ANEW_SECONDS = 1.0


class Background:
    """The worker and the beat of an embedded installation, as threads of this process."""

    def __init__(self) -> None:
        self.worker = _embedded_worker()
        self.beat = Service(app, scheduler_cls=Scheduler)
        self._threads = [
            threading.Thread(target=self.worker.start, name="worker", daemon=True),
            threading.Thread(target=self.beat.start, name="beat", daemon=True),
        ]

    def start(self) -> None:
        queue.worker_is_here.set()
        for thread in self._threads:
            thread.start()
        for name in settings.JOBS_TIME_LIMIT_SECONDS:
            app.send_task("jobs.tasks.pulse", kwargs={"queue": name}, queue=name)

    def stop(self) -> None:
        """End children, let running steps come to their end, hand over what is left."""
        queue.worker_is_here.clear()
        children.stopping.set()
        self.beat.stop()
        stopping = threading.Thread(target=self.worker.stop, daemon=True)
        stopping.start()
        stopping.join(STOP_SECONDS)
        sweeping.release(this_worker(), now=timezone.now())


def serve_embedded(*, host: str, port: int, ready: Callable[[str], object]) -> None:
    """Serve web pages, run jobs and keep the schedule until a signal; never returns.

    `ready` is called with the address once requests are taken.
    """
    from waitress.server import create_server  # noqa: PLC0415 -- embedded mode only

    from config.wsgi import application  # noqa: PLC0415 -- loads middleware and URLs

    try:
        server = create_server(application, host=host, port=port, threads=WEB_THREADS, ident=None)
    except ValueError as error:  # what waitress says of a name that leads nowhere
        raise OSError(errno.EADDRNOTAVAIL, "no such address") from error
    signal.signal(signal.SIGTERM, _leave)
    sweeping.sweep(timezone.now())
    background = Background()
    background.start()
    ready(f"http://{host}:{server.effective_port}/")
    server.run()
    log.info("stopping")
    background.stop()
    connections.close_all()
    logging.shutdown()
    # A worker thread in a long step would hold a plain exit until its end.
    os._exit(0)


def serve_web(*, host: str, port: int, processes: int) -> None:
    from granian.constants import Interfaces  # noqa: PLC0415 -- production web role only
    from granian.server import Server  # noqa: PLC0415

    Server(
        "config.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=processes,
        blocking_threads=WEB_THREADS,
        log_dictconfig=settings.LOGGING,
        respawn_failed_workers=True,
        workers_kill_timeout=30,
    ).serve()


def serve_worker(*, queues: Sequence[str], processes: int) -> int:
    """Run a Celery worker of processes for those queues; returns its exit status.

    Celery ends its worker for good where Redis goes away at a bad moment, so one that nobody
    told to stop begins anew in its place, with nothing left of the one before.
    """
    sweeping.sweep(timezone.now())
    connections.close_all()
    worker = app.Worker(
        queues=",".join(queues),
        concurrency=processes,
        pool="prefork",
        optimization="fair",
        hostname=f"{'-'.join(queues)}@%h",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    if worker.exitcode and not (state.should_stop or state.should_terminate):
        log.error("the worker broke off and begins anew")
        for child in active_children():
            child.terminate()
        time.sleep(BEGIN_ANEW_SECONDS)
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 -- ourselves  # nosec B606
    return int(worker.exitcode or 0)


def serve_beat() -> None:
    signal.signal(signal.SIGTERM, _leave)
    Service(app, scheduler_cls=Scheduler).start()


def _embedded_worker() -> WorkController:
    worker: WorkController = app.WorkController(
        pool_cls="threads",
        concurrency=WORKER_THREADS,
        prefetch_multiplier=PREFETCH,
        queues=list(settings.JOBS_TIME_LIMIT_SECONDS),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    # Only Celery's own command announces its worker; Django's connections are closed on this.
    signals.worker_init.send(sender=worker)
    return worker


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
