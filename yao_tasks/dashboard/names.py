"""Names that the pages share: of their URLs and of the permissions they ask for."""

OVERVIEW = "yao_tasks_dashboard_changelist"  # the name by which the admin's index links to a model
FRAGMENT = "yao_tasks_dashboard_fragment"
CANCEL = "yao_tasks_dashboard_cancel"
RETRY = "yao_tasks_dashboard_retry"
PAUSE = "yao_tasks_dashboard_pause"
RESUME = "yao_tasks_dashboard_resume"
RESIZE = "yao_tasks_dashboard_resize"
PURGE = "yao_tasks_dashboard_purge"

VIEW_JOBS = "yao_tasks.view_jobs"
OPERATE_JOBS = "yao_tasks.operate_jobs"
