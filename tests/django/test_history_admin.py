"""Recorded jobs in the admin's own list."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.conftest import Site, until
from tests.django.dashboard import PAYLOAD, client_of, job_page, logged, operator, read, user, viewer
from tests.django.test_dashboard_page import words
from tests.journal.conftest import forget, written
from tests.million import long_history
from yao_tasks import boot, current_job
from yao_tasks.dashboard import changelist, history
from yao_tasks.models import JobRecord
from yao_tasks.pools import Pool

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/yao_tasks/jobrecord/"
SECRET = "hunter2-9f3"


@pytest.fixture
def pool(site: Site) -> Iterator[Pool]:
    """A recorded task whose jobs fail the first time, if they are told so."""

    def handler(job_id: int, what: str, password: str) -> dict[str, str]:
        job = current_job()
        assert job is not None
        job.progress(1, 2, f"logging in with {password}")
        if what == "fail" and job.attempt == 1:
            raise ValueError(f"refused: {password}")
        return {"token": password, "what": what}

    yield site.task("mail", handler, record=True)
    boot.reset()


def ended(pool: Pool, what: str = "work") -> int:
    """The id of a job that has ended and been written."""
    job_id = pool.add(what, SECRET)
    pool.wait(job_id, 5)
    until(lambda: pool.metrics()["kept"]["raised" if what == "fail" else "succeeded"])
    written()
    return job_id


def auditor() -> Client:
    return client_of(user("auditor", "view_jobs", "view_job_args", is_staff=True))


def row_url(job_id: int) -> str:
    return reverse("admin:yao_tasks_jobrecord_change", args=[f"mail_2F{job_id}"])


def test_rows_are_listed_and_lead_to_the_jobs_page_and_back(pool: Pool) -> None:
    good, bad = ended(pool), ended(pool, "fail")
    forget()

    text = read(viewer(), LIST)

    for job_id in (good, bad):
        page = reverse("admin:yao_tasks_dashboard_job", args=["mail", job_id])
        assert f'<a href="{page}">{job_id}</a>' in text
        assert f'href="{row_url(job_id)}"' in job_page(viewer(), pool, job_id)
        assert f'href="{page}"' in read(viewer(), row_url(job_id))
    assert "ValueError: refused: ••••••" in text
    assert "2 recorded jobs" in words(text)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status__exact": "4"}, {"bad"}),
        ({"kind": "raised"}, {"bad"}),
        ({"kind": "lost"}, set()),
        ({"task": "mail"}, {"good", "bad"}),
        ({"task": "rates"}, set()),
        ({"q": "refused"}, {"bad"}),
        ({"q": "error:refused"}, {"bad"}),
        ({"q": "logging in"}, {"good", "bad"}),
        ({"added_at__year": "2020"}, set()),
    ],
)
def test_filters_and_searches(query: dict[str, str], found: set[str], pool: Pool) -> None:
    ids = {"good": ended(pool), "bad": ended(pool, "fail")}

    text = read(viewer(), LIST, **query)

    assert {name for name, job_id in ids.items() if f">{job_id}<" in text} == found


def test_an_id_is_found_by_its_index(pool: Pool) -> None:
    wanted, other = ended(pool), ended(pool)
    long_history("default", "mail", 100)

    for q in (str(wanted), f"id:{wanted}"):
        text = read(viewer(), LIST, q=q)
        assert f">{wanted}<" in text
        assert f">{other}<" not in text
    # Handlers may make short ones.
    assert ">17<" in read(viewer(), LIST, q="17")


def test_arguments_are_for_those_who_may_see_them_and_never_secrets(pool: Pool) -> None:
    """S2: in no list, page or search, whoever asks."""
    job_id = ended(pool, "fail")
    client = auditor()

    seen = read(client, row_url(job_id))
    listed = read(client, LIST)

    assert "what = &#x27;fail&#x27;" in seen
    assert "Traceback" not in seen
    assert "what = " not in read(viewer(), row_url(job_id))
    assert SECRET not in seen + listed
    for who in (client, viewer(), operator(), client_of(User.objects.create_superuser("super"))):
        assert SECRET not in read(who, row_url(job_id))
        assert f">{job_id}<" not in read(who, LIST, q=SECRET)
    assert f">{job_id}<" in read(client, LIST, q="args:fail")
    assert f">{job_id}<" not in read(viewer(), LIST, q="args:fail")


def test_tracebacks_are_for_operators(pool: Pool) -> None:
    job_id = ended(pool, "fail")

    assert "in handler" in read(operator(), row_url(job_id))
    assert "in handler" not in read(auditor(), row_url(job_id))


@pytest.mark.parametrize("lookup", ["args__contains", "result__startswith", "error__contains", "owner__host"])
def test_what_is_masked_cant_be_guessed_by_an_address(lookup: str, pool: Pool) -> None:
    """S2, S15: a query string that Django would make a condition of."""
    ended(pool)

    answer = viewer().get(LIST, {lookup: "hunter2"})

    # The admin refuses it, or leaves it away.
    assert answer.status_code in (302, 400)


def test_failures_are_tried_again_by_those_who_may(pool: Pool) -> None:
    good, bad = ended(pool), ended(pool, "fail")
    forget()
    keys = list(JobRecord.objects.values_list("pk", flat=True))
    data = {"action": "retry", "_selected_action": keys}

    refused = viewer().post(LIST, data, follow=True)
    assert pool.get(bad).status == "FAILURE"
    done = operator().post(LIST, data, follow=True)

    assert "Retried" not in words(refused.content.decode())
    assert "Retried 1 job. 1 skipped: no failure any more." in words(done.content.decode())
    assert pool.wait(bad, 5).status == "SUCCESS"
    assert pool.get(good).attempt == 1
    assert logged() == [f"Retried 1 jobs of mail: {bad}."]


def test_who_may_only_look_is_offered_nothing_to_do(pool: Pool) -> None:
    job_id = ended(pool)

    assert 'name="action"' not in read(viewer(), LIST)
    assert 'value="retry"' in read(operator(), LIST)
    page = read(operator(), row_url(job_id))
    assert "<input" not in page.partition('id="jobrecord_form"')[2].partition("</form>")[0].replace(
        '<input type="hidden"', ""
    )


@pytest.mark.parametrize(
    ("rights", "looks", "steers"),
    [
        ((), False, False),
        (("view_job_args",), False, False),
        (("operate_jobs",), False, False),
        (("view_jobs",), True, False),
        (("view_jobs", "operate_jobs"), True, True),
    ],
)
def test_the_three_permissions_are_all_there_are(
    rights: tuple[str, ...], looks: bool, steers: bool, rf: RequestFactory
) -> None:
    """S6."""
    one = user("somebody", *rights, is_staff=True)
    request = rf.get("/")
    request.user = one  # type: ignore[assignment]
    model_admin = admin.site.get_model_admin(JobRecord)

    perms = {"add": False, "change": False, "delete": False, "view": looks}
    assert model_admin.get_model_perms(request) == perms
    assert ("retry" in model_admin.get_actions(request)) is steers
    assert client_of(one).get(LIST).status_code == (200 if looks else 403)
    for path in ("add/", "1/delete/"):
        assert client_of(one).get(f"{LIST}{path}").status_code in (302, 403)
        assert client_of(one).post(f"{LIST}{path}").status_code in (302, 403)


def test_script_in_every_field_is_text(site: Site) -> None:
    """S1."""

    def handler(job_id: int, word: str) -> str:
        current_job().progress(1, 2, PAYLOAD)  # type: ignore[union-attr]
        if word == "fail":
            raise ValueError(PAYLOAD)
        return PAYLOAD

    pool = site.task("mail", handler, name=PAYLOAD, record=True)
    for word in ("fail", PAYLOAD):
        pool.wait(pool.add(word), 5)
    written()
    JobRecord.objects.update(worker=PAYLOAD[:100], task=PAYLOAD)
    client = client_of(User.objects.create_superuser("super"))
    pages = [LIST, f"{LIST}?q=img", f"{LIST}?q={PAYLOAD}"]
    pages += [f"{LIST}{pk}/change/" for pk in JobRecord.objects.values_list("pk", flat=True)]

    for url in pages:
        text = read(client, url)
        assert "<script>alert" not in text
        assert "<img" not in text.replace('<img src="/static/', "")
    boot.reset()


def test_no_query_counts_or_reads_all_rows(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many queries for 1,000 rows as for 100, and none without a limit or an index that bounds it."""
    monkeypatch.setattr(changelist, "COUNTED", 200)
    client = operator()
    numbers = []
    for count in (100, 1_000):
        long_history("default", "mail", count, first_id=count * 10)
        read(client, LIST)
        with CaptureQueriesContext(connection) as queries:
            text = read(client, LIST, status__exact="3", added_at__year=_year())
        numbers.append(len(queries))

    assert numbers[0] == numbers[1] <= 12
    rows = [one["sql"] for one in queries if "jobrecord" in one["sql"]]
    assert rows
    assert all("LIMIT" in sql for sql in rows), rows
    assert "200 are counted and can be leafed through" in words(text)


def _year() -> int:
    return timezone.localtime(JobRecord.objects.order_by("-added_at")[0].added_at).year


def test_the_dates_lead_from_the_year_to_the_day(pool: Pool) -> None:
    long_history("default", "mail", 100, days=20)
    # As people see it: in the zone of the site.
    day = timezone.localtime(JobRecord.objects.order_by("-added_at")[0].added_at)

    text = read(viewer(), LIST, added_at__year=day.year, added_at__month=day.month)

    assert f"added_at__day={day.day}" in text
    found = read(viewer(), LIST, added_at__year=day.year, added_at__month=day.month, added_at__day=day.day)
    assert ">100</a>" in found
    assert ">1</a>" not in found


@pytest.mark.parametrize(
    "query",
    [
        {"added_at__year": "x"},
        {"added_at__year": "2026", "added_at__month": "13", "added_at__day": "40"},
        {"added_at__year": "99999"},
        {"added_at__day": "-1"},
        {"p": "100000"},
        {"p": "-1"},
        {"o": "99"},
        {"status__exact": "x"},
        {"kind": PAYLOAD},
        {"q": "9" * 400},
        {"q": "\x00"},
        {"all": ""},
    ],
)
def test_what_there_is_not_is_no_traceback(query: dict[str, Any], pool: Pool) -> None:
    """S15."""
    ended(pool)

    assert viewer().get(LIST, query, follow=True).status_code == 200


def test_a_text_is_looked_for_in_the_newest_and_then_further_back(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LOOKED_AT", 20)
    monkeypatch.setattr(history, "SLICE", 10)
    long_history("default", "mail", 30)
    JobRecord.objects.filter(job_id=1).update(message="needle")

    text = read(viewer(), LIST, q="needle")

    assert ">1</a>" not in text
    assert "The newest jobs were looked at." in text
    further = text.partition("The newest jobs were looked at.")[2].partition('href="')[2].partition('"')[0]
    assert ">1</a>" in read(viewer(), LIST + further.replace("&amp;", "&"))


@pytest.mark.parametrize("key", ["999", "mail_2F999", "x", "_2F_2F", "mail_2F-1", "9" * 30])
def test_a_row_that_there_is_not_is_said(key: str, pool: Pool) -> None:
    answer = viewer().get(f"{LIST}{key}/change/", follow=True)

    assert answer.status_code == 200
    assert "doesn’t exist" in words(answer.content.decode())


def test_rows_of_a_task_that_is_gone_are_shown_and_left_alone(pool: Pool) -> None:
    job_id = ended(pool, "fail")
    JobRecord.objects.update(task="long.gone")
    pk = JobRecord.objects.get().pk

    text = read(operator(), f"{LIST}{pk}/change/")
    done = operator().post(LIST, {"action": "retry", "_selected_action": [pk]}, follow=True)

    assert "long.gone" in text
    assert f">{job_id}<" in read(operator(), LIST, task="long.gone")
    assert "1 skipped: its task is gone." in words(done.content.decode())
