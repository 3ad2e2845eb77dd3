"""Made-up customers and consents by seed, for demo and tests: nobody real is meant.

Addresses are on domains reserved for examples (RFC 2606), numbers in ranges that regulators
keep for fiction where there are such (Ofcom 07700 900000-900999, NANP 555-0100 to 0199).
China has none: 199 0000 xxxx is taken, a pattern no operator hands out.
"""

from __future__ import annotations

import csv
import datetime as dt
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from profiles.importing.consent_rows import ConsentRow
from profiles.importing.customer_rows import CustomerRow

SURNAMES_ZH = (
    ("王", "wang"), ("李", "li"), ("张", "zhang"), ("刘", "liu"), ("陈", "chen"), ("杨", "yang"),
    ("黄", "huang"), ("赵", "zhao"), ("周", "zhou"), ("吴", "wu"), ("徐", "xu"), ("孙", "sun"),
    ("马", "ma"), ("胡", "hu"), ("朱", "zhu"), ("郭", "guo"), ("何", "he"), ("罗", "luo"),
    ("高", "gao"), ("林", "lin"), ("郑", "zheng"), ("梁", "liang"), ("谢", "xie"), ("宋", "song"),
    ("唐", "tang"), ("许", "xu"), ("韩", "han"), ("冯", "feng"), ("邓", "deng"), ("曹", "cao"),
)  # fmt: skip
GIVEN_ZH = {
    "female": (
        ("芳", "fang"), ("娜", "na"), ("敏", "min"), ("静", "jing"), ("丽", "li"),
        ("秀英", "xiuying"), ("婷", "ting"), ("雪", "xue"), ("晓梅", "xiaomei"), ("雨欣", "yuxin"),
        ("佳怡", "jiayi"), ("思琪", "siqi"),
    ),
    "male": (
        ("伟", "wei"), ("强", "qiang"), ("磊", "lei"), ("军", "jun"), ("勇", "yong"),
        ("杰", "jie"), ("涛", "tao"), ("明", "ming"), ("建国", "jianguo"), ("浩然", "haoran"),
        ("子轩", "zixuan"), ("宇航", "yuhang"),
    ),
}  # fmt: skip
SURNAMES_EN = (
    "Smith", "Jones", "Taylor", "Brown", "Williams", "Wilson", "Johnson", "Davies", "Patel",
    "Robinson", "Wright", "Thompson", "Evans", "Walker", "White", "Roberts", "Green", "Hall",
    "O'Brien", "Clarke", "Murphy", "Kelly", "Schmidt", "Müller", "García", "Rossi", "Novak",
)  # fmt: skip
GIVEN_EN = {
    "female": ("Olivia", "Amelia", "Isla", "Ava", "Mia", "Grace", "Freya", "Emily", "Zoë", "Anna", "Ruth", "Priya"),
    "male": ("Oliver", "George", "Arthur", "Noah", "Leo", "Oscar", "Harry", "Jack", "Thomas", "James", "Omar", "Ravi"),
}  # fmt: skip
PLACES_ZH = ("上海", "北京", "深圳", "广州", "杭州", "成都", "武汉", "南京", "西安", "苏州")
PLACES_EN = (
    ("London", "GB", "Europe/London"), ("Manchester", "GB", "Europe/London"),
    ("Dublin", "IE", "Europe/Dublin"), ("Berlin", "DE", "Europe/Berlin"),
    ("Amsterdam", "NL", "Europe/Amsterdam"), ("New York", "US", "America/New_York"),
    ("Toronto", "CA", "America/Toronto"), ("Sydney", "AU", "Australia/Sydney"),
)  # fmt: skip
OCCUPATIONS_ZH = ("工程师", "教师", "设计师", "学生", "会计", "医生", "销售", "")
OCCUPATIONS_EN = ("engineer", "teacher", "designer", "student", "accountant", "nurse", "sales", "")
DOMAINS = ("example.com", "example.net", "example.org")
CHINESE_SHARE = 0.4
EMAIL_SHARE, PHONE_SHARE, BIRTH_DATE_SHARE, CONSENT_SHARE = 0.95, 0.7, 0.8, 0.72
WITHDRAWN_SHARE = 0.06
WORDING = {
    "en": "Yes, send me offers and news by e-mail. I can stop this at any time.",
    "zh": "我同意通过电子邮件接收优惠和资讯，并可随时撤回。",
}
SOURCES = ("checkout", "account page", "newsletter form")


def customers(
    external_ids: Iterable[str], *, seed: int, today: dt.date, chinese_share: float = CHINESE_SHARE
) -> Iterator[CustomerRow]:
    """Make a person for each id; the same seed and id give the same person."""
    for number, external_id in enumerate(external_ids):
        chance = random.Random(f"{seed}:{external_id}")  # noqa: S311 -- a made-up person
        gender = chance.choice(("female", "male"))
        is_chinese = chance.random() < chinese_share
        full_name, local = name(gender, is_chinese=is_chinese, chance=chance)
        city, country, zone = (
            (chance.choice(PLACES_ZH), "CN", "Asia/Shanghai")
            if is_chinese
            else chance.choice(PLACES_EN)
        )
        born = today - dt.timedelta(days=chance.randint(19 * 365, 72 * 365))
        yield CustomerRow(
            external_id=external_id,
            full_name=full_name,
            # The number keeps one address to one customer.
            email=f"{local}.{number}@{chance.choice(DOMAINS)}"
            if chance.random() < EMAIL_SHARE
            else "",
            phone=phone(country, chance) if chance.random() < PHONE_SHARE else "",
            locale="zh-CN" if is_chinese else f"en-{country}",
            country=country,
            time_zone=zone,
            city=city,
            birth_date=born if chance.random() < BIRTH_DATE_SHARE else None,
            gender=gender,
            occupation=chance.choice(OCCUPATIONS_ZH if is_chinese else OCCUPATIONS_EN),
        )


def consents(
    people: Iterable[CustomerRow], *, seed: int, before: dt.datetime
) -> Iterator[ConsentRow]:
    """Make the e-mail consents of such people within the year before `before`; some withdraw."""
    for person in people:
        chance = random.Random(f"{seed}:consent:{person.external_id}")  # noqa: S311
        if not person.email or chance.random() >= CONSENT_SHARE:
            continue
        given = before - dt.timedelta(minutes=chance.randint(30 * 1440, 365 * 1440))
        row = ConsentRow(
            external_id=person.external_id,
            purpose="campaign.email",
            channel="email",
            state="given",
            wording=WORDING["zh" if person.locale.startswith("zh") else "en"],
            source=chance.choice(SOURCES),
            happened_at=given,
        )
        yield row
        if chance.random() < WITHDRAWN_SHARE:
            facts = asdict(row) | {
                "state": "withdrawn",
                "source": "unsubscribe link",
                "happened_at": given + dt.timedelta(days=chance.randint(1, 29)),
            }
            yield ConsentRow(**facts)


def write(path: Path, rows: Sequence[CustomerRow] | Sequence[ConsentRow]) -> int:
    """Write rows as the CSV file the imports read; returns how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(rows[0])] if rows else [])
        writer.writerows(["" if v is None else v for v in asdict(row).values()] for row in rows)
    return len(rows)


def name(gender: str, *, is_chinese: bool, chance: random.Random) -> tuple[str, str]:
    """Make a person's name and what stands of it before the @ of an address."""
    return (_chinese if is_chinese else _english)(gender, chance)


def _chinese(gender: str, chance: random.Random) -> tuple[str, str]:
    surname, surname_latin = chance.choice(SURNAMES_ZH)
    given, given_latin = chance.choice(GIVEN_ZH[gender])
    return surname + given, f"{given_latin}.{surname_latin}"


def _english(gender: str, chance: random.Random) -> tuple[str, str]:
    surname, given = chance.choice(SURNAMES_EN), chance.choice(GIVEN_EN[gender])
    plain = "".join(letter for letter in f"{given}.{surname}".lower() if letter.isascii())
    return f"{given} {surname}", plain.replace("'", "")


def phone(country: str, chance: random.Random) -> str:
    """Make a telephone number from the ranges kept free for fiction."""
    if country == "CN":
        return f"+861990000{chance.randint(0, 9999):04}"
    if country in {"US", "CA"}:
        return f"+1212555{chance.randint(100, 199):04}"
    return f"+447700900{chance.randint(0, 999):03}"
