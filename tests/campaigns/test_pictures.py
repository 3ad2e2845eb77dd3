"""The library of pictures: what comes in, what is kept of it, how it is served."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from campaigns import pictures
from campaigns.models import Picture
from privacy.problems import DomainError
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
ADD = "/admin/campaigns/picture/add/"


def made(kind: str = "PNG", size: tuple[int, int] = (40, 30), **how: object) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, kind, **how)
    return out.getvalue()


def add(content: bytes, alt: str = "A red lamp") -> Picture:
    return pictures.add(content, name="lamp", alt=alt, staff=None, now=NOW)


@pytest.mark.parametrize("kind", sorted(pictures.FORMATS))
def test_a_picture_is_served_for_ever_under_the_name_of_its_content(
    client: Client, kind: str
) -> None:
    kept = add(made(kind))

    answer = client.get(kept.path)
    again = client.get(kept.path, headers={"If-None-Match": answer.headers["ETag"]})

    assert Image.open(BytesIO(answer.content)).format == kind
    assert answer.headers["Content-Type"] == pictures.CONTENT_TYPES[kept.extension]
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"/i/{'0' * 64}.png").status_code == 404
    assert client.get(f"/i/{kept.sha256}.svg").status_code == 404


def test_nothing_of_the_camera_and_nothing_behind_the_end_is_kept() -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "taken at home", 6
    content = made("JPEG", (40, 20), exif=exif) + b"<script>alert(1)</script>"

    kept = add(content)

    assert b"taken at home" not in bytes(kept.content)
    assert b"<script>" not in bytes(kept.content)
    assert not Image.open(BytesIO(bytes(kept.content))).getexif()
    assert (kept.width, kept.height) == (20, 40)  # turned as the camera said


def test_the_same_picture_twice_is_one_and_a_wide_one_is_made_smaller() -> None:
    first, again, wide = add(made()), add(made(), alt="Other"), add(made("JPEG", (3000, 600)))

    assert (first.pk, again.alt) == (again.pk, "A red lamp")
    assert (wide.width, wide.height) == (1200, 240)
    assert Picture.objects.count() == 2


def test_what_moves_goes_on_moving() -> None:
    out = BytesIO()
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=90, comment=b"hi")

    kept = Image.open(BytesIO(bytes(add(out.getvalue()).content)))

    assert getattr(kept, "n_frames", 1) == 3
    assert "comment" not in kept.info


@pytest.mark.parametrize(
    ("content", "alt", "code"),
    [
        (b"", "Lamp", "not_a_picture"),
        (b"<svg onload='alert(1)'/>", "Lamp", "not_a_picture"),
        (made()[:60], "Lamp", "not_a_picture"),
        (made("BMP"), "Lamp", "not_a_picture"),
        (made("GIF", (9000, 2)), "Lamp", "picture_too_many_pixels"),
        (made("PNG", (6000, 5000)), "Lamp", "picture_too_many_pixels"),
        (b"\x89PNG" + b"0" * pictures.MAX_BYTES, "Lamp", "picture_too_large"),
        (made(), " ", "required"),
    ],
    ids=["empty", "svg", "cut", "bmp", "long", "many", "heavy", "no words"],
)
def test_what_is_no_bearable_picture_is_refused(content: bytes, alt: str, code: str) -> None:
    with pytest.raises(DomainError) as refused:
        add(content, alt)

    assert refused.value.code == code
    assert not Picture.objects.exists()


def test_staff_upload_by_the_page_and_by_the_editor(client: Client) -> None:
    make.shop()
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")

    page = client.post(ADD, {"file": SimpleUploadedFile("lamp.png", made()), "alt": "A lamp"})
    file = SimpleUploadedFile("sofa.png", made(size=(50, 50)))
    told = client.post(ADD, {"file": file, "alt": "Sofa"}, headers={"Accept": "application/json"})
    refused = client.post(ADD, {"alt": "Sofa"}, headers={"Accept": "application/json"})

    kept = Picture.objects.get(alt="Sofa")
    assert page.status_code == 302
    assert told.json() == {
        "path": kept.path,
        "url": f"http://127.0.0.1:8000{kept.path}",
        "name": "sofa",
        "alt": "Sofa",
    }
    assert (refused.status_code, refused.json()) == (400, {"detail": "Choose a picture."})
    assert "A lamp" in client.get("/admin/campaigns/picture/").content.decode()


def test_an_upload_from_another_page_is_refused() -> None:
    client = Client(enforce_csrf_checks=True)
    make.shop()
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")

    answer = client.post(ADD, {"file": SimpleUploadedFile("lamp.png", made()), "alt": "A lamp"})

    assert answer.status_code == 403
    assert not Picture.objects.exists()
