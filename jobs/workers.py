"""Who runs a job: a process, named `host:pid`, of which this host can tell whether it lives."""

from __future__ import annotations

import os
import socket


def this_worker() -> str:
    return on_this_host(os.getpid())


def on_this_host(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}"


def is_dead(worker: str) -> bool:
    """Whether that process surely ended; False for another host, whose lease must tell."""
    host, _, pid = worker.rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
