"""Add a job by hand."""

import json
from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from yao_tasks.core.errors import LONGEST_WAIT
from yao_tasks.dashboard.pages import FOLDER, frame
from yao_tasks.dashboard.steering import SUCCESS, back, came_from, operators_only, pool_that_can, record
from yao_tasks.dashboard.verbs import at_once
from yao_tasks.pools import Pool
from yao_tasks.redaction import parameters
from yao_tasks.refusals import REFUSALS, refusal

# Characters; what is longer is no work for a form.
LONGEST = 100_000


def _json(wanted: type, text: str) -> Any:
    try:
        value = json.loads(text or ("[]" if wanted is list else "{}"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise forms.ValidationError(gettext("That is no JSON: %(error)s") % {"error": error}) from error
    if not isinstance(value, wanted):
        sentence = gettext("Give a list.") if wanted is list else gettext("Give an object.")
        raise forms.ValidationError(sentence)
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


class AddForm(forms.Form):
    """Arguments as JSON, and when to start."""

    args = forms.CharField(
        label=_("Arguments, a JSON list"),
        max_length=LONGEST,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": '["ada@example.org"]', "spellcheck": "false"}),
    )
    kwargs = forms.CharField(
        label=_("Named arguments, a JSON object"),
        max_length=LONGEST,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": '{"name": "Ada"}', "spellcheck": "false"}),
    )
    run_after = forms.FloatField(
        label=_("Start after (seconds)"), min_value=0, max_value=LONGEST_WAIT, required=False
    )

    def clean_args(self) -> list[Any]:
        """The positional arguments."""
        return list(_json(list, self.cleaned_data["args"]))

    def clean_kwargs(self) -> dict[str, Any]:
        """The named ones."""
        return dict(_json(dict, self.cleaned_data["kwargs"]))


@require_http_methods(["GET", "HEAD", "POST"])
@operators_only
def add(request: HttpRequest, task: str, *, site: AdminSite) -> HttpResponse:
    """Asked for: the form. Posted: add the job, or say what is wrong with it."""
    pool = pool_that_can("add", task)
    form = AddForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            job_id = _added(pool, form.cleaned_data)
        except REFUSALS as error:
            form.add_error(None, refusal(error))
        except (TypeError, ValueError) as error:
            form.add_error(None, str(error))
        else:
            record(request, f"Added job {job_id} to {pool.id}.", pool, job_id)
            sentence = gettext("Added job %(id)d to %(task)s.") % {"id": job_id, "task": pool.id}
            return back(request, site, (SUCCESS, sentence))
    context = {
        **frame(request, site),
        "title": gettext("Add a job to %(name)s") % {"name": pool.config.name},
        "task": pool.id,
        "form": form,
        "parameters": parameters(pool.config.process),
        "next": came_from(request, site),
    }
    return render(request, f"{FOLDER}/add.html", context)


def _added(pool: Pool, given: dict[str, Any]) -> int:
    options = at_once(pool)
    if given["run_after"]:
        options["run_after"] = given["run_after"]
    return pool.using(**options).add(*given["args"], **given["kwargs"])
