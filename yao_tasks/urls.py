"""The addresses of the API: `path("tasks/", include("yao_tasks.urls"))`. The admin needs none of them."""

from django.urls import path, re_path, register_converter
from django.urls.converters import IntConverter, StringConverter

from yao_tasks.api.add import add
from yao_tasks.api.answers import nowhere
from yao_tasks.api.cancel import cancel
from yao_tasks.api.events import events
from yao_tasks.api.health import health
from yao_tasks.api.status import status


class TaskId(StringConverter):
    """What can be a task's id: a file's path is no longer."""

    regex = "[^/]{1,255}"


class JobId(IntConverter):
    """What can be a job's id: below 2**53."""

    regex = "[0-9]{1,16}"


register_converter(TaskId, "yao_task")
register_converter(JobId, "yao_job")

app_name = "yao_tasks"

urlpatterns = [
    path("health/", health, name="health"),
    path("<yao_task:task>/", add, name="add"),
    path("<yao_task:task>/<yao_job:job_id>/", status, name="status"),
    path("<yao_task:task>/<yao_job:job_id>/events/", events, name="events"),
    path("<yao_task:task>/<yao_job:job_id>/cancel/", cancel, name="cancel"),
    # In JSON, too.
    re_path("", nowhere),
]
