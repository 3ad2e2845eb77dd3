"""Customer and consent files: what comes in, what is rejected, and that twice is once."""

from __future__ import annotations

import gzip
import io
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from jobs import running
from jobs.models import Job
from jobs.work import Work
from privacy import suppression
from privacy.models import Consent, ConsentEntry, SubjectKey, Suppression
from privacy.purposes import purpose
from profiles.files.rejects import path_of
from profiles.importing import customer_rows, people_files, samples, uploads
from profiles.importing.customer_rows import CustomerRow
from profiles.models import Customer, Upload
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db

HEAD = "customer id,name,e-mail,phone,country,birth date,gender\n"
GOOD = "c-1,王小明,wang@example.cn,138 1234 8000,CN,1988-03-01,男\n"


def put(folder: Path, text: str | bytes, name: str = "people.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def load(command: str, path: Path, **options: Any) -> Upload:
    call_command(command, str(path), stdout=io.StringIO(), stderr=io.StringIO(), **options)
    return Upload.objects.latest("pk")


def rejects(upload: Upload) -> list[list[str]]:
    lines = path_of(upload).read_text(encoding="utf-8").splitlines()[1:]
    return [line.split(",")[:2] for line in lines]


def test_a_customer_comes_in_sealed(tmp_path: Path) -> None:
    load("import_customers", put(tmp_path, HEAD + GOOD))

    customer = Customer.objects.get(email="wang@example.cn")
    assert customer.full_name
    assert customer.phone
    assert customer.birth_date
    with purpose("import", actor="test", now=NOW):
        assert customer.full_name.reveal() == "王小明"
        assert customer.phone.reveal() == "+8613812348000"
        assert customer.birth_date.reveal() == date(1988, 3, 1)
    assert (customer.external_id, customer.country) == ("c-1", "CN")
    assert (customer.gender, customer.birth_year) == ("male", 1988)


def test_the_same_file_again_changes_not_a_byte(tmp_path: Path) -> None:
    path = put(tmp_path, HEAD + GOOD)
    load("import_customers", path)
    before = list(Customer.objects.values())

    again = load("import_customers", path)

    assert list(Customer.objects.values()) == before
    assert again.summary["counts"] == {"rows": 1, "same": 1}
    assert SubjectKey.objects.count() == 1


def test_a_customer_known_from_orders_is_filled_in(tmp_path: Path) -> None:
    known = make.customer("c-1")

    upload = load("import_customers", put(tmp_path, HEAD + GOOD))

    assert Customer.objects.get(email="wang@example.cn") == known
    assert upload.summary["counts"] == {"rows": 1, "changed": 1}


def test_an_empty_cell_changes_nothing_and_a_new_value_replaces(tmp_path: Path) -> None:
    load("import_customers", put(tmp_path, HEAD + GOOD))

    load("import_customers", put(tmp_path, "id,e-mail,city\nc-1,,上海\n", "b.csv"))
    load("import_customers", put(tmp_path, "id,e-mail\nc-1,new@example.cn\n", "c.csv"))

    customer = Customer.objects.get(email="new@example.cn")
    assert (customer.city, customer.country) == ("上海", "CN")
    assert str(customer.full_name) == "王*"


def test_chinese_column_names_and_other_encodings_are_understood(tmp_path: Path) -> None:
    text = "客户编号;姓名;邮箱;手机号;国家;生日;性别\n1;王小明;w@example.cn;13812348000;CN;1988/03/01;女\n"

    load("import_customers", put(tmp_path, text.encode("gb18030")), encoding="gb18030")

    assert Customer.objects.get(email="w@example.cn", phone="+8613812348000").gender == "female"


def test_a_column_may_be_named_by_hand(tmp_path: Path) -> None:
    load(
        "import_customers",
        put(tmp_path, "nr,Kontakt\n7,a@example.de\n"),
        map=["external_id=nr", "email=Kontakt"],
    )

    assert Customer.objects.get(email="a@example.de").external_id == "7"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (",Ann,a@example.com,,,,", "customer_id_missing"),
        ("ann@example.com,Ann,,,,,", "customer_is_personal"),
        ("13800138000,Ann,,,,,", "customer_is_personal"),
        ("2,Ann,not an address,,,,", "email_invalid"),
        ("2,Ann,,12,GB,,", "phone_invalid"),
        ("2,Ann,,07700900123,,,", "phone_invalid"),
        ("2,Ann,,,,31.12.88,", "birth_date_invalid"),
        ("2,Ann,,,,2999-01-01,", "birth_date_invalid"),
        ("2,Ann,,,,,often", "gender_unknown"),
        (f"{'x' * 101},Ann,,,,,", "value_too_long"),
        ("2,Ann,WANG@example.cn,,,,", "email_taken"),
        ("2,Ann", "field_count"),
        ("2,A\0nn,,,,,", "nul_byte"),
    ],
)
def test_a_row_that_cannot_be_right_is_set_aside_with_its_line_and_code(
    tmp_path: Path, row: str, code: str
) -> None:
    upload = load("import_customers", put(tmp_path, f"{HEAD}{GOOD}{row}\n3,Bo,b@example.com,,,,\n"))

    assert rejects(upload) == [["3", code]]
    assert set(Customer.objects.values_list("external_id", flat=True)) == {"c-1", "3"}


def test_rejected_values_are_masked(tmp_path: Path) -> None:
    upload = load("import_customers", put(tmp_path, HEAD + "1,Ann,ann at example,,,,\n"))

    text = path_of(upload).read_text(encoding="utf-8")
    assert "ann" not in text.lower().split("birth date")[1]
    assert path_of(upload).stat().st_mode & 0o077 == 0


def test_personal_data_in_free_cells_is_masked_and_counted(tmp_path: Path) -> None:
    head = "customer id,occupation,city\n"
    rows = "c-1,司机 手机13800138000,上海\nc-2,teacher,Berlin\nc-3,ask ann@shop.example,+49 30 901820\n"

    upload = load("import_customers", put(tmp_path, head + rows))

    kept = Customer.objects.order_by("external_id").values_list("occupation", "city")
    assert list(kept) == [
        ("司机 手机[phone]", "上海"), ("teacher", "Berlin"), ("ask [email]", "[phone]"),
    ]  # fmt: skip
    assert upload.summary["counts"]["masked"] == 3


def test_of_two_rows_with_one_address_the_first_has_it(tmp_path: Path) -> None:
    upload = load(
        "import_customers", put(tmp_path, "id,e-mail\n1,a@example.com\n2,A@Example.com\n")
    )

    assert Customer.objects.get(email="a@example.com").external_id == "1"
    assert rejects(upload) == [["3", "email_taken"]]


def test_an_import_of_customers_never_touches_consent(tmp_path: Path) -> None:
    make.consent(make.customer("c-1"))
    before = list(Consent.objects.values())

    load("import_customers", put(tmp_path, HEAD + GOOD))

    assert list(Consent.objects.values()) == before


def test_missing_columns_are_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no column for: customer id\. It has: nr, mail"):
        load("import_customers", put(tmp_path, "nr,mail\n1,a@example.com\n"))


@pytest.mark.parametrize("given", ["email", "email=", "=mail", " = mail"])
def test_a_mapping_without_field_or_column_is_refused_with_the_fields(
    tmp_path: Path, given: str
) -> None:
    with pytest.raises(
        CommandError, match=r"takes FIELD=COLUMN, not .*; the fields are external_id"
    ):
        load("import_customers", put(tmp_path, HEAD + GOOD), map=[given])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nothing\.csv cannot be opened"):
        load("import_customers", tmp_path / "nothing.csv")


def test_another_encoding_is_named_by_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Line 2 is not utf-8 text"):
        load("import_customers", put(tmp_path, HEAD.encode() + GOOD.encode("gb18030")))


def test_a_truncated_gzip_keeps_what_stood_before_the_cut(tmp_path: Path) -> None:
    rows = "".join(f"{n},Ann,ann{n}@example.com,,,,\n" for n in range(3000))
    whole = gzip.compress((HEAD + rows).encode())

    with pytest.raises(CommandError, match="cut short"):
        load("import_customers", put(tmp_path, whole[: len(whole) // 2], "cut.csv.gz"))
    n_before = Customer.objects.count()
    assert n_before
    load("import_customers", put(tmp_path, whole, "cut.csv.gz"))

    assert n_before < Customer.objects.count() == 3000


def test_an_endless_line_is_one_rejected_row(tmp_path: Path) -> None:
    long = f"2,{'x' * (2 << 20)},,,,,\n"

    upload = load("import_customers", put(tmp_path, f"{HEAD}{long}{GOOD}"))

    assert rejects(upload) == [["2", "line_too_long"]]
    assert Customer.objects.count() == 1


class StoppedError(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.mark.django_db(transaction=True)
def test_a_killed_import_of_a_sealed_file_goes_on_behind_its_last_step() -> None:
    rows = "".join(
        f"{n},Ann,{'bad' if n % 7 == 0 else f'a{n}@example.com'},,,,\n" for n in range(45)
    )
    held = make.held(f"{HEAD}{rows}".encode())
    upload = uploads.store(held, Upload.Kind.CUSTOMERS, {}, None, filename="c.csv", now=NOW)
    form = people_files.customers(upload)
    n_steps = 0

    def insert(rows: Any, now: Any) -> Any:
        nonlocal n_steps
        n_steps += 1
        done = form.insert(rows, now)
        if n_steps == 3:
            raise StoppedError
        return done

    dying = replace(form, insert=insert, rows_a_step=10)
    job = Job.objects.get()
    claimed = running.claim(job.pk, now=NOW)
    assert claimed
    with pytest.raises(StoppedError):
        people_files.run(dying, upload, Work(claimed, clock=lambda: NOW))
    assert Customer.objects.count() == 17  # two steps of ten, three rows of them rejected

    job.refresh_from_db()
    summary = people_files.run(form, upload, Work(job, clock=lambda: NOW))

    assert summary["counts"] == {"rows": 45, "added": 38, "rejected": 7}
    assert len(rejects(upload)) == 7
    assert Customer.objects.count() == 38


CONSENTS = "customer id,source,date,purpose,channel,wording,state\n"


def test_consents_go_into_the_ledger_once(tmp_path: Path) -> None:
    make.customer("c-1")
    path = put(
        tmp_path, CONSENTS + "c-1,checkout,2026-01-05 10:00,campaign.email,E-mail,Yes.,yes\n"
    )

    load("import_consents", path)
    again = load("import_consents", path)

    entry = ConsentEntry.objects.get()
    assert (entry.source, entry.wording, entry.state) == ("checkout", "Yes.", "given")
    assert Consent.objects.get().state == "given"
    assert again.summary["counts"] == {"rows": 1, "same": 1}


def test_times_without_an_offset_are_those_of_the_shop(tmp_path: Path) -> None:
    make.shop(time_zone="Asia/Shanghai")
    make.customer("c-1")

    load(
        "import_consents",
        put(tmp_path, CONSENTS + "c-1,form,2026-01-05 08:00,campaign.email,email,Yes.,given\n"),
    )

    assert ConsentEntry.objects.get().happened_at.isoformat() == "2026-01-05T00:00:00+00:00"


def test_an_imported_consent_never_overrides_a_later_withdrawal(tmp_path: Path) -> None:
    make.customer("c-1")
    rows = (
        "c-1,link,2026-02-01,campaign.email,email,Stop.,withdrawn\n"
        "c-1,form,2026-01-05,campaign.email,email,Yes.,given\n"
    )

    load("import_consents", put(tmp_path, CONSENTS + rows))

    assert Consent.objects.get().state == "withdrawn"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("c-9,form,2026-01-05,campaign.email,email,Yes.,given", "unknown_customer"),
        ("c-1,form,2026-01-05,fun,email,Yes.,given", "unknown_purpose"),
        ("c-1,form,2026-01-05,campaign.email,sms,Yes.,given", "unknown_channel"),
        ("c-1,form,2026-01-05,campaign.email,email,Yes.,maybe", "unknown_state"),
        ("c-1,form,2999-01-05,campaign.email,email,Yes.,given", "in_the_future"),
        ("c-1,form,soon,campaign.email,email,Yes.,given", "date_invalid"),
        ("c-1,form,2026-01-05,campaign.email,email,,given", "required"),
        (",form,2026-01-05,campaign.email,email,Yes.,given", "customer_id_missing"),
    ],
)
def test_a_consent_that_cannot_be_right_is_set_aside(tmp_path: Path, row: str, code: str) -> None:
    make.customer("c-1")

    upload = load("import_consents", put(tmp_path, f"{CONSENTS}{row}\n"))

    assert rejects(upload) == [["2", code]]
    assert not ConsentEntry.objects.exists()


def test_made_up_people_are_the_same_for_a_seed_and_all_come_in() -> None:
    ids = [f"S{n}" for n in range(300)]
    people = list(samples.customers(ids, seed=7, today=NOW.date()))

    done = customer_rows.insert(people, now=NOW)

    assert people == list(samples.customers(ids, seed=7, today=NOW.date()))
    assert people != list(samples.customers(ids, seed=8, today=NOW.date()))
    assert (done.n_added, done.rejected) == (300, {})
    chinese = [person for person in people if person.locale == "zh-CN"]
    assert 0.3 < len(chinese) / len(people) < 0.5
    assert all("\u4e00" <= person.full_name[0] <= "\u9fff" for person in chinese)


def test_made_up_addresses_belong_to_nobody() -> None:
    people = list(samples.customers([f"S{n}" for n in range(500)], seed=7, today=NOW.date()))

    domains = {person.email.split("@")[1] for person in people if person.email}
    assert domains == {"example.com", "example.net", "example.org"}


def test_made_up_files_go_through_the_imports(tmp_path: Path) -> None:
    call_command(
        "sample_customers",
        str(tmp_path),
        count=200,
        as_of=NOW - timedelta(days=1),
        stdout=io.StringIO(),
    )

    customers = load("import_customers", tmp_path / "customers.csv")
    consents = load("import_consents", tmp_path / "consents.csv")

    assert customers.summary["counts"] == {"rows": 200, "added": 200}
    assert consents.n_rejected == 0
    reachable = Customer.objects.for_purpose("campaign.email").count()
    assert 100 < reachable < 180


@pytest.mark.parametrize("n", [3, 100])
def test_unchanged_rows_cost_the_same_queries_however_many(
    n: int, django_assert_num_queries: Any
) -> None:
    rows = [CustomerRow(external_id=f"{n}", email=f"{n}@example.com") for n in range(n)]
    customer_rows.insert(rows, now=NOW)

    with django_assert_num_queries(8):
        assert customer_rows.insert(rows, now=NOW).n_same == n


# Suppressions first, and consents looked at before and taken back after ---------------------------


def audience() -> set[str]:
    return {c.external_id for c in Customer.objects.for_purpose("campaign.email")}


GIVEN = "form,2026-01-05,campaign.email,email,Yes.,given\n"


def test_suppressions_come_in_as_tags_once_and_hold_against_a_consent(tmp_path: Path) -> None:
    make.customer("c-1", email="a@example.com")
    make.customer("c-2", email="b@example.com")
    text = "e-mail,reason\nA+news@example.com,complained\nnobody,\nx@example.com,maybe\n"
    path = put(tmp_path, text, "s.csv")

    upload = load("import_suppressions", path)
    again = load("import_suppressions", path)

    assert rejects(upload) == [["3", "address_invalid"], ["4", "reason_unknown"]]
    assert Suppression.objects.get().reason == "complained"
    assert again.summary["counts"]["same"] == 1
    assert "example.com" not in path_of(upload).read_text(encoding="utf-8")
    load("import_consents", put(tmp_path, f"{CONSENTS}c-1,{GIVEN}c-2,{GIVEN}"))
    assert audience() == {"c-2"}


def test_telephone_numbers_are_suppressed_for_sms(tmp_path: Path) -> None:
    load("import_suppressions", put(tmp_path, "phone\n+8613812348000\n"))

    assert suppression.is_suppressed("sms", "+86 138 1234 8000")


def test_consents_wait_for_suppressions_that_were_named(tmp_path: Path) -> None:
    make.customer("c-1", email="a@example.com")
    waiting = Upload.objects.create(
        kind="suppressions", filename="stop.csv", fingerprint="0", created_at=NOW
    )

    with pytest.raises(CommandError, match=r"stop\.csv"):
        load("import_consents", put(tmp_path, f"{CONSENTS}c-1,{GIVEN}"))
    assert not ConsentEntry.objects.exists()

    Upload.objects.filter(pk=waiting.pk).update(finished_at=NOW)
    load("import_consents", put(tmp_path, f"{CONSENTS}c-1,{GIVEN}", "again.csv"))
    assert ConsentEntry.objects.exists()


def test_a_preview_says_what_would_come_of_the_rows_and_writes_nothing(tmp_path: Path) -> None:
    make.customer("c-1", email="a@example.com")
    make.customer("c-2", of=make.subject(objected=True), email="b@example.com")
    make.customer("c-3", email="c@example.com")
    make.customer("c-4", email="d@example.com")
    suppression.suppress("email", "c@example.com", reason="bounced", now=NOW)
    load("import_consents", put(tmp_path, f"{CONSENTS}c-4,{GIVEN}", "first.csv"))
    stop = "c-4,link,2026-02-01,campaign.email,email,Stop.,withdrawn\n"
    load("import_consents", put(tmp_path, CONSENTS + stop, "stop.csv"))
    before = list(ConsentEntry.objects.values())
    more = "c-4,form,2026-01-20,campaign.email,email,Yes.,given\n"
    future = "c-1,form,2999-01-01,campaign.email,email,Yes.,given\n"
    text = f"{CONSENTS}c-1,{GIVEN}c-2,{GIVEN}c-3,{GIVEN}c-4,{GIVEN}{more}{future}"

    upload = load("import_consents", put(tmp_path, text), preview=True)

    assert upload.summary["counts"] == {"rows": 6, "added": 4, "same": 1, "idle": 3, "rejected": 1}
    assert list(ConsentEntry.objects.values()) == before
    assert audience() == set()


def test_an_import_of_consents_is_taken_back(tmp_path: Path) -> None:
    make.customer("c-1", email="a@example.com")
    upload = load("import_consents", put(tmp_path, f"{CONSENTS}c-1,{GIVEN}"))
    assert audience() == {"c-1"}
    assert ConsentEntry.objects.get().evidence == {"import": str(upload.uuid)}

    call_command("undo_consents", str(upload.uuid), stdout=io.StringIO(), stderr=io.StringIO())

    assert audience() == set()
    assert ConsentEntry.objects.count() == 2
    upload.refresh_from_db()
    assert upload.summary["n_retracted"] == 1
    with pytest.raises(CommandError, match="no import"):
        call_command("undo_consents", "00000000-0000-0000-0000-000000000000")
