"""One-time codes of staff (RFC 6238), and recovery codes for when the telephone is gone.

The algorithm is django-otp's; its tables, which keep secrets in plain, are not used.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode

from django.db import transaction
from django_otp.oath import TOTP

from privacy import audit
from privacy.models import RecoveryCode, SecondFactor, Staff
from privacy.sealed import keys

SECRET_BYTES: Final = 20
N_CODES: Final = 10
FREE_FAILURES: Final = 5
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(hours=1)
ISSUER: Final = "Candor"


def of(staff: Staff) -> SecondFactor | None:
    """The account's second factor once it is confirmed."""
    factor: SecondFactor | None = getattr(staff, "second_factor", None)
    return factor if factor and factor.confirmed_at else None


def begin(staff: Staff) -> SecondFactor:
    """Return the factor that the account sets up; a confirmed one is not touched."""
    return SecondFactor.objects.get_or_create(staff=staff)[0]


def secret(factor: SecondFactor) -> str:
    """The shared secret in Base32, as authenticator apps take it."""
    return base64.b32encode(_key(factor)).decode()


def address(factor: SecondFactor) -> str:
    """What the square code says: the otpauth URI."""
    label = quote(f"{ISSUER}:{factor.staff.get_username()}")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret(factor), 'issuer': ISSUER})}"


@transaction.atomic
def confirm(factor: SecondFactor, token: str, *, now: datetime) -> list[str]:
    """Put the factor in force if the code fits; return recovery codes, else an empty list."""
    factor = SecondFactor.objects.select_for_update().get(pk=factor.pk)
    if factor.confirmed_at or not _fits(factor, token, now):
        return []
    factor.confirmed_at = now
    factor.save()
    _audit("second_factor.set", factor.staff, factor.staff, now)
    return _new_codes(factor)


def check(staff: Staff, token: str, *, now: datetime) -> bool:
    """Whether the code is the authenticator's or an unused recovery code; each serves once.

    After five wrong ones in a row none is looked at for a while that doubles up to an hour.
    """
    with transaction.atomic():
        factor = (
            SecondFactor.objects.select_for_update()
            .filter(staff=staff, confirmed_at__isnull=False)
            .first()
        )
        if factor is None or must_wait(factor, now):
            return False
        fits = _fits(factor, token, now) or _take_code(factor, token, now)
        factor.n_failures = 0 if fits else factor.n_failures + 1
        factor.failed_at = None if fits else now
        factor.save()
    return fits


def must_wait(factor: SecondFactor, now: datetime) -> bool:
    """Whether no code is looked at yet, after too many wrong ones."""
    if factor.failed_at is None or factor.n_failures < FREE_FAILURES:
        return False
    doublings = min(factor.n_failures - FREE_FAILURES, 10)
    wait: timedelta = FIRST_WAIT * 2**doublings
    return now < factor.failed_at + min(wait, LONGEST_WAIT)


@transaction.atomic
def renew_codes(staff: Staff, *, now: datetime) -> list[str]:
    """Replace the recovery codes; none without a factor in force."""
    factor = of(staff)
    if factor is None:
        return []
    factor.recovery_codes.all().delete()
    _audit("second_factor.codes_renewed", staff, staff, now)
    return _new_codes(factor)


@transaction.atomic
def remove(staff: Staff, *, by: Staff, now: datetime) -> None:
    """Take the second factor away, as from somebody who lost telephone and codes."""
    if SecondFactor.objects.filter(staff=staff).delete()[0]:
        _audit("second_factor.removed", staff, by, now)


def _key(factor: SecondFactor) -> bytes:
    return keys().index_key("second_factor", factor.uuid.hex)[:SECRET_BYTES]


def _fits(factor: SecondFactor, token: str, now: datetime) -> bool:
    """Whether it is the code of now, or 30 s off, of a step later than the last one taken."""
    token = token.replace(" ", "")
    if not (token.isascii() and token.isdigit() and len(token) == 6):  # noqa: PLR2004 -- digits
        return False
    totp = TOTP(_key(factor))
    totp.time = now.timestamp()
    if not totp.verify(int(token), tolerance=1, min_t=factor.last_step + 1):
        return False
    factor.last_step = totp.t()
    return True


def _new_codes(factor: SecondFactor) -> list[str]:
    codes = [f"{secrets.token_hex(3)}-{secrets.token_hex(3)}" for _ in range(N_CODES)]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(factor=factor, digest=_digest(factor, code)) for code in codes
    )
    return codes


def _take_code(factor: SecondFactor, code: str, now: datetime) -> bool:
    digest = _digest(factor, code.strip().lower())
    unused = RecoveryCode.objects.filter(factor=factor, digest=digest, used_at__isnull=True)
    return unused.update(used_at=now) == 1


def _digest(factor: SecondFactor, code: str) -> bytes:
    """Keyed, since a code of 48 bits could be found from its bare digest."""
    return hashlib.sha256(_key(factor) + code.encode()).digest()


def _audit(action: str, staff: Staff, by: Staff, now: datetime) -> None:
    audit.append(action, actor=f"staff:{by.pk}", at=now, reason=f"staff:{staff.pk}")
