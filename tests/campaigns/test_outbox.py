"""The outbox folder: what is written can be listed and read, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from campaigns.channels import outbox
from campaigns.channels.base import Message, Outcome
from campaigns.rendering import message
from tests.make import NOW


def written(folder: Path, key: str, *, minutes: int = 0, subject: str = "你好, Ann") -> str:
    date = NOW + timedelta(minutes=minutes)
    envelope = message.Envelope("Volt 电器", "v@volt.test", "ann@example.com", f"<{key}@v>", date)
    content = message.build(envelope, subject=subject, html="<p>你好</p>", text="你好")
    note = Message(key, "v@volt.test", "ann@example.com", content, date)
    assert outbox.OutboxChannel(folder).send_batch([note])[0].outcome is Outcome.SENT
    return f"{date:%Y%m%dT%H%M%S}-{key}.eml"


def test_a_written_message_is_read_back_whole(tmp_path: Path) -> None:
    name = written(tmp_path / "outbox", "7")

    shown = outbox.read(tmp_path / "outbox", name)

    assert (shown.subject, shown.recipient, shown.written_at) == (
        "你好, Ann",
        "ann@example.com",
        NOW,
    )
    assert shown.sender == "Volt 电器 <v@volt.test>"
    assert (shown.html.strip(), shown.text.strip()) == ("<p>你好</p>", "你好")


def test_messages_come_newest_first_and_by_page(tmp_path: Path) -> None:
    names = [written(tmp_path, str(n), minutes=n) for n in range(3)]

    assert [shown.name for shown in outbox.messages(tmp_path, limit=2)] == [names[2], names[1]]
    assert [shown.name for shown in outbox.messages(tmp_path, limit=2, offset=2)] == [names[0]]
    assert outbox.count(tmp_path) == 3


def test_the_same_message_written_twice_is_there_once(tmp_path: Path) -> None:
    written(tmp_path, "7")
    written(tmp_path, "7")

    assert outbox.count(tmp_path) == 1


@pytest.mark.parametrize(
    "name",
    ["../secret.eml", "/etc/passwd", "..", "", "20260302T090000-7.eml/../x", "a\0b", "x.eml"],
)
def test_a_name_that_is_no_message_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.eml").write_text("no")
    folder = tmp_path / "outbox"
    folder.mkdir()

    with pytest.raises(outbox.UnknownMessageError):
        outbox.read(folder, name)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("no")
    folder = tmp_path / "outbox"
    folder.mkdir()
    (folder / "20260302T090000-7.eml").symlink_to(tmp_path / "secret")

    with pytest.raises(outbox.UnknownMessageError):
        outbox.read(folder, "20260302T090000-7.eml")


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert outbox.messages(tmp_path / "none") == []
