"""How a job stands, in the reader's words and as an icon."""

from datetime import datetime
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from yao_tasks.core.jobs import FAILURE_NAME, RUNNING_NAME, SUCCESS_NAME, JobInfo


class Status(NamedTuple):
    """`icon` names the picture, too: `running`, `retrying`, `delayed`, `waiting`, `succeeded`, `fault`, `cancelled`."""

    icon: str
    word: str


KINDS: dict[str, str | Promise] = {
    "raised": _("Raised"),
    "timeout": _("Timed out"),
    "cancelled": _("Cancelled"),
    "lost": _("Lost"),
}


def status_of(info: JobInfo) -> Status:
    """How the job stands."""
    if info.status == RUNNING_NAME:
        return Status("running", gettext("Running"))
    if info.status == SUCCESS_NAME:
        return Status("succeeded", gettext("Succeeded"))
    if info.status == FAILURE_NAME:
        kind = info.error.kind if info.error is not None else "raised"
        return failure(kind)
    if info.due_at is None:
        return Status("waiting", gettext("Waiting"))
    if info.attempt:
        return Status("retrying", gettext("Retrying"))
    return Status("delayed", gettext("Delayed"))


def failure(kind: str) -> Status:
    """How a failure of that kind is called: one that was raised is simply that."""
    if kind == "raised":
        return Status("fault", gettext("Failed"))
    return Status("cancelled" if kind == "cancelled" else "fault", kind_word(kind))


def kind_word(kind: str) -> str:
    """The kind of a failure in the reader's words."""
    return str(KINDS.get(kind, kind))


def moment_of(info: JobInfo) -> datetime:
    """What a live job's time is measured from; for one that isn't due, when it will be."""
    if info.status == RUNNING_NAME:
        return info.started_at or info.added_at
    return info.due_at or info.added_at
