"""How a job is."""

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.cache import get_conditional_response

from yao_tasks.api.access import reader_of
from yao_tasks.api.answers import answers
from yao_tasks.api.finding import find
from yao_tasks.api.pictures import etag_of, picture


@answers("GET", "HEAD")
def status(request: HttpRequest, task: str, job_id: int) -> HttpResponseBase:
    """A picture of the job, as much as the reader may see of it; 304 if that is what he has already."""
    reader = reader_of(request, task, job_id)
    pool, info = find(request, task, job_id, reader)
    assert reader is not None
    shown = picture(info, pool.config, reader)
    etag = etag_of(shown)
    answer = get_conditional_response(request, etag=etag) or JsonResponse(shown)
    answer.headers["ETag"] = etag
    return answer
