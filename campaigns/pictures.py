"""The library of pictures: what is uploaded is read, written anew without what it carried, kept."""

from __future__ import annotations

import warnings
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext as _

from campaigns.models import Picture
from privacy.problems import DomainError

if TYPE_CHECKING:
    from datetime import datetime

    from PIL.Image import Image

    from privacy.models import Staff

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 25_000_000
MAX_SIDE = 8_000
MAX_FRAMES = 200
WIDEST = 1_200  # a message is 600 wide, and sharp screens show two pixels for one
# Formats by their names in Pillow; mail programs show all but WebP everywhere.
FORMATS = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "WEBP": "webp"}
CONTENT_TYPES = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}


def add(content: bytes, *, name: str, alt: str, staff: Staff | None, now: datetime) -> Picture:
    """Keep a picture and return it; the same one again is the one that is there.

    It is decoded and written anew, without EXIF, colour profile, comments or what follows its
    end; one wider than 1,200 pixels is made smaller, unless it moves. Raises DomainError
    `required`, `picture_too_large`, `not_a_picture`, `picture_too_many_pixels`.
    """
    if not alt.strip():
        raise DomainError("required", _("Say what the picture shows."), pointer="/alt")
    if len(content) > MAX_BYTES:
        raise DomainError(
            "picture_too_large",
            _("The picture is larger than %(n)d MB; make it smaller.") % {"n": MAX_BYTES >> 20},
            status=413,
            pointer="/file",
        )
    image = _opened(content)
    extension = FORMATS[str(image.format)]
    written, size = _written_anew(image, extension)
    digest = sha256(written).hexdigest()
    there, _is_new = Picture.objects.defer("content").get_or_create(
        sha256=digest,
        defaults={
            "extension": extension,
            "name": (name.strip() or alt.strip())[:100],
            "alt": alt.strip()[:200],
            "width": size[0],
            "height": size[1],
            "n_bytes": len(written),
            "content": written,
            "added_at": now,
            "staff": staff,
        },
    )
    return there


def host() -> str:
    """Return what stands before a picture's path in the address that mail programs fetch."""
    return settings.PUBLIC_URL


def shown_here(html: str) -> str:
    """Return `html` with the library's pictures taken from whichever name these pages have."""
    return html.replace(f'"{settings.PUBLIC_URL}/i/', '"/i/')


def _opened(content: bytes) -> Image:
    """Return the picture, its head read and its sizes bearable."""
    # Pillow loads with the first picture, not with every process.
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own alarm at many pixels; ours is below
            image = Image.open(BytesIO(content), formats=[*FORMATS])
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise _no_picture() from None
    width, height = image.size
    n_frames = getattr(image, "n_frames", 1)
    if max(width, height) > MAX_SIDE or width * height * n_frames > MAX_PIXELS * 4:
        raise _too_many()
    if width * height > MAX_PIXELS or n_frames > MAX_FRAMES:
        raise _too_many()
    return image


def _written_anew(image: Image, extension: str) -> tuple[bytes, tuple[int, int]]:
    from PIL import ImageOps  # noqa: PLC0415

    out, kind = BytesIO(), str(image.format)
    try:
        if getattr(image, "n_frames", 1) > 1:
            image.info = {key: image.info[key] for key in ("duration", "loop") if key in image.info}
            image.save(out, kind, save_all=True, optimize=True)
            return out.getvalue(), image.size
        still = ImageOps.exif_transpose(image)
        if still.width > WIDEST:
            still.thumbnail((WIDEST, WIDEST * 8))
        still = still.convert(_mode(still, extension))
        still.info = {}
        options = {"quality": 85, "progressive": True} if extension == "jpg" else {}
        still.save(out, kind, optimize=True, **options)
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError):
        raise _no_picture() from None
    return out.getvalue(), still.size


def _mode(image: Image, extension: str) -> str:
    if extension == "jpg":
        return "RGB"
    if extension == "gif":
        return image.mode if image.mode in {"P", "L"} else "P"
    has_holes = image.has_transparency_data
    return "RGBA" if has_holes else "RGB"


def _no_picture() -> DomainError:
    return DomainError(
        "not_a_picture",
        _("This is no picture that can be read: PNG, JPEG, GIF or WebP."),
        pointer="/file",
    )


def _too_many() -> DomainError:
    return DomainError(
        "picture_too_many_pixels",
        _("The picture has more than %(n)d million pixels; make it smaller.")
        % {"n": MAX_PIXELS // 1_000_000},
        pointer="/file",
    )
