"""Tests that the Chinese pages contain only commands, names and figures of the English pages."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.zh-CN.md"), *ROOT.glob("docs/**/*.zh-CN.md")]
MARK = re.compile(r"<!-- translated from (\S+?)(?: up to (## .+?))? -->\n")
"""The comment that names the English page, and the heading up to which it is translated."""
GENERATED = re.compile(r"<!-- what turns a run red -->.*?<!-- end of errors -->", re.DOTALL)
"""The table of errors, which tests/health/test_error_table.py compares in both languages."""
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"\w*[A-Za-z]\w*_\w+", re.ASCII)
FIGURE = re.compile(r"\d+(?:[:,.]\d+)*")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_chinese_page_has_only_commands_names_and_figures_of_the_english_page(page: Path) -> None:
    """Each page links to the other."""
    text = page.read_text()
    ((source, end),) = MARK.findall(text)
    english = ROOT / source
    whole = english.read_text()
    translated, found, _ = whole.partition(f"\n{end}\n" if end else "\x00")
    translated, chinese = GENERATED.sub("", translated), GENERATED.sub("", MARK.sub("", text))
    prose = re.sub(r"\]\([^)]*\)", "]", CODE.sub("", chinese))

    assert bool(found) == bool(end), f"there is no heading {end} any more"
    assert english.parent == page.parent
    assert whole.startswith(f"English | [中文]({page.name})\n")
    assert text.startswith(f"[English]({english.name}) | 中文\n")
    assert [code for code in CODE.findall(chinese) if code.strip("`") not in translated] == []
    assert [name for name in NAME.findall(prose) if name not in translated] == []
    assert set(FIGURE.findall(prose)) <= set(FIGURE.findall(translated))
