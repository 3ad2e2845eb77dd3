"""The whole path on a real shop's file, on both kinds of installation, side by side.

`python -m tests.real_path` runs it on SQLite by the project's own commands, then on
PostgreSQL and Redis with worker processes that do the jobs as the admin would ask for them.
Prints one table of all that must be the same, and ends with status 1 if anything differs, or
if it is not what is known of this year: nobody was written to, so no campaign had an effect.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.installation import create_empty
from tests.places import DATA_DIR, ROOT
from tests.servers import HOW_TO_GET, NotFoundError, servers

FILE = "online_retail/2009-2010.csv.gz"
THEN, END = "2010-10-31T00:00:00+00:00", "2010-12-10T00:00:00+00:00"
TOLERANCE = 1e-9
TRUTH = {"campaign messages sent": 0, "campaign verdict": "no_effect"}
QUEUES = ("batch", "default,send,critical")


@dataclass(frozen=True)
class Took:
    """What a step took, seconds and MB; what workers do is known by its wall time only."""

    step: str
    wall: float
    cpu: float = math.nan
    rss_mb: float = math.nan


@dataclass
class Stack:
    """An installation under `folder`; with `queues`, a worker for each does all jobs."""

    name: str
    environ: Mapping[str, str]
    folder: Path
    queues: tuple[str, ...] = ()
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    took: list[Took] = field(default_factory=list)

    def run(self, step: str, *command: str) -> str:
        """Run `python COMMAND` to its end and return what it printed."""
        started = time.perf_counter()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self.environ, stdout=output
            )
            _pid, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            text = output.read().decode()
        if process.returncode:
            raise SystemExit(f"{self.name}: {step} failed\n{text}")
        wall = time.perf_counter() - started
        self.took.append(Took(step, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024))
        say(f"  {step}: {wall:.1f} s")
        return text

    def manage(self, *arguments: str) -> str:
        return self.run(" ".join(arguments[:1]), "manage.py", *arguments)

    def inside(self, verb: str, *arguments: str, step: str = "") -> dict[str, Any]:
        text = self.run(step or verb, "-m", "tests.real_path.inside", verb, *arguments)
        return dict(json.loads(text))

    def job(self, kind: str, payload: dict[str, Any], *command: str) -> None:
        """Have a job done: by its command here, or by a worker."""
        if not self.queues:
            self.manage(*command)
            return
        seconds = self.inside("ask", kind, json.dumps(payload), step=command[0])["seconds"]
        self.took[-1] = Took(command[0], seconds)

    def start(self) -> None:
        for queues in self.queues:
            role = ["serve", "--worker", "--processes", "1", "--queues", queues]
            command = [sys.executable, "manage.py", *role]
            self.workers.append(subprocess.Popen(command, cwd=ROOT, env=self.environ))

    def stop(self) -> None:
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for queues, worker in zip(self.queues, self.workers, strict=False):
            _pid, _status, used = os.wait4(worker.pid, 0)
            worker.returncode = 0
            cpu = used.ru_utime + used.ru_stime
            self.took.append(Took(f"worker of {queues}", math.nan, cpu, used.ru_maxrss / 1024))


def walk(stack: Stack, file: Path) -> dict[str, Any]:
    """Go the whole path and return what came of it."""
    say(stack.name)
    stack.inside("prepare")
    stack.start()
    options = {"format": "online-retail", "currency": "GBP", "time_zone": "Europe/London"}
    words = ["--format", "online-retail", "--currency", "GBP", "--timezone", "Europe/London"]
    orders = {"file": str(file), "options": options}
    stack.job("profiles.import_orders", orders, "import_orders", str(file), *words)
    stack.manage(
        "sample_customers", str(stack.folder), "--known", "--seed", "7", "--as-of", THEN[:10]
    )
    for kind in ("customers", "consents"):
        people = stack.folder / f"{kind}.csv"
        payload = {"file": str(people), "options": {}}
        stack.job(f"profiles.import_{kind}", payload, f"import_{kind}", str(people))
    stack.job("profiles.build", {"as_of": THEN}, "build_profiles", "--as-of", THEN)
    number = stack.inside("campaign")["campaign"]
    plan = {"campaign": number, "as_of": THEN}
    stack.job("campaigns.plan", plan, "plan_campaign", str(number), "--as-of", THEN)
    stack.job("profiles.build", {"as_of": END}, "build_profiles", "--as-of", END)
    stack.job("recommendations.train", {"as_of": END}, "train_recommendations", "--as-of", END)
    calls = stack.manage("measure_false_calls", "--campaign", "Nobody was contacted")
    return {**stack.inside("facts"), "false calls": "; ".join(calls.strip().splitlines())}


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[Stack]:
    yield Stack("SQLite, commands", _environ(folder), folder)


@contextlib.contextmanager
def production(folder: Path) -> Iterator[Stack]:
    with servers() as given:
        where = f"{given['TEST_DATABASE_URL'].rpartition('/')[0]}/candor_real_path"
        create_empty(given["TEST_DATABASE_URL"], "candor_real_path", "candor_real_path_keystore")
        environ = _environ(folder) | {
            "APP_ENV": "production",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DATABASE_URL": where,
            "KEYSTORE_DATABASE_URL": f"{where}_keystore",
            "REDIS_URL": given["TEST_REDIS_URL"],
            "PUBLIC_URL": "https://shop.example.com",
            "ALLOWED_HOSTS": "shop.example.com",
            "SMTP_URL": "smtp://127.0.0.1:25",
            "LOG_LEVEL": "WARNING",
        }
        stack = Stack("PostgreSQL, Redis, workers", environ, folder, QUEUES)
        try:
            yield stack
        finally:
            stack.stop()


def _environ(folder: Path) -> dict[str, str]:
    ours = ("APP_ENV", "DATABASE_URL", "KEYSTORE_DATABASE_URL", "REDIS_URL", "SECRET_KEY")
    environ = {name: value for name, value in os.environ.items() if name not in ours}
    return environ | {"VAR_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "config.settings"}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(one == other)


def table(left: dict[str, Any], right: dict[str, Any], heads: list[str]) -> tuple[str, int]:
    """A Markdown table of both, and how many lines of it differ."""
    lines = [f"| what | {heads[0]} | {heads[1]} | same |", "|---|---|---|---|"]
    n_different = 0
    for name in {**left, **right}:
        agree = name in left and name in right and same(left[name], right[name])
        n_different += not agree
        other = "the same" if agree and len(str(left[name])) > 24 else right.get(name, "–")
        lines.append(f"| {name} | {left.get(name, '–')} | {other} | {'yes' if agree else 'NO'} |")
    return "\n".join(lines), n_different


def untrue(stack: Stack, found: dict[str, Any]) -> list[str]:
    """What an installation says against what is known of the year, in words."""
    return [
        f"{stack.name}: {name} is {found.get(name)!r}, the truth is {truth!r}"
        for name, truth in TRUTH.items()
        if found.get(name) != truth
    ]


def times(stacks: list[Stack]) -> str:
    lines = ["| step | installation | wall s | CPU s | peak MB |", "|---|---|---|---|---|"]
    for stack in stacks:
        for took in stack.took:
            figures = (f"{value:.1f}" for value in (took.wall, took.cpu, took.rss_mb))
            lines.append(
                f"| {took.step} | {stack.name} | {' | '.join(figures)} |".replace("nan", "–")
            )
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.real_path", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=DATA_DIR / FILE)
    file = parser.parse_args().file.resolve()
    if not file.is_file():
        parser.error(f"there is no {file}; name the file, or its folder in TEST_DATA_DIR")
    stacks, found = [], []
    try:
        for installation in (embedded, production):
            with (
                tempfile.TemporaryDirectory(prefix="candor-real-path-") as folder,
                installation(Path(folder)) as stack,
            ):
                stacks.append(stack)
                found.append(walk(stack, file))
    except NotFoundError:
        say(HOW_TO_GET)
        return 1
    text, n_different = table(found[0], found[1], [stack.name for stack in stacks])
    wrong = [line for stack, one in zip(stacks, found, strict=True) for line in untrue(stack, one)]
    say(f"\n{text}\n\n{times(stacks)}\n\n{n_different} differences")
    say("\n".join(wrong) or "nobody was written to, and no effect is shown: as it was")
    return int(n_different > 0 or bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
