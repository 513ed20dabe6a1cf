"""Names that the pages share: of their URLs and of the permissions they ask for."""

from yao_tasks.permissions import OPERATE_JOBS as OPERATE_JOBS
from yao_tasks.permissions import VIEW_JOB_ARGS as VIEW_JOB_ARGS
from yao_tasks.permissions import VIEW_JOBS as VIEW_JOBS

OVERVIEW = "yao_tasks_dashboard_changelist"  # the name by which the admin's index links to a model
FRAGMENT = "yao_tasks_dashboard_fragment"
JOBS = "yao_tasks_dashboard_jobs"
JOB = "yao_tasks_dashboard_job"
POOL = "yao_tasks_dashboard_pool"
PROCESSES = "yao_tasks_dashboard_processes"
DIAGNOSIS = "yao_tasks_dashboard_diagnosis"
WORKFLOWS = "yao_tasks_dashboard_workflows"
WORKFLOW = "yao_tasks_dashboard_workflow"
CANCEL_WORKFLOW = "yao_tasks_dashboard_cancel_workflow"
CANCEL = "yao_tasks_dashboard_cancel"
RETRY = "yao_tasks_dashboard_retry"
PAUSE = "yao_tasks_dashboard_pause"
RESUME = "yao_tasks_dashboard_resume"
RESIZE = "yao_tasks_dashboard_resize"
ADD = "yao_tasks_dashboard_add_job"
PAUSE_ALL = "yao_tasks_dashboard_pause_all"
RESUME_ALL = "yao_tasks_dashboard_resume_all"
PURGE = "yao_tasks_dashboard_purge"

BULK = "yao_tasks_dashboard_bulk"
EXPORT = "yao_tasks_dashboard_export"
DUPLICATE = "yao_tasks_dashboard_duplicate"
CHANGE = "yao_tasks_dashboard_change"  # the name by which the admin's log links to what was changed
