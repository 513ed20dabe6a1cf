"""Each page of the dashboard with something on it, for tests that look at all of them."""

import logging
from collections.abc import Callable
from typing import Any

from tests.conftest import Gate, Site, until
from tests.journal.conftest import written
from yao_tasks import boot, current_job
from yao_tasks.models import JobRecord
from yao_tasks.pools import tasks
from yao_tasks.workflows import PREVIOUS, Batch, chain, group

URL = "/admin/yao_tasks/dashboard/"
logger = logging.getLogger("accounts.mail")

Handler = Callable[..., Any]


def furnish(site: Site) -> dict[str, str]:
    """Some tasks and jobs in each state. Answers where each page is, by name."""
    gate = site.gate()
    handler = _handler(gate)
    site.task(
        "welcome_email", handler, name="Welcome mail", worker_nums=4, attempts=2, attempt_after=50, timeout=60
    )
    site.task("nightly_report", handler, name="Nightly report", worker_nums=2, size=20, timeout=900)
    site.task(
        "exchange_rates",
        handler,
        name="Exchange rates",
        worker_nums=1,
        size=10,
        attempts=1,
        attempt_after=600_000,
    )
    mail, report, rates = (tasks[task] for task in ("welcome_email", "nightly_report", "exchange_rates"))
    good = [mail.add(f"user{number}@example.org", api_token="secret", name="Ada") for number in range(12)]
    bad = [mail.add("nobody@example.net", api_token="secret") for _ in range(3)]
    bad.append(report.add("bad row"))
    for pool, ids in ((mail, [*good, *bad[:3]]), (report, bad[3:])):
        for job_id in ids:
            pool.wait(job_id, 5)
    running = [mail.add("hold", name="Grace"), mail.add("hold", name="Alan"), report.add("hold")]
    gate.entered(3)
    rates.add("nobody@example.net")
    until(lambda: rates.metrics()["retried"])
    rates.pause()
    for currency in ("EUR", "USD", "CNY", "JPY", "GBP", "CHF", "SEK", "NOK"):
        rates.add(currency)
    mail.using(run_after=3600).add("later@example.org")
    return {
        "overview": URL,
        "jobs": f"{URL}jobs/",
        "failures": f"{URL}jobs/?status=failed",
        "job": f"{URL}welcome_email/{good[-1]}/",
        "failure": f"{URL}welcome_email/{bad[0]}/",
        "running": f"{URL}welcome_email/{running[0]}/",
        "pool": f"{URL}welcome_email/pool/",
        "processes": f"{URL}processes/",
        "diagnosis": f"{URL}diagnosis/",
        "add": f"{URL}welcome_email/add/",
        "purge": f"{URL}exchange_rates/purge/",
        "nothing": f"{URL}jobs/?order=nonsense",
    }


def recorded(site: Site) -> dict[str, str]:
    """A recorded task, and the pages about its rows."""

    def fail(job_id: int) -> None:
        raise ValueError("once")

    pool = site.task("recorded", fail, record=True)
    job_id = pool.add()
    pool.wait(job_id, 10)
    until(lambda: pool.metrics()["kept"]["raised"])
    written()
    history = "/admin/yao_tasks/jobrecord/"
    return {
        "history": history,
        "history, searched": f"{history}?q=once",
        "row": f"{history}{JobRecord.objects.get(job_id=job_id).pk}/change/",
        "recorded job": f"/admin/yao_tasks/dashboard/recorded/{job_id}/",
    }


def flows(site: Site) -> dict[str, str]:
    """Workflows of durable tasks, and the pages about them."""

    def charge(job_id: int, order: int) -> dict[str, int]:
        if order < 0:
            raise ValueError(f"there is no order {order}")
        return {"order": order}

    site.task("shop.charge", charge, durable=True, size=1_000)
    site.task("shop.ship", lambda job_id, order: "on its way", durable=True)
    charges, ships = tasks["shop.charge"], tasks["shop.ship"]
    boot.house().work()
    done = chain(charges.call(1), ships.call(PREVIOUS))
    failed = group(*(charges.call(number) for number in (7, 8, -9)), callback=ships.call(PREVIOUS))
    batch = Batch(charges, [(number,) for number in range(60)])
    for flow in (done, failed, batch):
        flow.wait(20)
    ships.pause()
    running = chain(charges.call(2), ships.call(PREVIOUS), charges.call(3))
    until(lambda: running.info().steps[1].status, "the second step")
    address = f"{URL}workflows/"
    return {
        "workflows": address,
        "chain": f"{address}{running.id}/",
        "chain, ended": f"{address}{done.id}/",
        "group": f"{address}{failed.id}/",
        "batch": f"{address}{batch.id}/",
    }


def _handler(gate: Gate) -> Handler:
    def send(job_id: int, address: str, api_token: str = "", **rest: Any) -> Any:
        job = current_job()
        assert job is not None
        logger.warning("connecting to smtp.example.org")
        job.progress(3, 10, "rendering the letter")
        if address == "nobody@example.net":
            raise ConnectionRefusedError("smtp.example.org:587 refused the connection")
        if address == "bad row":
            raise ValueError("row 17: no date")
        if address == "hold":
            gate(job_id)
        job.progress(10, 10, "sent")
        return {"to": address, "bytes": 1024}

    return send
