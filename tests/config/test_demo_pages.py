"""What the admin shows and does of a demo: its badge, the first steps, its removal."""

from __future__ import annotations

import re
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from campaigns.models import SignUp
from config.demo import marketing, removing
from privacy.models import Staff
from profiles.models import ClusteringRun, Persona
from recommendations.models import TrainingRun
from tests import make
from tests.faults.installation import get, installation, run, until
from tests.make import NOW
from tests.servers import free_port

REMOVE = "/admin/demo/remove/"
PASSWORD = "correct-horse-9"
# A demo without its year: all that its removal looks at, made in a second.
OPEN = f"""
import django; django.setup()
from django.utils import timezone
from config.demo import filling
from privacy.models import Shop
filling.open_shop(timezone.now()); filling.owner({PASSWORD!r}); Shop.objects.update(is_demo=True)
"""


def signed_in(client: Client, role: str = Staff.Role.ADMINISTRATOR) -> Client:
    client.force_login(make.staff(role), backend="privacy.roles.RoleBackend")
    return client


def done(client: Client) -> list[bool]:
    return [item.is_done for item in client.get("/admin/").context["checklist"]]


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    """A folder by the demo's name, with a file in it."""
    settings.VAR_DIR = tmp_path / "demo"
    settings.VAR_DIR.mkdir()
    (settings.VAR_DIR / "candor.sqlite3").write_bytes(b"rows")
    return tmp_path / "demo"


@pytest.mark.django_db
@pytest.mark.parametrize("is_demo", [True, False])
def test_every_page_of_a_demo_says_so_and_none_of_a_real_shop(
    client: Client, *, is_demo: bool
) -> None:
    make.shop(is_demo=is_demo)
    signed_in(client)
    for page in ("/admin/", "/admin/profiles/customer/", "/admin/campaigns/campaign/"):
        assert ("Demo data" in client.get(page).content.decode()) is is_demo, page
    assert (REMOVE in client.get("/admin/").content.decode()) is is_demo


@pytest.mark.django_db
def test_the_five_steps_are_ticked_off_one_by_one_as_they_are_done(client: Client) -> None:
    make.shop()
    signed_in(client)
    assert done(client) == [False] * 5

    make.customer("c-1")
    assert done(client) == [True, False, False, False, False]
    clusters = ClusteringRun.objects.create(
        as_of=make.NOW, created_at=make.NOW, currency="EUR", n_customers=1, n_clusters=1
    )
    Persona.objects.create(run=clusters, number=1, n_customers=1, share=1.0, revenue_share=1.0)
    assert done(client) == [True, True, False, False, False]
    campaign = make.campaign(status="draft", planned_at=None)
    assert done(client) == [True, True, True, True, False]
    type(campaign).objects.update(status="planned", planned_at=make.NOW)
    assert done(client) == [True, True, True, True, False]
    TrainingRun.objects.create(
        engine="blend",
        as_of=make.NOW,
        created_at=make.NOW,
        n_customers=1,
        n_products=1,
        n_interactions=1,
        cpu_seconds=1.0,
        peak_rss_mb=1.0,
        verdict=TrainingRun.Verdict.NOT_BETTER,
    )
    assert done(client) == [True] * 5


@pytest.mark.django_db
def test_whoever_put_the_steps_away_sees_them_no_more_and_others_still_do(client: Client) -> None:
    make.shop()
    signed_in(client)
    page = client.get("/admin/").content.decode()
    assert page.count('class="c-tick"') == 5

    client.post("/admin/checklist/hide/")

    assert done(client) == []
    assert len(done(signed_in(Client(), Staff.Role.MARKETER))) == 5


@pytest.mark.django_db
def test_a_real_shop_is_not_removed_whatever_its_folder_is_called(
    client: Client, folder: Path
) -> None:
    make.shop(is_demo=False)

    answer = signed_in(client).post(REMOVE, {"word": "remove"}, follow=True)

    assert "This is not a demo; nothing was removed." in answer.content.decode()
    assert (folder / "candor.sqlite3").read_bytes() == b"rows"
    with pytest.raises(removing.NotADemoError):
        removing.remove_and_stop()


@pytest.mark.django_db
def test_a_demo_that_shares_its_folder_with_others_is_not_removed(
    client: Client, folder: Path, settings: Settings
) -> None:
    settings.VAR_DIR = folder.rename(folder.with_name("var"))
    make.shop(is_demo=True)

    answer = signed_in(client).post(REMOVE, {"word": "remove"}, follow=True)

    assert "nothing was removed" in answer.content.decode()
    assert (settings.VAR_DIR / "candor.sqlite3").exists()


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Staff.Role.VIEWER, Staff.Role.MARKETER, Staff.Role.SUPPORT])
def test_only_who_runs_the_shop_removes_the_demo(client: Client, folder: Path, role: str) -> None:
    make.shop(is_demo=True)
    assert signed_in(client, role).post(REMOVE, {"word": "remove"}).status_code == 403
    assert folder.exists()


class Owner:
    """The demo's owner at a browser, over real HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opener: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()))
        self.post("/admin/login/", username="demo", password=PASSWORD)

    def read(self, path: str, **fields: str) -> str:
        data = urlencode(fields).encode() if fields else None
        with self.opener.open(self.url + path, data, timeout=30) as answer:
            return str(answer.read().decode())

    def post(self, path: str, **fields: str) -> str:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.read(path))
        assert token
        return self.read(path, csrfmiddlewaretoken=token[1], **fields)


@pytest.mark.slow
def test_removing_the_demo_takes_the_word_deletes_its_folder_and_stops_the_server(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "demo"
    (tmp_path / "keep").mkdir()
    with installation(folder) as made:
        made.migrate()
        run(made, OPEN)
        url = f"http://127.0.0.1:{(port := free_port())}"
        server = made.start("serve", "--port", str(port))
        until(lambda: get(f"{url}/healthz")[0] == 200, "the start")
        owner = Owner(url)

        assert "Type “remove” to confirm" in owner.post(REMOVE, word="delete it")
        assert (folder / "candor.sqlite3").exists()
        assert get(f"{url}/healthz")[0] == 200

        assert "this server stops now" in owner.post(REMOVE, word=" Remove ")
        assert server.wait(60) == 0
        assert get(f"{url}/healthz")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["keep"]


@pytest.mark.django_db
def test_the_sign_up_form_takes_people_on_in_both_languages(client: Client) -> None:
    make.shop(pk=1, sender_email="shop@shop.test")
    marketing.invite(NOW)

    for n, language in enumerate(("en", "zh-hans")):
        given = {"email": f"new{n}@example.com", "topics": "offers"}
        answer = client.post(f"/f/news?language={language}", given)
        assert answer.status_code == 302, answer.content.decode()

    assert [one.wording.locale for one in SignUp.objects.order_by("pk")] == ["en", "zh-hans"]
