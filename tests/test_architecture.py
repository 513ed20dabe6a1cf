"""The shape of the code base: what may import what, who writes a status, what a lock may hold."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "yao_tasks"
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if "migrations" not in path.parts]

# From the top down; a module imports its own layer and those below. The longest matching name counts.
LAYERS = [
    [
        "yao_tasks.apps",
        "yao_tasks.checks",
        "yao_tasks.admin",
        "yao_tasks.dashboard",
        "yao_tasks.management",
        "yao_tasks.urls",
        "yao_tasks.api",
        "yao_tasks.templatetags",
    ],
    [
        "yao_tasks.testing",
        "yao_tasks.pytest_plugin",
        "yao_tasks.process",
        "yao_tasks.diagnosis",
        "yao_tasks.workflows",
    ],
    ["yao_tasks.pools", "yao_tasks.foreground", "yao_tasks.asgi", "yao_tasks.events"],
    [
        "yao_tasks.boot",
        "yao_tasks.loops",
        "yao_tasks.leaving",
        "yao_tasks.options",
        "yao_tasks.servers",
        "yao_tasks.offspring",
        "yao_tasks.house",
    ],
    ["yao_tasks.callables", "yao_tasks.child"],
    ["yao_tasks.surroundings"],
    ["yao_tasks.engines"],
    ["yao_tasks.journal"],
    [
        "yao_tasks.loading",
        "yao_tasks.handlers",
        "yao_tasks.models",
        "yao_tasks.connections",
        "yao_tasks.sensitive",
        "yao_tasks.redaction",
        "yao_tasks.refusals",
        "yao_tasks.links",
        "yao_tasks.permissions",
    ],
    ["yao_tasks.conf", "yao_tasks.errors"],
    ["yao_tasks.core.workers"],
    ["yao_tasks.core"],
]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def imports_of(tree: ast.Module) -> Iterator[str]:
    """Modules imported when the module is loaded: not those in functions, nor for type checkers only."""
    stack: list[ast.stmt] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.If | ast.Try):
            stack += [*node.body, *node.orelse]
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def home_of(name: str) -> str | None:
    """The module of ours that an imported name means."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name if name and name != "yao_tasks" else None


def layer_of(module: str) -> int:
    fitting = [
        (len(name), number)
        for number, names in enumerate(LAYERS)
        for name in names
        if module == name or module.startswith(f"{name}.")
    ]
    assert fitting, f"{module} has no layer"
    return max(fitting)[1]


GRAPH = {
    module: {home for name in imports_of(tree) if (home := home_of(name)) and home != module}
    for module, tree in MODULES.items()
}


def test_imports_go_down_only() -> None:
    upward = [
        f"{module} imports {name}"
        for module in MODULES
        for name in GRAPH[module]
        if module != "yao_tasks" and layer_of(name) < layer_of(module)
    ]

    assert upward == []


def test_no_import_goes_in_a_circle() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path, module])
        if module not in done:
            for name in GRAPH[module]:
                visit(name, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())

    assert done == set(MODULES)


def test_the_core_brings_in_no_django() -> None:
    core = [module for module in MODULES if module.startswith("yao_tasks.core")]
    code = (
        f"import sys\nfor name in {core!r}: __import__(name)\nprint(*(n.split('.')[0] for n in sys.modules))"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert {"django", "asgiref", "environ"} & set(loaded.stdout.split()) == set()
    assert len(core) > 15


def written_attributes(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Assign(targets=targets):
            yield from (
                one.attr for target in targets for one in ast.walk(target) if isinstance(one, ast.Attribute)
            )
        case ast.AugAssign(target=ast.Attribute(attr=name)):
            yield name
        case ast.AnnAssign(target=ast.Attribute(attr=name), value=ast.expr()):
            yield name
        case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value=str(name)), *_]):
            yield name
        case ast.Call(func=ast.Attribute(attr="update" | "create" | "update_or_create"), keywords=keywords):
            yield from (keyword.arg for keyword in keywords if keyword.arg)


def status_writers(tree: ast.AST) -> list[int]:
    return [node.lineno for node in ast.walk(tree) if "status" in written_attributes(node)]


def test_only_the_lifecycle_writes_a_status() -> None:
    writers = {module for module, tree in MODULES.items() if status_writers(tree)}

    assert writers == {"yao_tasks.core.lifecycle"}


@pytest.mark.parametrize(
    "line",
    [
        "job.status = 1",
        "job.status += 1",
        "a, job.status = b",
        "setattr(job, 'status', 1)",
        "rows.update(status=1)",
    ],
)
def test_each_way_to_write_a_status_is_seen(line: str) -> None:
    assert status_writers(ast.parse(line)) == [1]


# What can hand the GIL over, start a garbage collection, or run foreign code.
FOREIGN = (
    ast.Call,
    ast.For,
    ast.While,
    ast.With,
    ast.comprehension,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.Tuple,
    ast.JoinedStr,
    ast.Raise,
    ast.Yield,
    ast.Await,
    ast.Lambda,
    ast.Import,
)


def calls_under_lock(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and ast.unparse(node.items[0].context_expr).split(".")[-1] == "lock":
            inside = [one for line in node.body for one in ast.walk(line) if isinstance(one, FOREIGN)]
            found += [
                f"{one.lineno}: {ast.unparse(one)}"
                for one in inside
                if not isinstance(one, ast.comprehension)
            ]
    return found


def test_nothing_is_called_inside_a_pools_lock() -> None:
    found = {module: lines for module, tree in MODULES.items() if (lines := calls_under_lock(tree))}

    assert found == {}
    assert sum("with self.lock" in path.read_text() or "with lock" in path.read_text() for path in FILES) >= 3


@pytest.mark.parametrize(
    "line", ["d.pop(1)", "x = (a, b)", "d = {}", "raise E", "for a in b: pass", "f'{a}'"]
)
def test_each_thing_that_a_lock_may_not_hold_is_seen(line: str) -> None:
    assert calls_under_lock(ast.parse(f"with self.lock:\n    {line}"))


# The life of a job is written once, in one place: that outranks its length.
LONG = {"yao_tasks.core.lifecycle": 560}


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {module_of(path): path.read_text(encoding="utf-8").count("\n") for path in FILES}

    assert {module: length for module, length in lengths.items() if length > LONG.get(module, 300)} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    functions = [
        (module, node.name, (node.end_lineno or 0) - node.lineno + 1)
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert [one for one in functions if one[2] > 40] == []
