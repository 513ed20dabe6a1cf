"""Handlers of jobs that nobody waits for: they give the admin page something to show."""

import time
from datetime import date, timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone

from yao_tasks import current_job

DAYS = 30
CURRENCIES = ("CHF", "CNY", "EUR", "GBP", "JPY")


def nightly_report(job_id: int) -> dict[str, int]:
    """Count the sign-ups of each of the last thirty days. Cancelled, it stops at its next `progress`."""
    report = {}
    today = timezone.localdate()
    for done in range(DAYS):
        day = today - timedelta(days=done)
        current_job().progress(done, DAYS, f"Counting {day}")
        report[day.isoformat()] = _sign_ups(day)
        time.sleep(settings.DEMO_PAUSE)
    return report


def fetch_rates(job_id: int) -> int:
    """Act as if asking a service that is often down: two jobs of three need a second run, one of six a third."""
    job = current_job()
    for done, currency in enumerate(CURRENCIES):
        job.progress(done, len(CURRENCIES), f"Asking for {currency}")
        time.sleep(settings.DEMO_PAUSE)
        if done == 2 and job.attempt <= _failures(job_id):
            raise ConnectionError("the service of the exchange rates did not answer")
    return len(CURRENCIES)


def _failures(job_id: int) -> int:
    # Chance would make no two demonstrations alike.
    return (0, 1, 1, 0, 1, 2)[job_id % 6]


def _sign_ups(day: date) -> int:
    return get_user_model().objects.filter(date_joined__date=day).count()
