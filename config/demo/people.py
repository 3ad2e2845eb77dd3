"""The demo shop's customers: seven ways of living with electronics, in two languages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Taste:
    """A group of people who buy alike; shares in 0-1, ages in years, hours of the day.

    `likes` weighs categories, `level` is the preferred place in a price band, `thrift` how
    much a discount raises the will to buy, `visits` the mean number of visits a year,
    `reads_mail` and `mobile` the shares who open mail and who come by phone, `sources` how the
    rest comes: by search, by pictures, by films.
    """

    key: str
    weight: float
    likes: dict[str, float]
    ages: tuple[int, int]
    female: float
    occupations: tuple[str, ...]
    hours: tuple[int, ...]
    weekend: float
    level: float
    thrift: float
    visits: float
    reads_mail: float
    mobile: float
    sources: tuple[float, float, float] = (0.5, 0.3, 0.2)


TASTES = (
    Taste("listener", 0.20, {"headphones": 6, "earbuds": 3, "speakers": 3, "cards": 1, "cases": 1}, (25, 34), 0.76,
          ("office worker", "designer", "teacher"), (18, 19, 20, 21, 22), 0.30, 0.7, 0.0, 14, 0.7, 0.7, (0.2, 0.7, 0.1)),
    Taste("photographer", 0.10, {"cameras": 3, "lenses": 4, "cards": 4, "storage": 2.5, "powerbanks": 0.6}, (30, 52), 0.38,
          ("engineer", "freelancer", "doctor"), (9, 10, 11, 15, 16, 20), 0.55, 0.8, 0.1, 12, 0.3, 0.2, (0.3, 0.2, 0.5)),
    Taste("gamer", 0.15, {"controllers": 4, "headsets": 4, "keyboards": 3, "mice": 3, "monitors": 1.5}, (18, 31), 0.24,
          ("student", "engineer", "office worker"), (20, 21, 22, 23), 0.45, 0.5, 0.5, 15, 0.1, 0.4, (0.1, 0.2, 0.7)),
    Taste("home_office", 0.18, {"laptops": 2, "monitors": 2.5, "keyboards": 2.5, "mice": 2.5, "storage": 2, "chargers": 2, "cables": 2}, (28, 48), 0.47,
          ("office worker", "accountant", "engineer"), (9, 11, 12, 13, 14), 0.12, 0.6, 0.15, 12, 0.2, 0.1, (0.9, 0.05, 0.05)),
    Taste("family", 0.14, {"smarthome": 5, "routers": 1.5, "watches": 2, "readers": 2, "speakers": 1}, (33, 55), 0.62,
          ("teacher", "nurse", "shop owner"), (19, 20, 21), 0.42, 0.45, 0.3, 11, 0.25, 0.5),
    Taste("student", 0.15, {"cases": 5, "cables": 4, "chargers": 3, "powerbanks": 2.5, "earbuds": 2}, (18, 24), 0.52,
          ("student",), (12, 13, 17, 21, 22), 0.35, 0.12, 0.8, 14, 0.08, 0.9, (0.1, 0.6, 0.3)),
    Taste("traveller", 0.08, {"powerbanks": 4, "phones": 2, "watches": 2.5, "chargers": 2.5, "readers": 1.5, "headphones": 1.5}, (25, 40), 0.5,
          ("consultant", "freelancer", "pilot"), (7, 8, 21, 22), 0.3, 0.75, 0.15, 12, 0.15, 0.7),
)  # fmt: skip
CHINESE_SHARE = 0.4
CITIES_EN = ("London", "Dublin", "Manchester", "Berlin", "Amsterdam", "Toronto")
COUNTRIES_EN = ("GB", "IE", "GB", "DE", "NL", "CA")
CITIES_ZH = ("上海", "北京", "深圳", "广州", "杭州", "成都")


@dataclass(frozen=True)
class DemoCustomer:
    external_id: str
    taste: Taste
    locale: str
    country: str
    city: str
    birth_year: int
    gender: str
    occupation: str
    visits: float


def customers(seed: int, n: int, *, year: int) -> list[DemoCustomer]:
    """`n` customers of the seven tastes; two in five read Chinese."""
    chance = np.random.default_rng(seed)
    weights = np.array([taste.weight for taste in TASTES])
    kinds = chance.choice(len(TASTES), size=n, p=weights / weights.sum())
    return [_customer(number, TASTES[kind], chance, year) for number, kind in enumerate(kinds)]


def _customer(number: int, taste: Taste, chance: np.random.Generator, year: int) -> DemoCustomer:
    chinese = bool(chance.random() < CHINESE_SHARE)
    place = int(chance.integers(6))
    youngest, oldest = taste.ages
    return DemoCustomer(
        external_id=f"C{10_001 + number}",
        taste=taste,
        locale="zh-CN" if chinese else "en-GB",
        country="CN" if chinese else COUNTRIES_EN[place],
        city=CITIES_ZH[place] if chinese else CITIES_EN[place],
        birth_year=year - int(chance.integers(youngest, oldest + 1)),
        gender="female" if chance.random() < taste.female else "male",
        occupation=str(chance.choice(taste.occupations)),
        visits=float(taste.visits * chance.lognormal(-0.18, 0.6)),
    )
