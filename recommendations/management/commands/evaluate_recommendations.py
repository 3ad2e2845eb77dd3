"""Compare the engines on files, without touching the database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommendations.engines.base import Engine
    from recommendations.evaluation.comparing import Result, Task

    ByGroup = dict[str, list[dict[str, Any]]]

SHOWN = ("ndcg", "recall", "coverage")
DAY = 86_400


class Command(BaseCommand):
    help = "Compare the recommendation engines on files; the database is not touched."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        data = parser.add_argument_group("data: one of these")
        data.add_argument("--train", type=Path, help="a line: user id, then item ids")
        data.add_argument("--test", type=Path, help="the same, of what is to be foreseen")
        data.add_argument("--format", choices=["user-items"], default="user-items")
        data.add_argument(
            "--sequences", type=Path, help="a line in the order of time: user id, then item ids"
        )
        data.add_argument(
            "--events", type=Path, help="CSV with customer, product, occurred_at, quantity, text"
        )
        data.add_argument("--split-at", help="the day from which events are to be foreseen")
        parser.add_argument("--engines", default="all", help="all, or names with commas")
        parser.add_argument("--cutoffs", default="10,20", help="lengths of the lists judged")
        parser.add_argument("--tune", type=int, default=24, help="trials an engine gets")
        parser.add_argument(
            "--min-people", type=int, default=1,
            help="people who must stand behind a pair of items; serving asks for 3",
        )  # fmt: skip
        parser.add_argument("--memory-mb", type=int, default=1024, help="memory of a model")
        parser.add_argument(
            "--users", type=Path,
            help="CSV with customer and columns of groups: is quality alike for each group?",
        )  # fmt: skip
        parser.add_argument("--json", type=Path, help="also write the results to this file")

    def handle(self, *args: object, **options: Any) -> None:
        from recommendations.evaluation import comparing
        from recommendations.evaluation.data import DataError
        from recommendations.evaluation.splits import TooLittleDataError

        names = _engines(options["engines"])
        try:
            task, people = self._task(options)
            groups = _groups(options["users"], [people[row] for row in task.test.warm])
            _refuse_empty(task)
        except (DataError, TooLittleDataError) as error:
            raise CommandError(str(error)) from error
        split = task.test
        self.stdout.write(
            f"{len(split.warm)} people, {split.test.n} pairs to foresee, {len(task.items.ids)} "
            f"items; set apart: {split.n_repeats} repeats, {split.newcomers.n} pairs of "
            f"newcomers; {split.n_cold_items} pairs on items nobody took before"
        )
        rows: list[Result] = []
        for row in comparing.compare(task, names):
            if isinstance(row, comparing.Skipped):
                self.stderr.write(f"{row.name}: left out, {row.reason}")
                continue
            rows.append(row)
            self.stderr.write(f"{row.name}: {row.n_trials} trials")
        self.stdout.write(_table(rows, task.cutoffs))
        self._differences(rows, task.cutoffs[-1])
        by_group = [_by_group(row, groups, task.cutoffs[-1]) for row in rows]
        if groups:
            self.stdout.write(_group_table(rows, by_group, task.cutoffs[-1]))
        if options["json"] is not None:
            told = [
                _fact(row) | ({"groups": found} if groups else {})
                for row, found in zip(rows, by_group, strict=True)
            ]
            facts = json.dumps(told, indent=2) + "\n"
            options["json"].write_text(facts, encoding="utf-8")

    def _task(self, options: dict[str, Any]) -> tuple[Task, Sequence[str]]:
        """Return what is compared on, and the ids of the people by number."""
        from recommendations.evaluation import data, splits
        from recommendations.evaluation.comparing import Task

        cutoffs = _numbers(options["cutoffs"], "--cutoffs")
        asked = [name for name in ("train", "sequences", "events") if options[name] is not None]
        if len(asked) != 1:
            raise CommandError("give one of --train with --test, --sequences, or --events")
        common = {
            "cutoffs": cutoffs,
            "budget": options["tune"],
            "min_people": options["min_people"],
            "memory_bytes": options["memory_mb"] * 2**20,
        }
        if options["train"] is not None:
            if options["test"] is None:
                raise CommandError("--train needs --test, the items to be foreseen")
            train, test = data.of_lines(options["train"], options["test"])
            return Task(
                validation=splits.several_without_some(train.interactions),
                test=splits.given(train.interactions, test.interactions),
                items=train.items, has_times=False, has_order=False, **common,
            ), train.people  # fmt: skip
        if options["sequences"] is not None:
            (read,) = data.of_lines(options["sequences"])
            return Task(
                validation=(splits.last_out(read.interactions, n_back=1),),
                test=splits.last_out(read.interactions),
                items=read.items, has_times=False, has_order=True, **common,
            ), read.people  # fmt: skip
        if options["split_at"] is None:
            raise CommandError("--events needs --split-at, the first day to be foreseen")
        found = data.of_events(options["events"])
        for reason, count in found.rejected.items():
            self.stderr.write(f"{options['events']}: {count} rows left out: {reason}")
        at = _seconds(options["split_at"])
        end = int(found.interactions.at.max()) + 1
        days = max(1, -(-(end - at) // DAY))
        return Task(
            validation=(splits.at(found.interactions, at - days * DAY, days=days),),
            test=splits.at(found.interactions, at, days=days),
            items=found.items, has_times=True, has_order=True, **common,
        ), found.people  # fmt: skip

    def _differences(self, rows: list[Result], cutoff: int) -> None:
        """Print by how much the best row is above the others, person by person."""
        from recommendations.evaluation import comparing

        metric = f"ndcg@{cutoff}"
        best = max(rows, key=lambda row: row.metrics[metric].value, default=None)
        for row in rows:
            if best is not None and row is not best:
                gain = comparing.difference(best, row, metric)
                self.stdout.write(
                    f"{best.name} − {row.name}: {gain.value:+.4f} [{gain.low:+.4f}, "
                    f"{gain.high:+.4f}] {metric}"
                )


def _engines(told: str) -> tuple[str, ...]:
    from recommendations.evaluation.contenders import BLEND, NAMES

    names = NAMES if told == "all" else tuple(name.strip() for name in told.split(","))
    if unknown := [name for name in names if name not in NAMES]:
        raise CommandError(
            f"--engines: no engine {', '.join(unknown)}; there are {', '.join(NAMES)}"
        )
    if names == (BLEND,):
        raise CommandError("--engines: a blend mixes the engines named with it; name some")
    return (*(name for name in names if name != BLEND), *(BLEND for _ in [0] if BLEND in names))


def _numbers(told: str, option: str) -> tuple[int, ...]:
    try:
        numbers = tuple(sorted({int(one) for one in told.split(",")}))
    except ValueError as error:
        raise CommandError(f"{option}: whole numbers with commas, as in 10,20") from error
    if numbers[0] < 1:
        raise CommandError(f"{option}: numbers from 1 on")
    return numbers


def _seconds(told: str) -> int:
    try:
        found = datetime.fromisoformat(told)
    except ValueError as error:
        raise CommandError(f"--split-at is {told!r}; write a day such as 2010-10-31") from error
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def _refuse_empty(task: Task) -> None:
    parts = [("test", task.test), *(("validation", split) for split in task.validation)]
    for name, split in parts:
        if not len(split.warm):
            raise CommandError(f"nobody has anything new to foresee in the {name} part")


def _table(rows: list[Result], cutoffs: tuple[int, ...]) -> str:
    names = [f"{metric}@{k}" for metric in SHOWN for k in cutoffs]
    table = [["engine", *names, "CPU s", "tuning s", "peak MB", "parameters"]]
    for row in rows:
        cells = []
        for name in names:
            found = row.metrics[name]
            span = f" [{found.low:.4f}, {found.high:.4f}]" if found.low < found.high else ""
            cells.append(f"{found.value:.4f}{span}")
        table.append(
            [
                row.name, *cells, f"{row.cpu_seconds:.1f}", f"{row.tuning_cpu_seconds:.1f}",
                f"{row.peak_rss_mb:.0f}", json.dumps(_shown(row.engine)),
            ]
        )  # fmt: skip
    return _aligned(table)


def _aligned(table: list[list[str]]) -> str:
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def _shown(engine: Engine) -> dict[str, Any]:
    """Return an engine's parameters but for the moment it looks from, which the split sets."""
    from recommendations.evaluation.contenders import spec_of

    def without_moment(spec: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in spec.items() if name not in {"as_of", "engine"}}
        if "parts" in kept:
            kept = {part["engine"]: without_moment(part) for part in kept["parts"]}
        return kept

    return without_moment(spec_of(engine))


def _fact(row: Result) -> dict[str, Any]:
    return {
        "engine": row.name,
        "parameters": _shown(row.engine),
        "metrics": {name: found._asdict() for name, found in row.metrics.items()},
        "cpu_seconds": row.cpu_seconds,
        "tuning_cpu_seconds": row.tuning_cpu_seconds,
        "n_trials": row.n_trials,
        "peak_rss_mb": row.peak_rss_mb,
    }


def _groups(path: Path | None, people: Sequence[str]) -> dict[str, list[str]]:
    """Return each judged person's group by column of the file; "" for whom it does not name."""
    from recommendations.evaluation import data

    if path is None:
        return {}
    told = data.of_users(path)
    found = {column: [of.get(one, "") for one in people] for column, of in told.items()}
    if not any(any(groups) for groups in found.values()):
        raise CommandError(f"{path}: names none of the {len(people)} people who are judged")
    return found


def _by_group(row: Result, groups: dict[str, list[str]], cutoff: int) -> ByGroup:
    from dataclasses import asdict

    from recommendations.evaluation.groups import quality

    values = row.per_person[f"ndcg@{cutoff}"]
    return {
        column: [asdict(one) for one in quality(values, names)] for column, names in groups.items()
    }


def _group_table(rows: list[Result], by_group: list[ByGroup], cutoff: int) -> str:
    heads = ["engine", "by", "group", "people", f"ndcg@{cutoff}", "gap to the others", "ratio"]
    table = [heads]
    for row, found in zip(rows, by_group, strict=True):
        for column, groups in found.items():
            table += [
                [
                    row.name, column, one["group"] or "not known", str(one["n"]),
                    _told(one["level"], ""), _told(one["gap"], "+"), _told(one["ratio"], ""),
                ]
                for one in groups
            ]  # fmt: skip
    return "\n" + _aligned(table)


def _told(found: dict[str, float] | None, sign: str) -> str:
    if found is None:
        return "–"
    value, low, high = (f"{found[key]:{sign}.4f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
