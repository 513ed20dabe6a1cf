"""The models that `YAO_TASKS["MODELS"]` names."""

from collections.abc import Iterator

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model

from yao_tasks import conf
from yao_tasks.core.faults import Code, Fault, shown
from yao_tasks.core.keys import nearest


def model_of(name: str, where: str) -> type[Model]:
    """The model that may be called so. LookupError; ImproperlyConfigured where the settings name one that isn't."""
    labels = conf.current().models
    try:
        label = labels[name]
    except KeyError:
        raise LookupError(
            f'{shown(where)}: no model is named {shown(name)} in YAO_TASKS["MODELS"]. {nearest(name, labels)}'
        ) from None
    try:
        return apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise ImproperlyConfigured(_said(name, label)) from error


def faults() -> Iterator[Fault]:
    """Names in the settings that stand for no model. Call it when the models are loaded."""
    for name, label in conf.current().models.items():
        try:
            apps.get_model(label)
        except (LookupError, ValueError):
            yield Fault(code=Code.WRONG_VALUE, text=_said(name, label), hint=_hint(label))


def _said(name: str, label: str) -> str:
    return (
        f'settings.YAO_TASKS: "MODELS" says that {shown(name)} is {shown(label)}, and there is no such model.'
    )


def _hint(label: str) -> str:
    known = [model._meta.label for model in apps.get_models()]
    meant = nearest(label, known)
    return meant if "Did you mean" in meant else 'Give an app\'s label and a model: "accounts.User".'
