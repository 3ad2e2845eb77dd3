"""Web push: sealed for one browser, over its push service, to who agreed; against a real local server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.core.management import call_command
from django.test import Client

from campaigns import approvals, delivery, gate, looking, pushing, reach, targeting, tracking
from campaigns.channels.base import Message, Outcome
from campaigns.channels.push import PushChannel, own_key, public_key
from campaigns.models import Campaign, Card, Delivery, PushSubscription
from campaigns.rendering import push
from campaigns.rendering.push import CURVE, decode, encode
from privacy import consent, doors, registry
from privacy.models import AuditEntry, Consent, ConsentEntry
from privacy.problems import DomainError
from privacy.purposes import PurposeDeniedError, purpose
from profiles.events import merging
from profiles.models import Customer, Event
from tests import make
from tests.make import NOW
from tests.privacy.receiver import Receiver, guard, receiver

TARGET = "https://www.shop.test/tv"


class Browser:
    """A browser's side: its keys, and what it reads of a message (RFC 8291, section 3)."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(CURVE)
        self.auth = b"sixteen secret b"

    def target(self, endpoint: str) -> dict[str, str]:
        point = push.public_point(self.key)
        return {"endpoint": endpoint, "p256dh": encode(point), "auth": encode(self.auth)}

    def read(self, body: bytes) -> bytes:
        salt, ours, sealed = body[:16], body[21:86], body[86:]
        assert body[16:21] == (4096).to_bytes(4, "big") + bytes([65])
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, ours)
        info = b"WebPush: info\0" + push.public_point(self.key) + ours
        shared = self.key.exchange(ec.ECDH(), theirs)
        secret = HKDF(hashes.SHA256(), 32, self.auth, info).derive(shared)
        key, nonce = (
            HKDF(hashes.SHA256(), n, salt, b"Content-Encoding: " + name + b"\0").derive(secret)
            for n, name in ((16, b"aes128gcm"), (12, b"nonce"))
        )
        plain = AESGCM(key).decrypt(nonce, sealed, None)
        assert plain[-1:] == b"\x02"
        return plain[:-1]


def test_the_example_of_rfc_8291_comes_out_as_published() -> None:
    number = int.from_bytes(decode("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big")
    body = push.seal(
        b"When I grow up, I want to be a watermelon",
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "BTBZMqHH6r4Tts7J_aSIgg",
        salt=decode("DGv6ra1nlYgDCS1FRnbzlw"),
        own=ec.derive_private_key(number, CURVE),
    )
    assert encode(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
        "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
        "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_only_the_browser_reads_it_and_no_two_are_alike() -> None:
    browser, other = Browser(), Browser()
    to = browser.target("")
    one, two = (push.seal(b"hello", to["p256dh"], to["auth"]) for _twice in range(2))
    assert one != two
    assert browser.read(one) == b"hello"
    other.auth = browser.auth
    with pytest.raises(InvalidTag):
        other.read(one)
    with pytest.raises(ValueError, match="may have"):
        push.seal(b"x" * 4_000, to["p256dh"], to["auth"])


def test_a_push_service_can_tell_who_sends() -> None:
    key = push.private_key(b"\x07" * 64)
    header = push.vapid("https://push.test:8443/x/y", key, contact="mailto:a@b.c", now=NOW)
    token, _comma, named = header.removeprefix("vapid t=").partition(", k=")
    head, claims, mark = token.split(".")
    assert json.loads(decode(head)) == {"typ": "JWT", "alg": "ES256"}
    assert json.loads(decode(claims)) == {
        "aud": "https://push.test:8443",
        "exp": int(NOW.timestamp()) + 12 * 3600,
        "sub": "mailto:a@b.c",
    }
    r, s = (int.from_bytes(part, "big") for part in (decode(mark)[:32], decode(mark)[32:]))
    point = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, decode(named))
    said = f"{head}.{claims}".encode()
    point.verify(encode_dss_signature(r, s), said, ec.ECDSA(hashes.SHA256()))


@pytest.fixture
def service(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with receiver() as made:
        made.answer = lambda _heard: (201, {})
        yield made


def agree(customer: Customer, target: dict[str, str]) -> None:
    pushing.subscribe(
        customer.external_id, target, wording="Yes", source="x", language="en", now=NOW
    )


def running(**columns: Any) -> Campaign:
    made = make.written_campaign(approved=False, channel="push", purpose="campaign.push", **columns)
    Card.objects.create(
        variant=made.variants.get(), locale="en", title="New TVs", text="Now in", url=TARGET
    )
    approvals.approve(made, staff=make.staff(username="boss"), now=NOW)
    delivery.plan(made, NOW)
    approvals.launch(made)
    return made


def send(**facts: Any) -> None:
    delivery.send_due(facts.get("now", NOW), channel=PushChannel(guard()))


@pytest.mark.django_db
def test_a_campaign_reaches_each_browser_of_who_agreed(service: Receiver) -> None:
    ann, phone, desk = make.customer("ann"), Browser(), Browser()
    agree(ann, phone.target(f"{service.url}/1"))
    agree(ann, desk.target(f"{service.url}/2"))
    make.customer("bob")
    made = running()
    send()

    row = Delivery.objects.get()
    assert (row.customer, row.state) == (ann, Delivery.State.SENT)
    by_path = {heard.path: heard for heard in service.heard}
    told = json.loads(phone.read(by_path["/hook/1"].body))
    assert desk.read(by_path["/hook/2"].body) == phone.read(by_path["/hook/1"].body)
    assert (told["title"], told["body"], told["lang"]) == ("New TVs", "Now in", "en")
    headers = by_path["/hook/1"].headers
    assert headers["Content-Encoding"] == "aes128gcm"
    assert (headers["TTL"], headers["Topic"]) == ("86400", f"{made.pk}-{row.pk}")
    assert f"k={public_key()}" in headers["Authorization"]
    visit = tracking.Visit("GET", "Mozilla/5.0 (X11; Linux) Gecko Firefox/140.0")
    token = told["url"].rpartition("/")[2]
    assert tracking.clicked(token, visit, NOW + timedelta(minutes=1)) == TARGET
    tracking.tell(NOW + timedelta(minutes=2))
    merging.merge(NOW + timedelta(minutes=2))
    assert Event.objects.get().name == "Push Clicked"
    opened = AuditEntry.objects.filter(purpose="campaign.push", outcome="allowed")
    assert opened.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_is_gone_is_asked_no_more(service: Receiver, status: int) -> None:
    ann = make.customer("ann")
    agree(ann, Browser().target(service.url))
    service.answer = lambda _heard: (status, {})
    made = running()
    send()
    row = Delivery.objects.get()
    assert (row.state, row.reason) == (Delivery.State.FAILED, str(status))
    assert not PushSubscription.objects.live().exists()
    assert not targeting.audience(made, NOW).exists()
    assert gate.barred(made, [ann.pk]) == {ann.pk: "no_address"}
    assert dict(reach.reach(made, NOW).barred) == {"no_address": 1}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        ((201, {}), Outcome.SENT, "201"),
        ((429, {"Retry-After": "7"}), Outcome.LATER, "429"),
        ((503, {}), Outcome.LATER, "503"),
        ((500, {}), Outcome.UNKNOWN, "500"),
        ((403, {}), Outcome.LATER, "login_refused"),
        ((413, {}), Outcome.REFUSED, "413"),
        ((301, {"Location": "http://169.254.169.254/"}), Outcome.UNKNOWN, "301"),
    ],
)
def test_what_a_push_service_answers_is_read(
    service: Receiver, answer: tuple[int, dict[str, str]], outcome: Outcome, code: str
) -> None:
    service.answer = lambda _heard: answer
    [result] = PushChannel(guard()).send_batch([message(Browser().target(service.url))])
    assert (result.outcome, result.code) == (outcome, code)
    assert len(service.heard) == 1


@pytest.mark.django_db
def test_one_browser_that_takes_it_is_enough(service: Receiver) -> None:
    service.answer = lambda heard: (410 if heard.path.endswith("gone") else 201, {})
    gone, there = (Browser().target(f"{service.url}/{name}") for name in ("gone", "there"))
    [result] = PushChannel(guard()).send_batch([message(gone, there)])
    assert result.outcome is Outcome.SENT
    nowhere = Browser().target("http://127.0.0.1:9/")
    [result] = PushChannel(guard()).send_batch([message(nowhere)])
    assert (result.outcome, result.code) == (Outcome.LATER, "not_connected")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "endpoint",
    ["http://169.254.169.254/latest", "https://10.0.0.1/", "http://127.0.0.1/", "ftp://x/"],
)
def test_nothing_is_sent_into_our_own_networks(endpoint: str) -> None:
    [result] = PushChannel().send_batch([message(Browser().target(endpoint))])
    assert result.outcome is Outcome.REFUSED
    assert result.code in {"refused_address", "invalid_url"}


def message(*targets: dict[str, str]) -> Message:
    told = {str(n): json.dumps(target) for n, target in enumerate(targets, start=1)}
    return Message("1", "", "", b'{"title":"x"}', NOW, reference="1-1", parameters=told)


@pytest.mark.django_db
def test_a_withdrawal_between_plan_and_sending_is_heard(service: Receiver) -> None:
    ann = make.customer("ann")
    agree(ann, Browser().target(service.url))
    running()
    consent.record(
        ann.subject, "campaign.push", "push", "withdrawn",
        wording="x", source="x", happened_at=NOW, now=NOW,
    )  # fmt: skip
    send()
    assert (Delivery.objects.get().reason, service.heard) == ("no_consent", [])


@pytest.mark.django_db
def test_an_endpoint_opens_under_its_own_purpose_alone(service: Receiver) -> None:
    agree(make.customer("ann"), Browser().target(service.url))
    row = PushSubscription.objects.get()
    assert service.url not in str(row.target)
    value = row.target
    assert value is not None
    with purpose("campaign.email", actor="campaign:x", now=NOW), pytest.raises(PurposeDeniedError):
        value.reveal()


def subscribe(client: Client, key: str, endpoint: str, **facts: Any) -> Any:
    target = Browser().target(endpoint)
    body = {
        "userId": "ann",
        "wording": "Tell me about offers.",
        "subscription": {
            "endpoint": endpoint,
            "keys": {"p256dh": target["p256dh"], "auth": target["auth"]},
        },
    }
    return client.post(
        "/v1/push/subscriptions",
        body | facts,
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )


@pytest.mark.django_db
def test_a_browser_subscribes_with_the_shops_word_for_who_it_is(client: Client) -> None:
    ann, key = make.customer("ann"), make.write_key()
    endpoint = "https://push.example.com/abc"
    assert subscribe(client, key, endpoint).json()["code"] == "invalid_user_hash"
    assert not PushSubscription.objects.exists()

    secret = make.secret_key()
    assert subscribe(client, secret, endpoint).json() == {"subscribed": True}
    assert subscribe(client, secret, endpoint).status_code == 202
    assert PushSubscription.objects.get().customer == ann
    entry = ConsentEntry.objects.order_by("pk")[0]
    assert (entry.purpose, entry.channel, entry.wording) == (
        "campaign.push",
        "push",
        "Tell me about offers.",
    )
    shown = client.get("/v1/push/key", headers={"Authorization": f"Bearer {key}"}).json()
    assert shown == {"applicationServerKey": public_key()}
    for _twice in range(2):
        ended = client.post(
            "/v1/push/subscriptions/end",
            {"endpoint": endpoint},
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )
        assert ended.json() == {"subscribed": False}
    assert not PushSubscription.objects.exists()
    assert Consent.objects.get().state == "given"
    assert "push:write" in doors.PUBLISHABLE_SCOPES


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("endpoint", "code"),
    [
        ("http://push.example.com/x", "invalid_endpoint"),
        ("https://push.example.com:8443/x", "invalid_endpoint"),
        ("https://user@push.example.com/x", "invalid_endpoint"),
    ],
)
def test_an_endpoint_that_is_none_is_refused(client: Client, endpoint: str, code: str) -> None:
    make.customer("ann")
    assert subscribe(client, make.secret_key(), endpoint).json()["code"] == code


@pytest.mark.django_db
def test_keys_that_are_none_and_people_nobody_knows_are_refused() -> None:
    good = Browser().target("https://push.example.com/x")
    for target, code in (
        (good | {"p256dh": encode(b"\x04" + b"\x01" * 64)}, "invalid_push_keys"),
        (good | {"auth": "eA"}, "invalid_push_keys"),
        (good, "customer_unknown"),
    ):
        with pytest.raises(DomainError) as refused:
            pushing.subscribe("x", target, wording="x", source="x", language="", now=NOW)
        assert refused.value.code == code


@pytest.mark.django_db
def test_a_browser_is_whoevers_subscribed_in_it_last_and_a_person_has_ten() -> None:
    ann, bob = make.customer("ann"), make.customer("bob")
    shared = Browser().target("https://push.example.com/shared")
    agree(ann, shared)
    agree(bob, shared)
    assert PushSubscription.objects.get().customer == bob
    for n in range(pushing.MOST + 2):
        agree(ann, Browser().target(f"https://push.example.com/{n}"))
    assert PushSubscription.objects.filter(customer=ann).count() == pushing.MOST


@pytest.mark.django_db
def test_a_persons_copy_names_their_browsers_and_an_erasure_takes_them() -> None:
    ann = make.customer("ann")
    agree(ann, Browser().target("https://push.example.com/x"))
    sections = dict(registry.export_sections())
    with purpose("subject.rights", actor="system:export", now=NOW):
        told = list(sections["push_subscriptions"](ann.subject_id, NOW))
    assert [row["endpoint"] for row in told] == ["https://push.example.com/x"]
    holding = registry.holding_of(PushSubscription)
    assert holding is not None
    assert holding.rows(ann.subject_id).count() == 1


@pytest.mark.django_db
def test_the_key_is_the_same_each_time_and_a_command_prints_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call_command("push_key")
    assert capsys.readouterr().out.strip() == public_key()
    assert encode(push.public_point(own_key())) == public_key()
    assert len(decode(public_key())) == push.POINT_BYTES


@pytest.mark.django_db
def test_a_test_goes_to_the_browsers_of_the_customer_who_has_the_staff_address(
    service: Receiver,
) -> None:
    ann, phone = make.customer("ann", email="boss@shop.test"), Browser()
    agree(make.customer("bob"), Browser().target(f"{service.url}/2"))
    made, boss = running(), make.staff(username="tester")
    type(boss).objects.filter(pk=boss.pk).update(email="boss@shop.test")
    variant, channel = made.variants.get(), PushChannel(guard())

    with pytest.raises(DomainError) as nobody:
        looking.send_test(
            made, variant, "en", boss_address := "boss@shop.test", NOW, actor="staff:1"
        )
    make.consent(ann, "campaign.push", "push")
    with pytest.raises(DomainError) as nowhere:
        looking.send_test(made, variant, "en", boss_address, NOW, actor="staff:1")
    agree(ann, phone.target(f"{service.url}/1"))
    seen = looking.send_test(
        made, variant, "en", boss_address, NOW, actor="staff:1", channel=channel
    )

    assert (nobody.value.code, nowhere.value.code) == ("no_test_customer",) * 2
    assert [heard.path for heard in service.heard] == ["/hook/1"]
    told = json.loads(phone.read(service.heard[0].body))
    assert (told["title"], told["url"]) == ("[Test] New TVs", TARGET)
    assert seen.subject == "New TVs"
    assert not Delivery.objects.filter(customer=ann).exists()
    service.answer = lambda _heard: (410, {})
    with pytest.raises(DomainError) as gone:
        looking.send_test(made, variant, "en", boss_address, NOW, actor="staff:1", channel=channel)
    assert gone.value.code == "test_not_sent"


@pytest.mark.django_db
def test_a_preview_shows_what_the_browser_is_told(client: Client) -> None:
    ann = make.customer("ann")
    agree(ann, Browser().target("https://push.test/1"))
    made = running()
    Card.objects.update(title="New <TVs>", button="Look")
    shown = looking.preview(made, made.variants.get(), ann, NOW)
    assert (shown.locale, shown.subject) == ("en", "New <TVs>")
    assert "New &lt;TVs&gt;" in shown.html
    assert "Look" not in shown.html  # a notification has no place for a button

    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    page = f"/admin/campaigns/campaign/{made.pk}/message/"
    shown_page = client.get(page).content.decode()
    assert 'id="preview-frame"' in shown_page
    assert 'name="A-en-button"' not in shown_page
    asked = {"variant": "A", "customer": "ann", "dark": "1"}
    answer = client.get(f"{page}preview/", asked)
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "@media all" in answer.content.decode()
