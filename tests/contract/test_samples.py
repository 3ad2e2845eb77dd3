"""Every sample of "Connect your shop", run as it is copied, against a live server."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from profiles.events import merging
from profiles.models import Event, EventStaging, EventVerdict
from tests import make
from tests.clients import npm

pytestmark = pytest.mark.django_db(transaction=True)
PROGRAMS = {
    "curl": ["bash"],
    "python": [sys.executable],
    "node": ["node", "--input-type=module", "-"],
    "php": ["php"],
}


@pytest.fixture
def page(client: Client, live_server: LiveServer, settings: Settings) -> str:
    return made(client, live_server, settings, "live")


def made(client: Client, server: LiveServer, settings: Settings, kind: str) -> str:
    """The page with new keys in its samples."""
    make.shop()
    settings.PUBLIC_URL = server.url
    client.force_login(make.staff())
    chosen = {"source": make.source().pk, "is_test": kind, "origins": "https://shop.example"}
    answer = client.post("/admin/connect/", chosen)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return answer.content.decode()


def sample(page: str, name: str) -> str:
    found = re.search(rf'<code data-sample="{name}">(.*?)</code>', page, re.DOTALL)
    assert found
    return html.unescape(found[1])


def run(name: str, text: str, folder: Path) -> str:
    program = PROGRAMS[name]
    if shutil.which(program[0]) is None:
        npm.missing(f"{program[0]} (`apt-get install nodejs php-cli`)")
    done = subprocess.run(
        program, input=text, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_sample_is_taken_in_as_it_stands(page: str, name: str, tmp_path: Path) -> None:
    said = run(name, sample(page, name), tmp_path)

    assert '"accepted":1' in said
    merging.merge(timezone.now())
    event = Event.objects.get()
    assert (event.name, event.product_id) == ("Product Viewed", "tv-55")
    assert event.customer is not None
    assert event.customer.external_id == "C-1001"
    assert event.is_confirmed
    assert list(EventVerdict.objects.values_list("code", flat=True)) == []


def test_with_keys_for_trying_samples_are_checked_and_kept_nowhere(
    client: Client, live_server: LiveServer, settings: Settings, tmp_path: Path
) -> None:
    page = made(client, live_server, settings, "test")
    run("python", sample(page, "python"), tmp_path)

    assert not EventStaging.objects.exists()
    assert EventVerdict.objects.get().verdict == "test"


def test_a_sample_says_what_is_wrong_with_a_wrong_key(page: str, tmp_path: Path) -> None:
    wrong = re.sub(r"sk_live_[\w-]+", "sk_live_" + "x" * 43, sample(page, "php"))

    assert "invalid_key" in run("php", wrong, tmp_path)
