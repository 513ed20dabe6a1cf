"""简体中文 is complete: what the code marks for translation is in the .po file, and what is there is in the .mo."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation.template import templatize

import yao_tasks
from tests.conftest import Site
from tests.django.dashboard import added, operator

PACKAGE = Path(yao_tasks.__file__).parent
CATALOG = PACKAGE / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w+\}|</?code>")


def marked_in_python(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        # What is looked up in a variable is marked elsewhere, by gettext_noop.
        if (
            isinstance(node, ast.Call)
            and _name(node.func) in MARKS
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value)


def _name(function: ast.expr) -> str:
    return str(getattr(function, "id", "") or getattr(function, "attr", ""))


def marked_in_template(path: Path) -> Iterator[str]:
    # Django's own step before gettext reads a template: what is marked becomes _('…') or gettext(u'…').
    source = templatize(path.read_text(encoding="utf-8"), origin=str(path))
    for literal in re.findall(rf"(?:\b_|gettext)\(u?({STRING})", source):
        yield ast.literal_eval(literal)


def catalog() -> dict[str, str]:
    """The .po file: message -> translation, the header left out. Plural forms: Chinese has one."""
    found: dict[str, str] = {}
    for block in CATALOG.read_text(encoding="utf-8").split("\n\n")[1:]:
        parts = re.findall(rf"^(msgid|msgid_plural|msgstr|msgstr\[0\]) ({STRING})$", block, re.MULTILINE)
        texts = {key: ast.literal_eval(text) for key, text in parts}
        found[texts["msgid"]] = texts.get("msgstr", "") or texts.get("msgstr[0]", "")
    return found


def marked() -> set[str]:
    python = [text for path in PACKAGE.rglob("*.py") for text in marked_in_python(path)]
    pages = [text for path in PACKAGE.rglob("templates/**/*.html") for text in marked_in_template(path)]
    assert len(python) > 10
    assert len(pages) > 10
    return {*python, *pages}


def test_every_marked_text_is_in_the_catalog_and_nothing_else() -> None:
    assert set(catalog()) == marked()


def test_every_text_is_translated_for_sure() -> None:
    untranslated = [text for text, translation in catalog().items() if not translation]

    assert untranslated == []
    assert "fuzzy" not in CATALOG.read_text(encoding="utf-8")


def test_each_translation_has_the_same_placeholders() -> None:
    # One test for all of them: a test each, with what is set up and looked after for it, took longer than all of these.
    differing = [
        text
        for text, translation in catalog().items()
        if sorted(PLACEHOLDER.findall(translation)) != sorted(PLACEHOLDER.findall(text))
    ]

    assert differing == []


def test_the_compiled_catalog_is_up_to_date() -> None:
    with CATALOG.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)

    texts: dict[Any, str] = dict(compiled._catalog)  # type: ignore[attr-defined]
    # A message with a plural stands under both numbers' texts.
    compiled_texts = {key if isinstance(key, str) else key[0]: text for key, text in texts.items() if key}
    assert compiled_texts == catalog()


@pytest.mark.django_db
def test_the_page_speaks_chinese_to_those_who_do(site: Site) -> None:
    gate = site.gate()
    pool = site.task("mail", gate)
    job_id = added(pool)
    gate.entered()
    client = operator()

    text = client.get("/admin/yao_tasks/dashboard/", headers={"accept-language": "zh-hans"}).content.decode()
    done = client.post(
        f"/admin/yao_tasks/dashboard/mail/{job_id}/cancel/",
        headers={"accept-language": "zh-hans"},
        follow=True,
    )

    assert "运行中" in text
    assert "任务池" in text
    assert f"已取消 mail 的作业 {job_id}。" in done.content.decode()
