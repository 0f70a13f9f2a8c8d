"""The Chinese pages say what the English ones say: the same commands, names, figures, results."""

import hashlib
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.zh-CN.md"), *ROOT.glob("docs/**/*.zh-CN.md")]
MARK = re.compile(
    r"(?<=^<!-- )translated from (?P<english>\S+?)(?: up to (?P<end>## .+?))?, sha256 (?P<sum>\w+)"
    r"(?= -->$)",
    re.MULTILINE,
)
"""Which English page, or how much of it, a Chinese page translates."""
GENERATED = re.compile(r"<!-- errors: .*?<!-- end of errors -->", re.DOTALL)
"""The table of errors: tests/health/test_error_table.py compares it with the errors, in both."""
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"\w*[A-Za-z]\w*_\w+", re.ASCII)
FIGURE = re.compile(r"\d+(?:[:,.]\d+)*")

of_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def mark(page: Path) -> re.Match[str]:
    """What a Chinese page says of its source."""
    (found,) = MARK.finditer(page.read_text())
    return found


def source(page: Path) -> str:
    """The English text that a Chinese page translates."""
    text = (ROOT / mark(page)["english"]).read_text()
    end = mark(page)["end"]
    if end:
        text, found, _ = text.partition(f"\n{end}\n")
        assert found, f"{page.name}: there is no heading {end} any more"
    return GENERATED.sub("", text)


@of_each_page
def test_a_page_and_its_translation_link_to_each_other(page: Path) -> None:
    """In their first lines."""
    english = ROOT / mark(page)["english"]

    assert english.parent == page.parent
    assert english.read_text().startswith(f"English | [中文]({page.name})\n")
    assert page.read_text().startswith(f"[English]({english.name}) | 中文\n")


@of_each_page
def test_what_is_typed_named_or_counted_is_the_same(page: Path) -> None:
    """Each block, command, name and figure of a Chinese page is in the English text."""
    english, chinese = source(page), GENERATED.sub("", MARK.sub("", page.read_text()))
    prose = re.sub(r"\]\([^)]*\)", "]", CODE.sub("", chinese))

    assert [code for code in CODE.findall(chinese) if code.strip("`") not in english] == []
    assert [name for name in NAME.findall(prose) if name not in english] == []
    assert set(FIGURE.findall(prose)) <= set(FIGURE.findall(english))


@of_each_page
def test_a_translation_is_as_new_as_its_source(page: Path) -> None:
    """It bears the checksum of the English text; UPDATE_DOCS=1 writes the new one."""
    checksum = hashlib.sha256(source(page).encode()).hexdigest()
    known = mark(page)
    if os.environ.get("UPDATE_DOCS"):
        first, last = known.span("sum")
        page.write_text(known.string[:first] + checksum + known.string[last:])
        known = mark(page)

    assert known["sum"] == checksum, (
        f"{known['english']} has changed since {page.relative_to(ROOT)} was translated: put the "
        "change into Chinese, then UPDATE_DOCS=1 .venv/bin/pytest tests/unit/test_chinese_pages.py "
        "writes the new mark"
    )
