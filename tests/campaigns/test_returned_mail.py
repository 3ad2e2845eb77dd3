"""What comes back by mail, read from samples: delivery reports, complaints, automatic replies."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.bounces import codes
from campaigns.bounces.codes import Kind
from campaigns.bounces.reading import Read, Sort, read

TOKEN = "t" * 43
MESSAGE_ID = "<00000000000000000000000000000001.7@shop.test>"


def sample(name: str, *, token: str = TOKEN, message_id: str = MESSAGE_ID) -> bytes:
    path = Path(__file__).parent / "data" / "returned" / f"{name}.eml"
    text = path.read_text(encoding="utf-8").replace("{token}", token)
    return text.replace("{message_id}", message_id).replace("\n", "\r\n").encode()


def samples() -> list[str]:
    return sorted(path.stem for path in (Path(__file__).parent / "data" / "returned").iterdir())


def one(name: str) -> Read:
    return read(sample(name))


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("hard", Kind.HARD, "5.1.1"),
        ("hard_vague", Kind.HARD, "550"),
        ("soft", Kind.SOFT, "5.2.2"),
        ("gave_up", Kind.SOFT, "4.4.1"),
        ("blocked", Kind.BLOCKED, "5.7.1"),
        ("delivered", Kind.DELIVERED, "2.0.0"),
        ("qmail", Kind.HARD, "5.1.1"),
        ("chinese", Kind.HARD, "550"),
        ("complaint", Kind.COMPLAINT, "abuse"),
    ],
)
def test_a_report_says_what_became_of_which_message(name: str, kind: Kind, code: str) -> None:
    found = one(name)

    assert found.sort == Sort.REPORT
    (word,) = found.words
    assert (word.kind, word.code, word.recipient) == (kind, code, "ann@example.com")
    assert (word.about.token, word.about.message_id) in {(TOKEN, MESSAGE_ID), (TOKEN, "")}


@pytest.mark.parametrize("name", ["delayed", "not_spam"])
def test_a_report_of_nothing_final_says_nothing(name: str) -> None:
    assert one(name).words == ()


@pytest.mark.parametrize("name", ["away", "away_by_subject", "away_chinese", "list_mail"])
def test_what_a_program_wrote_is_no_reply(name: str) -> None:
    assert (one(name).sort, one(name).words) == (Sort.AUTOMATIC, ())


def test_what_a_person_wrote_is_a_reply() -> None:
    assert (one("human").sort, one("human").words) == (Sort.REPLY, ())


def test_a_message_has_the_same_key_at_every_reading_and_no_other_has_it() -> None:
    keys = [one(name).key for name in samples()]
    assert keys == [one(name).key for name in samples()]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        ("", "smtp; 550 5.1.10 RESOLVER.ADR.RecipientNotFound", Kind.HARD),
        ("", "550 user unknown", Kind.HARD),
        ("", "550 blocked: user unknown to the blocklist", Kind.BLOCKED),
        ("", "554 rejected by DMARC policy", Kind.BLOCKED),
        ("5.4.1", "access denied", Kind.SOFT),
        ("4.2.2", "over quota", Kind.SOFT),
        ("5.2.1", "mailbox disabled", Kind.HARD),
        ("", "", Kind.SOFT),
    ],
)
def test_only_words_about_the_address_make_a_bounce_hard(code: str, words: str, kind: Kind) -> None:
    assert codes.classify(code, words) == kind


@pytest.mark.parametrize(
    "word", ["=?UTF-8?B?QQ?A?=", "=?UTF-8?B?\x00Ieq5Yqo5Zue5aSN77yaSGVsbG8=?=", "=?no-such?Q?x?="]
)
def test_a_subject_that_cannot_be_decoded_is_read_as_it_stands(word: str) -> None:
    told = f"From: ann@example.com\r\nSubject: Out of office {word}\r\n\r\nBack soon.\r\n"

    assert read(told.encode()).sort == Sort.AUTOMATIC


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(samples()), st.integers(0, 2_000), st.binary(max_size=60))
def test_no_damage_makes_reading_fail(name: str, at: int, noise: bytes) -> None:
    whole = sample(name)
    damaged = whole[:at] + noise + whole[at + len(noise) :]

    assert read(damaged).sort in Sort
    assert read(whole[:at]).sort in Sort
