"""Names that the pages share: of their URLs and of the permissions they ask for."""

OVERVIEW = "yao_tasks_dashboard_changelist"  # the name by which the admin's index links to a model
FRAGMENT = "yao_tasks_dashboard_fragment"
CANCEL = "yao_tasks_dashboard_cancel"

VIEW_JOBS = "yao_tasks.view_jobs"
OPERATE_JOBS = "yao_tasks.operate_jobs"
