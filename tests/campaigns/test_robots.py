"""Alerts to staff by the robots of their groups: signed, once, tried again, never lost in a reply."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured

from campaigns import alerting, throttling
from campaigns.channels import robots
from campaigns.channels.base import Outcome, Result
from jobs import running
from jobs.models import Job
from tests.campaigns.http_server import Reply, closed_port, http
from tests.make import NOW

GOOD = Reply(body={"errcode": 0, "errmsg": "ok"})


def test_wecom_gets_the_text_and_says_it_has_it() -> None:
    with http(GOOD) as server:
        result = robots.tell(f"wecom+{server.url}/cgi-bin/webhook/send?key=k", "Hello 你好", NOW)

    assert result.outcome is Outcome.SENT
    assert server.heard[0].path == "/cgi-bin/webhook/send?key=k"
    assert server.heard[0].json == {"msgtype": "text", "text": {"content": "Hello 你好"}}


def test_dingtalk_is_signed_with_the_secret_that_stays_here() -> None:
    with http(GOOD) as server:
        robots.tell(f"dingtalk+{server.url}/robot/send?access_token=t&secret=SEC1", "Hello", NOW)

    query = {
        name: value[0] for name, value in parse_qs(urlsplit(server.heard[0].path).query).items()
    }
    stamp = str(int(NOW.timestamp() * 1000))
    made = hmac.new(b"SEC1", f"{stamp}\nSEC1".encode(), hashlib.sha256).digest()
    assert query == {"access_token": "t", "timestamp": stamp, "sign": b64encode(made).decode()}


@pytest.mark.parametrize("kind", ["wecom", "dingtalk"])
@pytest.mark.parametrize(
    ("reply", "outcome", "code"),
    [
        (Reply(body={"errcode": 45009}), Outcome.LATER, "45009"),
        (Reply(body={"errcode": 310000}), Outcome.REFUSED, "310000"),
        (Reply(429, "", {"Retry-After": "3"}), Outcome.LATER, "429"),
        (Reply(500, "x"), Outcome.UNKNOWN, "500"),
        (Reply(200, "x"), Outcome.UNKNOWN, "no_answer_code"),
        (Reply(fault="reset"), Outcome.UNKNOWN, "connection_lost"),
    ],
)
def test_what_a_robot_answers_is_told_apart(
    kind: str, reply: Reply, outcome: Outcome, code: str
) -> None:
    with http(reply) as server:
        result = robots.tell(f"{kind}+{server.url}/send", "Hello", NOW)

    assert (result.outcome, result.code) == (outcome, code)


def test_an_address_that_is_no_robots_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match="part 2 of STAFF_ROBOTS"):
        robots.check(["wecom+https://x.test", "https://x.test"])


@pytest.mark.django_db
def test_staff_hear_once_that_a_provider_is_shut(settings: Any) -> None:
    with http(GOOD) as server:
        settings.STAFF_ROBOTS = [f"wecom+{server.url}/send"]
        throttling.allowance(1, NOW)
        for _ in range(throttling.FAILURES_TO_OPEN + 2):
            throttling.report([Result("1", Outcome.LATER, "no_connection")], NOW)
        for job in Job.objects.filter(kind=alerting.JOB):
            running.run(job.pk, clock=lambda: NOW)

    assert [heard.json["text"]["content"] for heard in server.heard] == [
        "outbox fails (no_connection); nothing is sent until it is back."
    ]


@pytest.mark.django_db
def test_an_alert_that_a_robot_did_not_take_is_tried_again(settings: Any) -> None:
    settings.STAFF_ROBOTS = [f"wecom+http://127.0.0.1:{closed_port()}/send"]
    alerting.tell("review_asked", NOW, campaign="June")
    job = Job.objects.get(kind=alerting.JOB)

    running.run(job.pk, clock=lambda: NOW)

    job.refresh_from_db()
    assert job.state == Job.State.QUEUED
