"""What a definition file may say, and what is said about one that is wrong."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yao_tasks.core.definitions import KEYS, Definition, Events, parse, read
from yao_tasks.core.faults import Code, Fault

FILE = Path("/site/tasks/welcome.yao")
GOOD: dict[str, Any] = {
    "name": "Welcome mail",
    "process": "accounts.jobs.send",
    "worker_nums": 10,
    "attempts": 3,
    "attempt_after": 200,
    "timeout": 2,
    "size": 1000,
}
VARIABLES = {"WORKERS": "4", "NAMES": "a.B,c.D", "WORD": "hush", "ON": "true", "EVENTS": "add=a.b,error=c.d"}


def env(name: str, cast: type) -> object:
    text = VARIABLES[name]
    match cast.__name__:
        case "list":
            return text.split(",")
        case "dict":
            return dict(pair.split("=") for pair in text.split(","))
        case "bool":
            return text == "true"
    return cast(text)


def made(**changes: object) -> Definition:
    definition, faults = parse({**GOOD, **changes}, FILE, "welcome", env)
    assert faults == []
    assert definition is not None
    return definition


def faults_of(**changes: object) -> list[Fault]:
    definition, faults = parse({**GOOD, **changes}, FILE, "welcome", env)
    assert definition is None
    assert all(fault.task == "welcome" and fault.path == FILE for fault in faults)
    return faults


def fault_of(**changes: object) -> Fault:
    [fault] = faults_of(**changes)
    return fault


def test_a_file_with_the_required_keys_gets_the_defaults() -> None:
    definition, faults = read(json.dumps(GOOD), FILE, "welcome", env)

    assert faults == []
    assert definition == Definition(
        id="welcome",
        path=FILE,
        name="Welcome mail",
        process="accounts.jobs.send",
        worker_nums=10,
        attempts=3,
        attempt_after=0.2,
        timeout=2.0,
        size=1000,
    )
    assert dict(definition) == {
        "name": "Welcome mail",
        "process": "accounts.jobs.send",
        "worker_nums": 10,
        "attempts": 3,
        "attempt_after": 0.2,
        "timeout": 2.0,
        "size": 1000,
        "event": {},
        "worker_type": "auto",
        "worker_max": None,
        "overflow": "reject",
        "overflow_wait": 5.0,
        "backoff": "fixed",
        "attempt_max_after": 3600.0,
        "retry_on": (),
        "give_up_on": (),
        "retention": None,
        "unique": False,
        "record": False,
        "durable": False,
        "formerly": (),
        "engine": None,
    }


def test_a_definition_is_a_mapping_that_nobody_can_change() -> None:
    definition = made(event={"add": "mail.on_add"})

    assert isinstance(definition, Mapping)
    assert definition["attempt_after"] == definition.attempt_after == 0.2
    assert definition["event"] == {"add": "mail.on_add"}
    assert "id" not in definition
    assert "path" not in definition
    assert "nonsense" not in definition
    assert len(definition) == len(KEYS)
    assert hash(definition) == hash(made(event={"add": "mail.on_add"}))
    with pytest.raises(FrozenInstanceError):
        definition.size = 5  # type: ignore[misc]
    definition["event"].clear()  # type: ignore[attr-defined]
    assert definition["event"] == {"add": "mail.on_add"}


def test_events_are_attributes_and_a_mapping_of_those_given() -> None:
    events = made(event={"add": "mail.on_add", "error": "failed"}).event

    assert events == Events(add="mail.on_add", error="failed")
    assert events.success is None
    assert dict(events) == {"add": "mail.on_add", "error": "failed"}
    assert "success" not in events
    assert "clear" not in events


def test_comments_are_read_in_yao_and_refused_in_json() -> None:
    text = json.dumps(GOOD).replace("{", "{ // the mail\n")

    assert read(text, FILE, "welcome", env)[1] == []
    [fault] = read(text, FILE.with_suffix(".json"), "welcome", env)[1]
    assert fault.code == Code.SYNTAX
    assert fault.text == (
        "/site/tasks/welcome.json: line 1, column 3: "
        "strict JSON has no comments; a .yao or .jsonc file may have them."
    )


def test_broken_json_is_told_with_file_line_and_column() -> None:
    definition, [fault] = read('{\n  "name": "x"\n  "size": 3\n}', FILE, "welcome", env)

    assert definition is None
    assert fault == Fault(
        code=Code.SYNTAX,
        text='/site/tasks/welcome.yao: line 3, column 3: "," or "}" is missing before "\\"size\\"".',
        hint="Mend the JSON there.",
        task="welcome",
        path=FILE,
    )


def test_nan_is_broken_json() -> None:
    [fault] = read('{"timeout": NaN}', FILE, "welcome", env)[1]

    assert fault.text == "/site/tasks/welcome.yao: line 1, column 13: NaN is no JSON value."


@pytest.mark.parametrize(("text", "value"), [("[1, 2]", "[1, 2]"), ('"x"', '"x"'), ("null", "null")])
def test_what_is_no_object_is_refused(text: str, value: str) -> None:
    [fault] = read(text, FILE, "welcome", env)[1]

    assert fault.code == Code.SYNTAX
    assert fault.text == f"/site/tasks/welcome.yao: the file holds {value}."
    assert fault.hint.startswith("Give one object")


@pytest.mark.parametrize("key", GOOD)
def test_a_missing_key_is_named_with_its_file(key: str) -> None:
    data = {name: value for name, value in GOOD.items() if name != key}
    definition, [fault] = parse(data, FILE, "welcome", env)

    assert definition is None
    assert fault.code == Code.MISSING_KEY
    assert fault.text == f'/site/tasks/welcome.yao: "{key}" is missing.'
    assert fault.hint.startswith("Add it with ")


@pytest.mark.parametrize(
    ("changes", "name", "hint"),
    [
        ({"worker_num": 3}, "worker_num", 'Did you mean "worker_nums"?'),
        ({"Timeout": 3}, "Timeout", 'Did you mean "timeout"?'),
        ({"event": {"sucess": "a.b"}}, "event.sucess", 'Did you mean "event.success"?'),
        (
            {"event": {"zzz": "a.b"}},
            "event.zzz",
            "Known are event.next, event.add, event.success, event.error, event.progress.",
        ),
        ({"\x1b[2J": 3}, "\\u001b[2J", f"Known are {', '.join(KEYS)}."),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_one(
    changes: dict[str, object], name: str, hint: str
) -> None:
    fault = fault_of(**changes)

    assert fault.code == Code.UNKNOWN_KEY
    assert fault.text == f'/site/tasks/welcome.yao: "{name}" is no key.'
    assert fault.hint == hint


WORKERS = "Give a whole number between 1 and 100,000."
TIMEOUT = "Give a number above 0 and at most 2,592,000."
READABLE = "Give a text that isn't empty and has no control characters."
CALLABLE = 'Give the dotted path of a callable, or a registered name, such as "accounts.jobs.send".'


@pytest.mark.parametrize(
    ("key", "value", "shown", "hint"),
    [
        ("worker_nums", 0, "0", WORKERS),
        ("worker_nums", -1, "-1", WORKERS),
        ("worker_nums", 100_001, "100001", WORKERS),
        ("worker_nums", True, "true", WORKERS),
        ("worker_nums", "10", '"10"', WORKERS),
        ("worker_nums", 3.0, "3.0", WORKERS),
        ("worker_nums", None, "null", WORKERS),
        ("worker_nums", [1], "[1]", WORKERS),
        ("size", 10_000_001, "10000001", "Give a whole number between 1 and 10,000,000."),
        ("size", 10**100, "1" + "0" * 76 + "...", "Give a whole number between 1 and 10,000,000."),
        ("attempts", -1, "-1", "Give a whole number between 0 and 1,000."),
        (
            "attempt_after",
            604_800_001,
            "604800001",
            "Give a whole number between 0 and 604,800,000 (milliseconds).",
        ),
        ("timeout", 0, "0", TIMEOUT),
        ("timeout", -0.5, "-0.5", TIMEOUT),
        ("timeout", 2_592_001, "2592001", TIMEOUT),
        ("timeout", True, "true", TIMEOUT),
        ("timeout", "2", '"2"', TIMEOUT),
        ("timeout", float("nan"), "NaN", TIMEOUT),
        ("timeout", float("inf"), "Infinity", TIMEOUT),
        ("retention", 86_401, "86401", "Give a number between 0 and 86,400."),
        ("overflow_wait", 3601, "3601", "Give a number between 0 and 3,600."),
        ("name", "", '""', READABLE),
        ("name", "  ", '"  "', READABLE),
        ("name", "a\nb", '"a\\nb"', READABLE),
        ("name", "\ud800", '"\\ud800"', READABLE),
        ("name", 5, "5", READABLE),
        ("process", "send mail", '"send mail"', CALLABLE),
        ("process", "a..b", '"a..b"', CALLABLE),
        ("process", "", '""', CALLABLE),
        ("worker_type", "threads", '"threads"', 'Give "auto", "thread", "async" or "process".'),
        ("backoff", ["fixed"], '["fixed"]', 'Give "fixed" or "exponential".'),
        ("durable", 1, "1", "Give true or false."),
        ("unique", "true", '"true"', "Give true or false."),
        ("event", [], "[]", "Give an object with any of the keys next, add, success, error, progress."),
        (
            "retry_on",
            ["no path"],
            '["no path"]',
            'Give a list, each element the dotted path of an exception, such as "accounts.errors.Refused".',
        ),
        ("formerly", ["a..b"], '["a..b"]', 'Give a list, each element a task id, such as "mail.welcome".'),
    ],
)
def test_a_wrong_value_is_told_with_what_to_give(key: str, value: object, shown: str, hint: str) -> None:
    """B8."""
    fault = fault_of(**{key: value})

    assert fault.code == Code.WRONG_VALUE
    assert fault.text == f'/site/tasks/welcome.yao: "{key}" is {shown}.'
    assert fault.hint == hint


def test_a_wrong_value_inside_event_is_told_with_its_full_key() -> None:
    fault = fault_of(event={"next": 5})

    assert (fault.code, fault.hint) == (Code.WRONG_VALUE, CALLABLE)
    assert fault.text == '/site/tasks/welcome.yao: "event.next" is 5.'


def test_fewer_workers_at_most_than_always_are_refused() -> None:
    texts = [fault.text for fault in faults_of(worker_max=9)]

    assert '/site/tasks/welcome.yao: "worker_max" is 9, less than "worker_nums" (10).' in texts
    assert made(worker_max=10).worker_max == 10


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("worker_nums", 1, 100_000),
        ("attempts", 0, 1_000),
        ("attempt_after", 0, 604_800_000),
        ("timeout", 0.001, 2_592_000),
        ("size", 1, 10_000_000),
        ("retention", 0, 86_400),
    ],
)
def test_the_bounds_of_a_number_belong_to_it(key: str, low: float, high: float) -> None:
    scale = 1000 if key == "attempt_after" else 1

    assert made(**{key: low})[key] == low / scale
    assert made(**{key: high})[key] == high / scale


@pytest.mark.parametrize("key", ["worker_nums", "worker_max"])
def test_only_coroutines_may_be_more_than_a_thousand(key: str) -> None:
    numbers = {"worker_nums": 1, key: 1_001}

    made(**numbers, worker_type="async")
    # It isn't known yet what runs the handler.
    made(**numbers, worker_type="auto")
    fault = fault_of(**numbers, worker_type="thread")

    assert fault.code == Code.WRONG_VALUE
    assert fault.text == f'/site/tasks/welcome.yao: "{key}" is 1001.'
    assert fault.hint == "Give a whole number between 1 and 1,000; only coroutines may be more."


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("engine", "host", 'Leave "engine" out, or give "embedded" or "inline".'),
        ("engine", "celery", 'Leave "engine" out, or give "embedded" or "inline".'),
    ],
)
def test_a_feature_that_is_not_built_is_refused_in_a_sentence(key: str, value: object, hint: str) -> None:
    fault = fault_of(**{key: value})

    assert fault.code == Code.NOT_BUILT
    assert fault.text == (
        f'/site/tasks/welcome.yao: "{key}" is {json.dumps(value)}, '
        "which this version of yao_tasks can't do yet."
    )
    assert fault.hint == hint


def test_the_default_of_a_feature_that_is_not_built_is_taken() -> None:
    made(
        worker_type="thread",
        overflow="reject",
        overflow_wait=5,
        backoff="fixed",
        attempt_max_after=3_600_000,
        retry_on=[],
        give_up_on=[],
        unique=False,
        record=False,
        engine="inline",
        worker_max=None,
        retention=None,
    )


def test_all_faults_of_a_file_come_at_once() -> None:
    """B8."""
    definition, faults = parse(
        {
            **GOOD,
            "size": 0,
            "timeout": 0,
            "zise": 1,
            "event": {"ad": "x", "add": "no path"},
            "engine": "host",
        },
        FILE,
        "welcome",
        env,
    )

    assert definition is None
    assert sorted((fault.code, fault.text.split('"')[1]) for fault in faults) == [
        (Code.UNKNOWN_KEY, "event.ad"),
        (Code.UNKNOWN_KEY, "zise"),
        (Code.WRONG_VALUE, "event.add"),
        (Code.WRONG_VALUE, "size"),
        (Code.WRONG_VALUE, "timeout"),
        (Code.NOT_BUILT, "engine"),
    ]


def test_a_value_from_the_environment_is_cast_to_the_type_of_its_key() -> None:
    definition = made(
        worker_nums="$ENV.WORKERS", timeout="$ENV.WORKERS", name="$ENV.WORKERS", event={"add": "$ENV.WORD"}
    )

    assert definition.worker_nums == 4
    assert (definition.timeout, type(definition.timeout)) == (4.0, float)
    assert definition.name == "4"
    assert definition.event.add == "hush"
    assert made(event="$ENV.EVENTS").event == Events(add="a.b", error="c.d")


def test_a_list_and_its_elements_may_come_from_the_environment() -> None:
    whole = made(retry_on="$ENV.NAMES")
    element = made(retry_on=["ValueError", "$ENV.WORD"])
    missing = fault_of(retry_on=["ValueError", "$ENV.NONE"])

    assert all(isinstance(name, str) for name in whole.retry_on)
    assert element.retry_on == ("ValueError", "hush")
    assert missing.code == Code.ENVIRONMENT


@pytest.mark.parametrize(
    ("changes", "key", "variable"),
    [
        ({"size": "$ENV.NONE"}, "size", "NONE"),
        ({"event": {"add": "$ENV.NONE"}}, "event.add", "NONE"),
        ({"size": "$ENV."}, "size", ""),
    ],
)
def test_a_missing_variable_is_told_with_file_key_and_name(
    changes: dict[str, object], key: str, variable: str
) -> None:
    fault = fault_of(**changes)

    assert fault.code == Code.ENVIRONMENT
    assert fault.text == (
        f'/site/tasks/welcome.yao: "{key}" asks for the environment variable "{variable}", which is not set.'
    )


def test_a_variable_of_another_type_is_told_without_its_value() -> None:
    fault = fault_of(size="$ENV.WORD")

    assert fault.code == Code.ENVIRONMENT
    assert fault.text == (
        '/site/tasks/welcome.yao: "size" asks for the environment variable "WORD", '
        "whose value is of another type."
    )
    assert fault.hint == "Set it to a whole number between 1 and 10,000,000."


def test_a_text_from_the_environment_is_never_shown() -> None:
    fault = fault_of(engine="$ENV.WORD")

    assert fault.text == '/site/tasks/welcome.yao: "engine" is "$ENV.WORD".'
    assert "hush" not in str(fault)


def test_a_number_from_the_environment_is_shown_beside_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIABLES, "WORKERS", "0")

    assert fault_of(worker_nums="$ENV.WORKERS").text.endswith('"worker_nums" is "$ENV.WORKERS" (0).')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
)


@given(
    st.dictionaries(st.sampled_from([*KEYS, "other"]), JSON | st.dictionaries(st.text(), JSON, max_size=3))
)
def test_whatever_the_keys_hold_a_definition_or_faults_come_back(data: dict[str, object]) -> None:
    definition, faults = parse(data, FILE, "welcome", env)

    assert (definition is None) == bool(faults)
    # Each can be written to a terminal and to a log, on one line.
    assert [fault for fault in faults if "\n" in str(fault) or not str(fault).encode()] == []


def test_the_core_imports_no_django() -> None:
    code = (
        "import pkgutil, sys, importlib, yao_tasks.core as core\n"
        "for found in pkgutil.walk_packages(core.__path__, 'yao_tasks.core.'):\n"
        "    importlib.import_module(found.name)\n"
        "sys.exit('django' in sys.modules or 'environ' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
