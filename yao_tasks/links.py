"""Signed links: who has one may read one job, without an account, for a while.

The signature is over the task and the job's id, with a salt of its own: a text that was signed for anything else
opens no job. Cancelling and adding take permissions; no link is enough for these.
"""

import time
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import BadSignature, TimestampSigner, b62_decode
from django.urls import NoReverseMatch, reverse

from yao_tasks import conf
from yao_tasks.core.errors import BadJobId
from yao_tasks.core.faults import shown

PARAMETER = "link"
SALT = "yao_tasks.links"
# A moment in base 62, a colon, and an HMAC of 43 characters: what is longer is none.
LONGEST = 100


def job_url(task: str, job_id: int) -> str:
    """A signed path at which the job's state can be read, for `LINK_AGE` seconds from now. Any thread may call it.

    Whether there is such a task or job isn't asked. BadJobId where `job_id` is no int; ImproperlyConfigured
    where `yao_tasks.urls` isn't among the site's URLs.
    """
    if type(job_id) is not int:
        raise BadJobId(f"job_url: {shown(job_id)} is no job id. Give the whole number that add returned.")
    try:
        path = reverse("yao_tasks:status", args=[task, job_id])
    except NoReverseMatch as error:
        raise ImproperlyConfigured(
            f"job_url: job {job_id} of {shown(task)} has no address. Is "
            'path("tasks/", include("yao_tasks.urls")) among the URLs of the site?'
        ) from error
    signed = _signer().sign(_name(task, job_id))
    return f"{path}?{PARAMETER}={signed.removeprefix(_name(task, job_id)).removeprefix(':')}"


def opens(signature: str, task: str, job_id: int) -> bool:
    """Whether the signature is of this very job, and not too old. False for whatever it may be."""
    if len(signature) > LONGEST:
        return False
    # The keys are named, so that what was right with others counts for nothing.
    signed_at = _signed_at(
        signature, _name(task, job_id), settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS
    )
    return signed_at is not None and time.time() - signed_at <= conf.current().link_age


# A page asks again and again: most of what a question costs would be the check of one and the same signature.
@lru_cache(maxsize=4096)
def _signed_at(signature: str, name: str, *keys: str | bytes) -> int | None:
    """When that was signed, in seconds since 1970; None where it wasn't."""
    try:
        _signer().unsign(f"{name}:{signature}")
        return b62_decode(signature.partition(":")[0])
    except (BadSignature, ValueError):
        return None


def _signer() -> TimestampSigner:
    return TimestampSigner(salt=SALT)


def _name(task: str, job_id: int) -> str:
    return f"{task}/{job_id}"
