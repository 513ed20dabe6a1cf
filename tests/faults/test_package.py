"""What the package's source must not hold."""

import ast
from pathlib import Path

import pytest

import yao_tasks

SOURCE = sorted(Path(yao_tasks.__file__).parent.rglob("*.py"))

# What makes code, or objects of any class, out of data.
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "yaml", "jsonpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}


def makes_code_of_data(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(name.name.partition(".")[0] in FORBIDDEN_MODULES for name in names)
        case ast.ImportFrom(module=str(module)):
            return module.partition(".")[0] in FORBIDDEN_MODULES
        case ast.Call(func=ast.Name(id=name)):
            return name in FORBIDDEN_CALLS
        case ast.Attribute(value=ast.Name(id=name)):
            return name in FORBIDDEN_MODULES
    return False


def test_no_file_makes_code_or_objects_out_of_data() -> None:
    """S10."""
    found = [
        f"{path}:{node.lineno}"  # type: ignore[attr-defined]
        for path in SOURCE
        for node in ast.walk(ast.parse(path.read_text()))
        if makes_code_of_data(node)
    ]

    assert len(SOURCE) > 100
    assert found == []


@pytest.mark.parametrize(
    "line",
    ["import pickle", "from yaml import load", "eval('1')", "marshal.loads(b'')", "import shelve as s"],
)
def test_the_look_would_find_it(line: str) -> None:
    assert any(makes_code_of_data(node) for node in ast.walk(ast.parse(line)))
