"""The pages about chains, groups and batches: which there are, and one of them, step by step."""

from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from yao_tasks.core.errors import WorkflowNotFound
from yao_tasks.core.flows import StepInfo, WorkflowInfo, WorkflowLine
from yao_tasks.core.jobs import FAILURE_NAME, RUNNING_NAME, SUCCESS_NAME
from yao_tasks.dashboard.names import VIEW_JOB_ARGS
from yao_tasks.dashboard.pages import NoPage, page
from yao_tasks.dashboard.statuses import Status, failure
from yao_tasks.dashboard.steering import INFO, SUCCESS, Answer, back, note, operators_only
from yao_tasks.workflows import find, latest

KINDS = {"chain": _("Chain"), "group": _("Group"), "batch": _("Batch")}
# A list has so many lines, and a page so many boxes.
LINES = 100
BOXES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the list."""

    told: WorkflowLine
    kind: str
    status: Status
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One step, as a box."""

    task: str
    job_id: int | None
    status: Status
    percent: int


@page("workflows")
def _list(request: HttpRequest) -> dict[str, Any]:
    lines = latest(LINES)
    return {
        "title": gettext("Workflows"),
        "tab": "workflows",
        "rows": [
            Line(
                told=one,
                kind=str(KINDS.get(one.kind, one.kind)),
                status=_status(one.status, one.kind_of_failure),
                ended=one.succeeded + one.failed,
            )
            for one in lines
        ],
        "most": LINES,
        "is_cut": len(lines) == LINES,
    }


workflows, workflows_fragment = _list


@page("workflow")
def _one(request: HttpRequest, workflow_id: int) -> dict[str, Any]:
    info = _known(workflow_id)
    kind = str(KINDS.get(info.kind, info.kind))
    return {
        "title": gettext("%(kind)s %(id)d") % {"kind": kind, "id": info.id},
        "tab": "workflows",
        "kind": kind,
        "is_chain": info.kind == "chain",
        "workflow": {
            "id": info.id,
            "total": info.total,
            "percent": info.percent,
            "is_over": info.is_finished,
        },
        "moments": (info.added_at, info.ended_at),
        "status": _status(info.status, info.error.kind if info.error else ""),
        "ended": info.counts[SUCCESS_NAME] + info.counts[FAILURE_NAME],
        "counts": [(_status(state, "raised"), number) for state, number in info.counts.items()],
        "boxes": [_box(step) for step in info.steps[:BOXES]],
        "more": max(0, len(info.steps) - BOXES),
        "callback": None if info.callback is None else _box(info.callback),
        "error_type": info.error.type if info.error else "",
        "error_message": info.error.message if info.error else "",
        "response": _response(request, info),
    }


workflow, workflow_fragment = _one


@require_POST
@operators_only
def cancel_workflow(request: HttpRequest, workflow_id: int, *, site: AdminSite) -> HttpResponse:
    """End it, and go back with a sentence that says what came of it."""
    _known(workflow_id)
    names = {"id": workflow_id}
    if not find(workflow_id).cancel():
        return back(request, site, (INFO, gettext("Workflow %(id)d had ended already.") % names))
    note(request, f"Cancelled workflow {workflow_id}.", f"workflow {workflow_id}")
    answer: Answer = (SUCCESS, gettext("Cancelled workflow %(id)d with its jobs.") % names)
    return back(request, site, answer)


def _known(workflow_id: int) -> WorkflowInfo:
    try:
        return find(workflow_id).info()
    except WorkflowNotFound as error:
        sentence = gettext("There is no workflow %(id)d here. It may have ended and been forgotten.")
        raise NoPage(sentence % {"id": workflow_id}) from error


def _box(step: StepInfo) -> Box:
    not_added = Status("waiting", gettext("Not added"))
    status = not_added if step.status is None else _status(step.status, "raised")
    return Box(task=step.task, job_id=step.job_id, status=status, percent=step.percent)


def _status(state: str, kind: str) -> Status:
    if state == RUNNING_NAME:
        return Status("running", gettext("Running"))
    if state == SUCCESS_NAME:
        return Status("succeeded", gettext("Succeeded"))
    if state == FAILURE_NAME:
        return failure(kind or "raised")
    return Status("waiting", gettext("Waiting"))


def _response(request: HttpRequest, info: WorkflowInfo) -> str:
    """What it came to, for who may see that; nothing else has a right to results."""
    if info.status != SUCCESS_NAME or not request.user.has_perm(VIEW_JOB_ARGS):
        return ""
    return repr(info.response)[:2_000]
