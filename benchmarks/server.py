"""A PostgreSQL of our own whose CPU time can be read, and the CPU of other processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.servers import Postgres, own_postgres


@dataclass(frozen=True)
class Measured:
    """A server, and the process that is the parent of all its others."""

    postgres: Postgres
    pid: int

    @property
    def url(self) -> str:
        return self.postgres.url

    def cpu(self) -> float:
        """Seconds of CPU that the server has used so far, all its processes together."""
        return tree_cpu(self.pid)


@contextmanager
def measured_postgres() -> Iterator[Measured]:
    """Run a PostgreSQL as a shop does, commits on disk included. Raises NotFoundError."""
    with own_postgres() as server:
        lines = (Path(server.folder) / "data" / "postmaster.pid").read_text().splitlines()
        yield Measured(server, int(lines[0]))


def tree_cpu(pid: int) -> float:
    """Seconds of CPU of a process and its children, of those that ended too."""
    root = psutil.Process(pid)
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            used = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += used.user + used.system + used.children_user + used.children_system
    return total
