"""The keys of a definition, of its `event`, and of the settings: declared in their dataclass, read here.

    timeout: float = field(metadata=key(number(0, 2_592_000, above=True)))

declares a key, what its value must be, whether it is required, and its default. `read_keys` checks values
that people wrote against such a class, and returns all faults at once.
"""

import dataclasses
import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from yao_tasks.core.faults import Code, Fault, printable, shown
from yao_tasks.core.kinds import Kind

# Called with a variable's name and a type: the environment's value, cast to that type.
# Raises KeyError where the variable is missing, ValueError where its value can't be cast.
Env = Callable[[str, type], object]

ENV = "$ENV."


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: its name where people write it, the attribute that keeps it, and what it may hold.

    `default` is MISSING where it is computed, and where there is none because the key is `required`. `built`
    are the values that this version can do, beside the default; None: all that the kind allows.
    """

    name: str
    attribute: str
    kind: Kind
    inner: type | None
    required: bool
    default: Any
    built: Collection[object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where keys are read: what messages call it, whose faults they are, the environment if it is asked."""

    where: str
    task: str | None = None
    path: Path | None = None
    env: Env | None = None
    prefix: str = ""

    def fault(self, code: Code, text: str, hint: str) -> Fault:
        """Return a fault of this place."""
        return Fault(
            code=code, text=f"{printable(self.where)}: {text}", hint=hint, task=self.task, path=self.path
        )

    def name(self, key: object) -> str:
        """Return the key's full name in quotes: `"event.add"`."""
        return shown(f"{self.prefix}{key}")


def key(
    kind: Kind, *, built: Collection[object] | None = None, inner: type | None = None
) -> Mapping[str, Any]:
    """Return a field's metadata that makes it a key. `inner` is the dataclass of the keys in an object."""
    return {"kind": kind, "built": built, "inner": inner}


def keys_of(cls: type, *, rename: Callable[[str], str] = str) -> dict[str, Key]:
    """Return the keys that the dataclass `cls` declares, by the name that `rename` makes of the field's."""
    fields = [field for field in dataclasses.fields(cls) if "kind" in field.metadata]
    return {rename(field.name): _key(field, name=rename(field.name)) for field in fields}


def _key(field: dataclasses.Field[Any], *, name: str) -> Key:
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    return Key(name=name, attribute=field.name, required=required, default=field.default, **field.metadata)


def read_keys(
    keys: Mapping[str, Key], data: Mapping[Any, object], place: Place
) -> tuple[dict[str, Any], list[Fault]]:
    """Check what `data` says against `keys`; return the good values by attribute, and all faults."""
    values: dict[str, Any] = {}
    faults = [_unknown(name, keys, place) for name in data if name not in keys]
    for name, one in keys.items():
        if name in data:
            value, found = _read_value(one, data[name], place)
            faults += found
            if not any(fault.is_error for fault in found):
                values[one.attribute] = value
        elif one.required:
            faults.append(_missing(one, place))
    return values, faults


def nearest(name: object, known: Iterable[str], *, prefix: str = "") -> str:
    """Return the sentence that offers the name most like `name`, or else lists those that there are.

    `prefix` is put before the names that are offered.
    """
    names = list(known)
    # Case apart, as in "Worker_Nums" and "retention".
    folded = {one.casefold(): one for one in names}
    found = difflib.get_close_matches(str(name).casefold(), folded, n=1)
    if found:
        return f"Did you mean {shown(prefix + folded[found[0]])}?"
    if not names:
        return "There are none."
    return f"Known are {', '.join(printable(prefix + one) for one in names)}."


def _unknown(name: object, keys: Mapping[str, Key], place: Place) -> Fault:
    hint = nearest(name, keys, prefix=place.prefix)
    return place.fault(Code.UNKNOWN_KEY, f"{place.name(name)} is no key.", hint)


def _missing(one: Key, place: Place) -> Fault:
    return place.fault(
        Code.MISSING_KEY, f"{place.name(one.name)} is missing.", f"Add it with {one.kind.wanted}."
    )


def _read_value(one: Key, given: object, place: Place) -> tuple[Any, list[Fault]]:
    value, source, faults = _from_environment(one, given, place)
    if faults:
        return None, faults
    if value is None and one.default is None:
        return None, []
    if not one.kind.fits(value):
        text = f"{place.name(one.name)} is {source}."
        return None, [place.fault(Code.WRONG_VALUE, text, f"Give {one.kind.wanted}.")]
    if one.inner is not None:
        values, faults = read_keys(keys_of(one.inner), value, replace(place, prefix=f"{one.name}."))
        return one.inner(**values), faults
    kept = one.kind.convert(value)
    if one.built is None or kept == one.default or kept in one.built:
        return kept, []
    return None, [_not_built(one, source, place)]


def _not_built(one: Key, source: str, place: Place) -> Fault:
    name = place.name(one.name)
    text = f"{name} is {source}, which this version of yao_tasks can't do yet."
    usable = [value for value in (one.default, *(one.built or ())) if isinstance(value, str)]
    if not usable:
        return place.fault(Code.NOT_BUILT, text, f"Leave {name} out.")
    return place.fault(Code.NOT_BUILT, text, f"Leave {name} out, or give {' or '.join(map(shown, usable))}.")


def _from_environment(one: Key, given: object, place: Place) -> tuple[Any, str, list[Fault]]:
    """Return the value with "$ENV." resolved, what messages call it, and faults."""
    if place.env is None:
        return given, shown(given), []
    if isinstance(given, list):
        cast = [_ask(one, element, str, place, place.env) for element in given]
        return [value for value, _ in cast], shown(given), [fault for _, fault in cast if fault is not None]
    value, fault = _ask(one, given, one.kind.cast, place, place.env)
    # What the environment holds may be a secret that was named by mistake: numbers are shown, texts are not.
    source = shown(given)
    if value is not given and isinstance(value, int | float):
        source = f"{source} ({shown(value)})"
    return value, source, [] if fault is None else [fault]


def _ask(one: Key, given: object, cast: type, place: Place, env: Env) -> tuple[Any, Fault | None]:
    """Return what the environment says where `given` names a variable, else `given` itself."""
    if not (isinstance(given, str) and given.startswith(ENV)):
        return given, None
    variable = given.removeprefix(ENV)
    asks = f"{place.name(one.name)} asks for the environment variable {shown(variable)}"
    try:
        return env(variable, cast), None
    except KeyError:
        text, hint = f"{asks}, which is not set.", "Set it, or write the value into the file."
    except ValueError:
        text, hint = f"{asks}, whose value is of another type.", f"Set it to {one.kind.wanted}."
    return None, place.fault(Code.ENVIRONMENT, text, hint)
