"""The snippet as a file: small, plain, the same for ever under its version, to be had from anywhere."""

from __future__ import annotations

import gzip
import subprocess

import pytest
from django.test import Client

from profiles import snippet
from tests.clients import npm

MOST_BYTES = 2_500
# What was released and must stay as it was: pages out there name these hashes.
RELEASED = {"1.0.0": "sha384-oG3hppSZvDzZLAxFWMRWn8Eyoc4yr9NAsmVX3rbAPp843jQJZqCZmN/lXCKyqrG6"}


def test_it_is_small() -> None:
    assert len(gzip.compress(snippet.BUILT.read_bytes(), 9)) <= MOST_BYTES


def test_a_released_version_never_changes() -> None:
    assert snippet.integrity() == RELEASED[snippet.VERSION]


def test_it_says_its_version() -> None:
    assert f'version: "{snippet.VERSION}"' in snippet.SOURCE.read_text(encoding="utf-8")


def test_what_is_served_is_made_of_the_source() -> None:
    assert npm.run("snippet").encode() == snippet.BUILT.read_bytes()


def test_it_is_es2017_without_cookies_and_evaluated_text() -> None:
    source = snippet.BUILT.read_text(encoding="utf-8")
    parse = "require('acorn').parse(require('fs').readFileSync(0, 'utf8'), { ecmaVersion: 2017 })"
    npm.node("-e", parse, given=source)

    with pytest.raises(subprocess.CalledProcessError):
        npm.node("-e", parse, given="const { a, ...rest } = {};")  # 2018: the check can fail
    assert not [word for word in ("cookie", "eval(", "Function(", "innerHTML") if word in source]


def test_any_page_may_load_it_and_keep_it(client: Client) -> None:
    answer = client.get(snippet.path())

    assert answer.status_code == 200
    assert b"".join(answer) == snippet.BUILT.read_bytes()
    assert answer["Access-Control-Allow-Origin"] == "*"  # without it the hash cannot be checked
    assert answer["Cache-Control"] == "max-age=315360000, public, immutable"
    assert answer["Content-Type"].startswith("text/javascript")


def test_other_files_without_a_hash_in_their_name_are_not_kept_for_ever(client: Client) -> None:
    answer = client.get("/static/candor/candor.css")

    assert b"".join(answer).startswith(b"/* Candor")
    assert "immutable" not in answer["Cache-Control"]


def test_the_tag_names_key_hash_and_asks_for_consent_first() -> None:
    tag = snippet.tag('wk_live_"x')

    assert f'integrity="{snippet.integrity()}" crossorigin="anonymous"' in tag
    assert 'data-key="wk_live_&quot;x" data-consent="required"' in tag
