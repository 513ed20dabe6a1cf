"""`models.<name>.<verb>`: rows of the models that `YAO_TASKS["MODELS"]` names, as plain dicts. No other is reachable.

Process("models.task.save", {"id": 17, "status": "created"})     -> 17: the row is made, or changed
Process("models.task.find", 17)                                  -> its fields as a dict
Process("models.task.list", {"status": "created", "limit": 20})  -> a list of them
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import router, transaction
from django.db.models import Model, QuerySet

from yao_tasks.core.faults import shown
from yao_tasks.process.fields import filters_of, key_of, limit_of, values_of
from yao_tasks.process.named_models import model_of
from yao_tasks.process.words import Call, one_of


def named(rest: str) -> Call:
    """What `models.<rest>` means. LookupError where no such model may be reached, or it has no such verb."""
    name, _, verb = rest.rpartition(".")
    if not name:
        raise LookupError(
            f"{shown('models.' + rest)} has no verb. Write models.<name>.save, or another verb."
        )
    model = model_of(name, f"models.{rest}")
    function, arguments = one_of(_VERBS, verb, f"{shown('models.' + rest)}: models have no verb")
    return Call(function=partial(function, f"models.{rest}", model), arguments=arguments)


def _create(where: str, model: type[Model], data: Any) -> Any:
    return model._default_manager.create(**values_of(where, model, data)).pk


def _save(where: str, model: type[Model], data: Any) -> Any:
    values = values_of(where, model, data)
    # By its own name: `id` is the key, whatever the model calls it.
    key = values.pop(_key(model), None)
    if key is None:
        return model._default_manager.create(**values).pk
    row, _ = model._default_manager.update_or_create(pk=key, defaults=values)
    return row.pk


def _find(where: str, model: type[Model], key: Any) -> dict[str, Any]:
    return _as_dict(_row(where, model, key, model._default_manager.all()))


def _list(where: str, model: type[Model], filters: Any = None) -> list[dict[str, Any]]:
    given = {} if filters is None else filters
    found = model._default_manager.filter(**filters_of(where, model, given))
    if not found.ordered:
        found = found.order_by("pk")
    limit = limit_of(where, given)
    return [_as_dict(row) for row in (found if limit is None else found[:limit])]


def _update(where: str, model: type[Model], key: Any, data: Any) -> None:
    values = values_of(where, model, data)
    if values.pop(_key(model), None) not in (None, key_of(where, model, key)):
        raise ValueError(f"{where}: an id stays what it is. Leave it out of what is to change.")
    using = router.db_for_write(model)
    with transaction.atomic(using=using):
        row = _row(where, model, key, model._default_manager.using(using).select_for_update())
        for name, value in values.items():
            setattr(row, name, value)
        dated = [field.name for field in model._meta.concrete_fields if getattr(field, "auto_now", False)]
        row.save(using=using, update_fields=[*values, *dated])


def _delete(where: str, model: type[Model], key: Any) -> None:
    _row(where, model, key, model._default_manager.all()).delete()


def _row(where: str, model: type[Model], key: Any, among: QuerySet[Model]) -> Model:
    row = None if key is None else among.filter(pk=key_of(where, model, key)).first()
    if row is None:
        raise LookupError(f"{where}: no row of {model._meta.label} has the id {shown(key)}.")
    return row


def _key(model: type[Model]) -> str:
    assert model._meta.pk is not None
    return str(model._meta.pk.attname)


def _as_dict(row: Model) -> dict[str, Any]:
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return {"id": row.pk, **fields}


_VERBS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "save": (_save, ("the row as a dict",)),
    "create": (_create, ("the row as a dict",)),
    "find": (_find, ("the row's id",)),
    "list": (_list, ("filters?",)),
    "get": (_list, ("filters?",)),
    "update": (_update, ("the row's id", "what is to change, as a dict")),
    "delete": (_delete, ("the row's id",)),
}
