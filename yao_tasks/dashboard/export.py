"""The jobs that match a filter as a file: CSV, or JSON."""

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from yao_tasks.core.jobs import SUCCESS_NAME
from yao_tasks.dashboard.filters import read_filter
from yao_tasks.dashboard.finding import Found, find_all
from yao_tasks.dashboard.listing import usable
from yao_tasks.dashboard.names import VIEW_JOB_ARGS, VIEW_JOBS
from yao_tasks.dashboard.pages import NoPage, excused

TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
FIELDS = ("id", "task", "status", "attempt", "added_at", "started_at", "ended_at", "due_at", "worker")
# What a spreadsheet takes for a formula.
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@require_safe
@permission_required(VIEW_JOBS, raise_exception=True)
@excused
def export(request: HttpRequest, *, site: AdminSite) -> HttpResponseBase:
    """`format` is `csv` or `json`; arguments and results only for those who may see them, without their secrets."""
    kind = request.GET.get("format", "csv")
    if kind not in TYPES:
        raise NoPage(gettext("Jobs are exported as csv or json."), status=400)
    may_see_args = request.user.has_perm(VIEW_JOB_ARGS)
    found, _ = find_all(usable(), read_filter(request.GET), may_see_args=may_see_args)
    rows = (_row(one, may_see_args=may_see_args) for one in found)
    text = _csv(rows, _columns(may_see_args=may_see_args)) if kind == "csv" else _json(rows)
    response = StreamingHttpResponse(text, content_type=TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="jobs.{kind}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _columns(*, may_see_args: bool) -> tuple[str, ...]:
    shown = (*FIELDS, "error_kind", "error_type", "error_message", "message")
    return (*shown, "arguments", "result") if may_see_args else shown


def _row(found: Found, *, may_see_args: bool) -> dict[str, Any]:
    reading, info = found
    hide = reading.redaction.hider(info)
    error = info.error
    row = {
        **{name: getattr(info, name) for name in FIELDS},
        "error_kind": error.kind if error else None,
        "error_type": error.type if error else None,
        "error_message": hide(error.message) if error else None,
        "message": hide(info.message),
    }
    if may_see_args:
        row["arguments"] = dict(reading.redaction.arguments(info))
        ended_well = info.status == SUCCESS_NAME
        row["result"] = hide(reading.redaction.result(info.response)) if ended_well else None
    return row


def _csv(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line)
    lines = ([row[name] for name in columns] for row in rows)
    for cells in itertools.chain([columns], lines):
        writer.writerow([_cell(value) for value in cells])
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _json(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    before = "["
    for row in rows:
        yield f"{before}\n{json.dumps(row, default=_plain, ensure_ascii=False)}"
        before = ","
    yield "\n]\n" if before == "," else "[]\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(_plain(value))
    return f"'{text}" if text.startswith(FORMULAS) else text


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
