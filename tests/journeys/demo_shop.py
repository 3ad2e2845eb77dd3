"""A demo shop as its owner runs it: made by `manage.py demo`, served by `manage.py serve`."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.management.commands.demo import DEFAULT_CUSTOMERS
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
# As few as show, on every day of the year, that recommending beats what is popular; pictures to
# keep are of the whole shop, whose real effect on sales its report finds.
N_CUSTOMERS = DEFAULT_CUSTOMERS if os.environ.get("SCREENSHOTS") == "1" else 1_500
START_SECONDS = 60
STOP_SECONDS = 30


@dataclass(frozen=True)
class DemoShop:
    url: str
    username: str
    password: str
    folder: Path


@contextlib.contextmanager
def running_demo_shop(folder: Path) -> Iterator[DemoShop]:
    """Make a demo shop under `folder` and serve it, worker and all, in a process of its own."""
    others = {"DATABASE_URL", "KEYSTORE_DATABASE_URL", "REDIS_URL"}
    environ = {name: value for name, value in os.environ.items() if name not in others}
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ |= {"VAR_DIR": str(folder / "demo"), "PUBLIC_URL": url}
    made = subprocess.run(
        [sys.executable, "manage.py", "demo", "--no-serve", "--customers", str(N_CUSTOMERS)],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.search(r"User name +(\S+)\s+Password +(\S+)", made.stdout)
    assert told, made.stderr[-2000:]
    with (folder / "serve.log").open("wb") as log:
        serving = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port)],
            cwd=ROOT,
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_for(f"{url}/healthz", serving)
        yield DemoShop(url, told[1], told[2], folder / "demo")
    finally:
        _stop(serving)


def _wait_for(url: str, serving: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and serving.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return
        time.sleep(0.1)
    raise AssertionError(f"nobody serves at {url}")


def _stop(serving: subprocess.Popen[bytes]) -> None:
    serving.terminate()
    try:
        serving.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(serving.pid, signal.SIGKILL)
        serving.wait()
