"""The documentation says what the code does: names, ranges, defaults, examples; and its links lead somewhere."""

import ast
import dataclasses
import importlib
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.core.management import get_commands

import yao_tasks
from tests.conftest import Site
from tests.docs.markdown import PAGES, ROOT, anchors, blocks, headings, links, read, section
from tests.test_architecture import LAYERS
from yao_tasks import conf, errors, testing
from yao_tasks.core import definitions, diary
from yao_tasks.core.current import CurrentJob
from yao_tasks.core.jobs import JobInfo
from yao_tasks.core.keys import Key
from yao_tasks.dashboard import finding
from yao_tasks.models import Dashboard
from yao_tasks.pools import Pool

DOCS = ROOT / "docs"
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
BY_NAME = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def built(keys: dict[str, Key]) -> list[Key]:
    """The keys of which this version can do more than the default."""
    return [key for key in keys.values() if key.built is None or any(key.built)]


def public(cls: type) -> list[str]:
    """The attributes of a class that a project may use."""
    return [name for name in dir(cls) if not name.startswith("_")]


def row(page: str, name: str) -> str:
    """The line of a table that begins with the name."""
    (line,) = re.findall(rf"^\| `{re.escape(name)}` \|.*$", read(DOCS / page), re.M)
    return str(line)


def not_named(page: str, names: Iterable[str]) -> list[str]:
    """Those that no piece of code in the page's text names."""
    code = "\n".join(re.findall(r"`([^`\n]+)`", read(DOCS / page)))
    return [name for name in names if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", code)]


# Links


@BY_NAME
def test_each_link_and_picture_leads_somewhere(page: Path) -> None:
    lost = []
    for link in links(read(page)):
        if not link.startswith("http"):
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            if not target.exists() or (anchor and anchor not in anchors(read(target))):
                lost.append(link)

    assert lost == []


def test_the_index_names_each_page() -> None:
    named = set(links(read(DOCS / "index.md")))

    assert {page.name for page in DOCS.glob("*.md")} - named == {"index.md"}


# Names, ranges, defaults


@pytest.mark.parametrize("key", built(definitions.KEYS), ids=lambda key: key.name)
def test_each_key_of_a_definition_stands_in_the_table_with_its_range(key: Key) -> None:
    line = row("definitions.md", key.name)

    assert [number for number in re.findall(r"\d[\d,]*", key.kind.wanted) if number not in line] == []
    assert ("| yes |" in line) is key.required
    if isinstance(key.default, str):
        assert f'"{key.default}"' in line
    if key.built:
        assert [value for value in key.built if f'"{value}"' not in line] == []


def test_each_event_is_told_of() -> None:
    for event in definitions.EVENTS:
        assert row("definitions.md", f"event.{event}")


@pytest.mark.parametrize("key", built(conf.KEYS), ids=lambda key: key.name)
def test_each_setting_stands_in_the_table_with_its_default(key: Key) -> None:
    line = row("python.md", key.name)

    if isinstance(key.default, str):
        assert f'"{key.default}"' in line
    elif isinstance(key.default, int | float):
        assert f"| {key.default:,.0f} |" in line


@pytest.mark.parametrize("keys", [definitions.KEYS, conf.KEYS], ids=["definitions", "settings"])
def test_what_is_not_built_stands_in_no_table(keys: dict[str, Key]) -> None:
    later = {key.name for key in keys.values()} - {key.name for key in built(keys)}
    page = "definitions.md" if keys is definitions.KEYS else "python.md"

    told = [name for name in later if re.search(rf"^\| `{name}` \|", read(DOCS / page), re.M)]

    assert told == []


def test_each_public_name_is_told_of() -> None:
    info = [field.name for field in dataclasses.fields(JobInfo) if not field.name.startswith("_")]

    assert not_named("python.md", yao_tasks.__all__) == []
    assert not_named("python.md", errors.__all__) == []
    assert not_named("python.md", [f"pool.{name}" for name in public(Pool)]) == []
    assert not_named("python.md", [f"job.{name}" for name in public(CurrentJob)]) == []
    assert not_named("python.md", {*info, *public(JobInfo)}) == []
    kit = [
        f"jobs.{name}" for name in public(testing.CapturedTasks) if name not in ("collect", "count", "index")
    ]
    assert not_named("testing.md", [*testing.__all__, *kit]) == []
    assert not_named("testing.md", [field.name for field in dataclasses.fields(testing.CapturedJob)]) == []


def test_each_number_of_a_pool_is_told_of_with_its_parts(site: Site) -> None:
    pool = site.task("job", lambda job_id: None, worker_max=4)
    numbers = pool.metrics()
    parts = {part for value in numbers.values() if isinstance(value, dict) for part in value}

    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| [^|]+ \|$", read(DOCS / "metrics.md"), re.M)

    assert sorted(rows) == sorted(numbers)
    assert not_named("metrics.md", parts | set(numbers["minutes"][0])) == []


def test_the_dashboards_page_names_its_bounds_and_permissions() -> None:
    page = read(DOCS / "dashboard.md")
    bounds = [
        finding.ROUND,
        finding.MOST,
        finding.PER_PAGE * finding.MERGED_PAGES,
        diary.LINES,
        diary.ATTEMPTS,
    ]

    assert [bound for bound in bounds if f"{bound:,}" not in page] == []
    assert f"{diary.MOST // 2**20} MiB" in page
    assert [name for name, _ in Dashboard._meta.permissions if f"`yao_tasks.{name}`" not in page] == []


def test_contributing_lists_the_layers_that_imports_go_down() -> None:
    items = re.findall(r"^\d+\. (.+)$", section(read(ROOT / "CONTRIBUTING.md"), "Architecture"), re.M)

    assert len(items) == len(LAYERS)
    for item, layer in zip(items, LAYERS, strict=True):
        assert [name for name in layer if f"`{name.removeprefix('yao_tasks.')}`" not in item] == []


# Examples


@BY_NAME
def test_each_example_in_python_can_be_read_and_imports_what_exists(page: Path) -> None:
    for block in blocks(read(page)):
        if block.language == "python":
            for node in ast.walk(ast.parse(block.text)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("yao_tasks"):
                    module = importlib.import_module(str(node.module))
                    assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "checks.md"], ids=lambda p: p.name)
def test_each_definition_in_an_example_is_a_good_one(page: Path) -> None:
    for block in blocks(read(page)):
        if block.language == "jsonc":
            path = Path(block.file or "example.yao")
            definition, faults = definitions.read(block.text, path, "example", lambda name, cast: cast("4"))
            assert faults == []
            assert definition is not None


@BY_NAME
def test_each_command_in_an_example_exists(page: Path) -> None:
    commands = [command for block in blocks(read(page)) for command in block.commands]
    ours = [command.split()[2] for command in commands if command.startswith("python manage.py")]

    targets = [command.split()[1] for command in commands if command.startswith("make ")]

    assert [name for name in ours if name not in get_commands() and name != "demo"] == []
    assert [name for name in targets if f"\n{name}:" not in read(ROOT / "Makefile")] == []


# Two languages


def bare(code: str) -> str:
    """Code without its comments: these are translated."""
    return "\n".join(re.sub(r"\s*(// |# ).*$", "", line) for line in code.splitlines())


def test_the_chinese_readme_has_the_same_headings_code_and_links() -> None:
    english, chinese = read(ENGLISH), read(CHINESE)

    assert [level for level, _ in headings(chinese)] == [level for level, _ in headings(english)]
    assert [(one.language, bare(one.text)) for one in blocks(chinese)] == [
        (one.language, bare(one.text)) for one in blocks(english)
    ]
    assert CHINESE.name in set(links(english))
    assert ENGLISH.name in set(links(chinese))
    assert same_links(chinese) == same_links(english)


def same_links(text: str) -> list[str]:
    """Where links lead, but for the one from each language to the other."""
    return [link for link in links(text) if link not in (ENGLISH.name, CHINESE.name)]
