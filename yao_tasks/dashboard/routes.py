"""The addresses of the dashboard's pages."""

from collections.abc import Callable
from functools import partial

from django.http import HttpResponseBase
from django.urls import URLPattern, path

from yao_tasks.dashboard import single
from yao_tasks.dashboard.add import add
from yao_tasks.dashboard.bulk import bulk
from yao_tasks.dashboard.changed import changed
from yao_tasks.dashboard.diagnosis import diagnosis, diagnosis_fragment
from yao_tasks.dashboard.everything import pause_all, resume_all
from yao_tasks.dashboard.export import export
from yao_tasks.dashboard.job import job, job_fragment
from yao_tasks.dashboard.listing import jobs, jobs_fragment
from yao_tasks.dashboard.names import (
    ADD,
    BULK,
    CANCEL,
    CANCEL_WORKFLOW,
    CHANGE,
    DIAGNOSIS,
    DUPLICATE,
    EXPORT,
    FRAGMENT,
    JOB,
    JOBS,
    OVERVIEW,
    PAUSE,
    PAUSE_ALL,
    POOL,
    PROCESSES,
    PURGE,
    RESIZE,
    RESUME,
    RESUME_ALL,
    RETRY,
    WORKFLOW,
    WORKFLOWS,
)
from yao_tasks.dashboard.overview import fragment, overview
from yao_tasks.dashboard.pause import pause, resume
from yao_tasks.dashboard.pool import pool, pool_fragment
from yao_tasks.dashboard.processes import processes, processes_fragment
from yao_tasks.dashboard.purge import purge
from yao_tasks.dashboard.resize import resize
from yao_tasks.dashboard.workflows import (
    cancel_workflow,
    workflow,
    workflow_fragment,
    workflows,
    workflows_fragment,
)

View = Callable[..., HttpResponseBase]


def routes(page: Callable[[View], View]) -> list[URLPattern]:
    """A pattern for each page; `page` makes a view one of an admin site's."""
    return [
        path("", page(overview), name=OVERVIEW),
        path("fragment/", page(fragment), name=FRAGMENT),
        path("jobs/", page(jobs), name=JOBS),
        path("jobs/fragment/", page(jobs_fragment), name=f"{JOBS}_fragment"),
        path("jobs/export/", page(export), name=EXPORT),
        path("jobs/all/<str:verb>/", page(bulk), name=BULK),
        path("processes/", page(processes), name=PROCESSES),
        path("processes/fragment/", page(processes_fragment), name=f"{PROCESSES}_fragment"),
        path("diagnosis/", page(diagnosis), name=DIAGNOSIS),
        path("diagnosis/fragment/", page(diagnosis_fragment), name=f"{DIAGNOSIS}_fragment"),
        path("workflows/", page(workflows), name=WORKFLOWS),
        path("workflows/fragment/", page(workflows_fragment), name=f"{WORKFLOWS}_fragment"),
        path("workflows/<int:workflow_id>/", page(workflow), name=WORKFLOW),
        path("workflows/<int:workflow_id>/fragment/", page(workflow_fragment), name=f"{WORKFLOW}_fragment"),
        path("workflows/<int:workflow_id>/cancel/", page(cancel_workflow), name=CANCEL_WORKFLOW),
        path("pools/all/pause/", page(pause_all), name=PAUSE_ALL),
        path("pools/all/resume/", page(resume_all), name=RESUME_ALL),
        path("<str:task>/<int:job_id>/", page(job), name=JOB),
        path("<str:task>/<int:job_id>/fragment/", page(job_fragment), name=f"{JOB}_fragment"),
        path(
            "<str:task>/<int:job_id>/duplicate/",
            page(partial(single.single, deed=single.DUPLICATE)),
            name=DUPLICATE,
        ),
        path(
            "<str:task>/<int:job_id>/cancel/", page(partial(single.single, deed=single.CANCEL)), name=CANCEL
        ),
        path("<str:task>/<int:job_id>/retry/", page(partial(single.single, deed=single.RETRY)), name=RETRY),
        path("<str:task>/pool/", page(pool), name=POOL),
        path("<str:task>/pool/fragment/", page(pool_fragment), name=f"{POOL}_fragment"),
        path("<str:object_id>/change/", page(changed), name=CHANGE),
        path("<str:task>/add/", page(add), name=ADD),
        path("<str:task>/pause/", page(pause), name=PAUSE),
        path("<str:task>/resume/", page(resume), name=RESUME),
        path("<str:task>/resize/", page(resize), name=RESIZE),
        path("<str:task>/purge/", page(purge), name=PURGE),
    ]
