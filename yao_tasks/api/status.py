"""How a job is."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response

from yao_tasks.api.access import reader_of
from yao_tasks.api.answers import answers
from yao_tasks.api.finding import find
from yao_tasks.api.pictures import picture, written


@answers("GET", "HEAD")
def status(request: HttpRequest, task: str, job_id: int) -> HttpResponseBase:
    """A picture of the job, as much as the reader may see of it; 304 if that is what he has already."""
    reader = reader_of(request, task, job_id)
    pool, info = find(request, task, job_id, reader)
    assert reader is not None
    text, mark = written(picture(info, pool.config, reader))
    # A weak one, since it is that of all but the time.
    etag = f'W/"{mark}"'
    answer: HttpResponseBase | None = None
    if "HTTP_IF_NONE_MATCH" in request.META:
        answer = get_conditional_response(request, etag=etag)
    answer = answer or HttpResponse(text, content_type="application/json")
    answer.headers["ETag"] = etag
    return answer
