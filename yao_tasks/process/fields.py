"""What a row, or filters of rows, are given as: dicts, checked field by field before the database is asked."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import CharField, Field, ForeignKey, IntegerField, Model, TextField

from yao_tasks.core.faults import shown
from yao_tasks.core.keys import nearest

# A filter that is none of a field.
LIMIT = "limit"


def values_of(where: str, model: type[Model], data: Any) -> dict[str, Any]:
    """The values by the attributes of a row, each as its field wants it. TypeError, LookupError, ValueError."""
    return {
        field.attname: _value(where, field, name, value)
        for name, value in _dict(where, data).items()
        for field in [_field(where, model, name)]
    }


def filters_of(where: str, model: type[Model], filters: Any) -> dict[str, Any]:
    """What a query is asked for: a value, None for no value, a list for any of them. Errors as of `values_of`."""
    wanted: dict[str, Any] = {}
    for name, value in _dict(where, filters).items():
        if name == LIMIT:
            continue
        field = _field(where, model, name)
        if isinstance(value, list | tuple):
            wanted[f"{field.attname}__in"] = [_python(where, field, name, one) for one in value]
        elif value is None:
            wanted[f"{field.attname}__isnull"] = True
        else:
            wanted[field.attname] = _python(where, field, name, value)
    return wanted


def key_of(where: str, model: type[Model], key: Any) -> Any:
    """A row's id as its field wants it. ValueError."""
    assert model._meta.pk is not None
    return _python(where, model._meta.pk, "id", key)


def limit_of(where: str, filters: Mapping[str, Any]) -> int | None:
    """How many rows at most; None: all. ValueError."""
    limit = filters.get(LIMIT)
    if limit is not None and (type(limit) is not int or limit < 0):
        raise ValueError(f'{where}: "limit" is {shown(limit)}. Give a whole number of 0 or more.')
    return limit


def _dict(where: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise TypeError(f'{where}: {shown(given)} is no dict. Give fields and values, such as {{"id": 17}}.')
    return given


def _field(where: str, model: type[Model], name: object) -> "Field[Any, Any]":
    fields = {name: field for field in model._meta.concrete_fields for name in (field.name, field.attname)}
    assert model._meta.pk is not None
    # `id` and `pk` are the key, whatever the model calls it.
    fields = {"id": model._meta.pk, "pk": model._meta.pk, **fields}
    if not isinstance(name, str) or name not in fields:
        raise LookupError(f"{where}: {model._meta.label} has no field {shown(name)}. {nearest(name, fields)}")
    return fields[name]


def _value(where: str, field: "Field[Any, Any]", name: str, value: Any) -> Any:
    if value is None and field.primary_key:
        # The database is to make one.
        return None
    if value == "" and isinstance(field, CharField | TextField):
        # `blank` is a matter of forms.
        return value
    _refuse_cut(where, field, name, value)
    try:
        return field.clean(value, None)
    except (ValidationError, TypeError, ValueError) as error:
        raise _wrong(where, name, value, error) from error


def _python(where: str, field: "Field[Any, Any]", name: str, value: Any) -> Any:
    _refuse_cut(where, field, name, value)
    try:
        return field.to_python(value)
    except (ValidationError, TypeError, ValueError) as error:
        raise _wrong(where, name, value, error) from error


def _refuse_cut(where: str, field: "Field[Any, Any]", name: str, value: Any) -> None:
    """ValueError for what a field of whole numbers would make another number of: 1 of 1.5, and of True."""
    if isinstance(field, ForeignKey):
        field = field.target_field
    if isinstance(field, IntegerField) and (
        isinstance(value, bool) or (isinstance(value, float) and not value.is_integer())
    ):
        raise ValueError(f"{where}: {shown(name)} is {shown(value)}. Give a whole number.")


def _wrong(where: str, name: str, value: Any, error: Exception) -> ValueError:
    said = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
    return ValueError(f"{where}: {shown(name)} is {shown(value)}. {said}")
