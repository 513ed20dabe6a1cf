"""The permissions that pages and the API ask for, as `user.has_perm` wants them."""

VIEW_JOBS = "yao_tasks.view_jobs"
OPERATE_JOBS = "yao_tasks.operate_jobs"
VIEW_JOB_ARGS = "yao_tasks.view_job_args"
