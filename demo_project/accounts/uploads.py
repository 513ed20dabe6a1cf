"""Files that users send, the jobs that work on them, and what comes out."""

import secrets
from pathlib import Path

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.files import File
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from demo_project.accounts.forms import ContactsForm, PicturesForm
from demo_project.accounts.models import Upload
from yao_tasks import tasks
from yao_tasks.errors import JobNotFound, PoolClosed, QueueFull

IMPORT, THUMBNAILS = "import_contacts", "thumbnails"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def contacts(request: HttpRequest) -> HttpResponse:
    """Send a list of contacts, and see those that were sent."""
    return _take(request, ContactsForm(request.POST or None, request.FILES or None), IMPORT)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def pictures(request: HttpRequest) -> HttpResponse:
    """Send a picture, and see those that were sent."""
    return _take(request, PicturesForm(request.POST or None, request.FILES or None), THUMBNAILS)


@require_safe
@never_cache
@login_required
def upload(request: HttpRequest, pk: int) -> HttpResponse:
    """How far one's own upload is, and what has become of it."""
    mine = _own(request, pk)
    try:
        info = tasks[mine.task].get(mine.job_id)
    except JobNotFound:
        info = None
    return render(request, "accounts/upload.html", {"upload": mine, "info": info, "page": _page(mine.task)})


@require_POST
@login_required
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop the work on one's own upload. A signed link only reads: this is the site's own to allow."""
    mine = _own(request, pk)
    tasks[mine.task].cancel(mine.job_id)
    return redirect("upload", mine.pk)


@require_safe
@login_required
def thumbnail(request: HttpRequest, pk: int, name: str) -> FileResponse:
    """A thumbnail of one's own picture."""
    mine = _own(request, pk)
    path = settings.DATA_DIR / mine.folder / "thumbnails" / Path(name).name
    if not path.is_file():
        raise Http404
    return FileResponse(path.open("rb"), content_type="image/jpeg")


def _take(request: HttpRequest, form: forms.Form, task: str) -> HttpResponse:
    if form.is_valid():
        try:
            return redirect("upload", _add(request, form.cleaned_data["file"], task).pk)
        except (QueueFull, PoolClosed):
            form.add_error("file", _("Too many files are waiting already: try again later."))
    sent = Upload.objects.filter(user_id=request.user.pk, task=task)[:10]
    return render(request, "accounts/uploads.html", {"form": form, "task": task, "sent": sent})


@transaction.atomic
def _add(request: HttpRequest, file: File, task: str) -> Upload:
    """Keep the file, and have it worked on after the commit."""
    folder = f"uploads/{secrets.token_hex(8)}"
    name = get_valid_filename(Path(file.name).name)[-100:]
    # Pillow looks at what is in it, not at its name; the handler takes all of these in a folder.
    path = settings.DATA_DIR / folder / (f"{Path(name).stem}.jpg" if task == THUMBNAILS else name)
    path.parent.mkdir(parents=True)
    with path.open("wb") as copy:
        for chunk in file.chunks():
            copy.write(chunk)
    job_id = tasks[task].add(folder if task == THUMBNAILS else f"{folder}/{name}")
    return Upload.objects.create(user_id=request.user.pk, task=task, job_id=job_id, name=name, folder=folder)


def _own(request: HttpRequest, pk: int) -> Upload:
    return get_object_or_404(Upload, pk=pk, user_id=request.user.pk)


def _page(task: str) -> str:
    return "imports" if task == IMPORT else "thumbnails"
