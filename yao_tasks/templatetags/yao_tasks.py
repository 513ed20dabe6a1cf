"""`{% load yao_tasks %}`: a bar that follows a job, and the signed address at which it can be read."""

from typing import Any

from django import template
from django.template import Context
from django.utils.translation import gettext

from yao_tasks import conf
from yao_tasks.api.access import Reader
from yao_tasks.api.pictures import picture
from yao_tasks.core.errors import JobNotFound
from yao_tasks.links import job_url
from yao_tasks.pools import tasks

register = template.Library()
register.simple_tag(job_url)


@register.inclusion_tag("yao_tasks/job_progress.html", takes_context=True)
def job_progress(context: Context, task: str, job_id: int, **texts: str) -> dict[str, Any]:
    """The bar of a job, which whoever sees the page may follow. It shows the job as it is, and then by itself.

    `texts`: `label` (of the bar, for those who can't see it), `waiting`, `success`, `failure`, `lost`, `unknown`,
    `left` (with {time} in it). Raises TaskNotFound, BadJobId, TypeError.
    """
    given = {**_texts(), **texts}
    if given.keys() != _texts().keys():
        odd = ", ".join(sorted(given.keys() - _texts().keys()))
        raise TypeError(f"job_progress has no text called {odd}. Its texts are {', '.join(_texts())}.")
    shown = _shown(task, job_id)
    return {
        "address": job_url(task, job_id),
        "events": _has_streams(context),
        "texts": {name: text for name, text in given.items() if name != "label"},
        "label": given["label"],
        "text": _text(shown, given),
        **_bar(shown),
    }


def _shown(task: str, job_id: int) -> dict[str, Any]:
    pool = tasks[task]
    try:
        info = pool.get(job_id)
    except JobNotFound:
        # Not yet, perhaps, or in another process: the script asks again.
        return {"status": "WAITING", "current": 0, "total": 0, "message": "", "response": None}
    return picture(info, pool.config, Reader(name=""))


def _bar(shown: dict[str, Any]) -> dict[str, str]:
    if shown["status"] == "SUCCESS":
        return {"value": "1", "max": "1"}
    if not shown["total"] or shown["total"] < 0:
        # Without a value a bar moves, as if something still went on.
        return {"value": "0", "max": "1"} if shown["status"] == "FAILURE" else {"value": "", "max": ""}
    # As text: a template would write numbers in the manner of the reader's country.
    return {"value": str(shown["current"]), "max": str(shown["total"])}


def _text(shown: dict[str, Any], texts: dict[str, str]) -> str:
    match shown["status"]:
        case "WAITING":
            return texts["waiting"]
        case "SUCCESS":
            return texts["success"]
        case "FAILURE":
            return str(shown["response"])
    return str(shown["message"])


def _has_streams(context: Context) -> bool:
    wanted = conf.current().streams
    return hasattr(context.get("request"), "scope") if wanted is None else wanted


def _texts() -> dict[str, str]:
    return {
        "label": gettext("Progress"),
        "waiting": gettext("Waiting for its turn"),
        "success": gettext("Done"),
        "failure": gettext("This could not be done."),
        "lost": gettext("Connection lost, retrying"),
        "unknown": gettext("Nothing more is known of this."),
        "left": gettext("{time} left"),
    }
