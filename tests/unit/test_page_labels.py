"""Every label of the page is there in both languages, and each is used."""

import json
import re
from pathlib import Path

import pytest

from weixin_etl.model import Coverage, State
from weixin_etl.trouble.days import ending

STATIC = Path(__file__).parents[2] / "plugins/weixin_etl/orchestration/page/static"
TEXT = (STATIC / "labels.json").read_text()
LABELS: dict[str, dict[str, str]] = json.loads(TEXT)
SCRIPTS = "".join(path.read_text() for path in STATIC.glob("*.js"))
TEMPLATE = (STATIC / "page.html").read_text()
MADE_OF_PARTS = (
    "view_",
    "state_",
    "means_",
    "field_",
    "ending_",
    "run_",
    "type_",
    "cause_",
    "kind_",
)
"""Labels whose names the scripts put together."""


def places(label: str) -> set[str]:
    """What is filled in."""
    return set(re.findall(r"\{\w+\}", label))


def test_both_languages_have_the_same_labels_with_the_same_places() -> None:
    """A label that one lacks would stop the page there."""
    english, chinese = LABELS["en"], LABELS["zh-CN"]

    assert len(english) > 100
    assert chinese.keys() == english.keys()
    assert [it for it in english if places(english[it]) != places(chinese[it])] == []
    assert [it for it in chinese if not re.search(r"[\u4e00-\u9fff{]", chinese[it])] == []


def test_no_label_is_given_twice() -> None:
    """The second would stand where the first is meant."""
    languages = json.loads(TEXT, object_pairs_hook=list)

    for language, labels in languages:
        assert len(labels) == len(LABELS[language])


def test_every_label_that_is_named_is_there_and_every_label_is_named() -> None:
    """By the scripts, or by the template; `…_one` with the label whose count is one."""
    named = set(re.findall(r'\bt\("(\w+)"', SCRIPTS)) | set(re.findall(r"label\.(\w+)", TEMPLATE))
    unused = [
        name
        for name in {it.removesuffix("_one") for it in LABELS["en"]} - named
        if not name.startswith(MADE_OF_PARTS) and f'"{name}"' not in SCRIPTS
    ]

    assert len(named) > 50
    assert named - LABELS["en"].keys() == set()
    assert unused == []


@pytest.mark.parametrize("state", [*State, None])
def test_every_state_of_a_day_has_its_name_meaning_and_colour(state: State | None) -> None:
    """In the legend, and in a day's story."""
    name = state or "none"

    assert {f"state_{name}", f"means_{name}"} <= LABELS["en"].keys()
    assert f".cell.{name} {{" in (STATIC / "page.css").read_text()


def test_the_chinese_words_are_those_of_the_views() -> None:
    """One list for the page and analytics.coverage: docs and messages say them too."""
    words = {state: LABELS["zh-CN"][f"state_{state}"] for state in State}

    assert words == {
        State.FINAL: "已定稿",
        State.GIVEN_UP: "无法解析",
        State.LOST: "已错过",
        State.SILENT: "静候",
        State.UNCONFIRMED: "待核实",
        State.IN: "已到位",
        State.LATE: "迟到",
        State.OPEN: "待取",
    }


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (None, None),
        (Coverage(), "ok"),
        (Coverage(error_kind="not_ready"), "not_ready"),
        (Coverage(error_kind="offline"), "failed"),
    ],
)
def test_every_ending_of_an_attempt_has_its_name(
    pair: Coverage | None, expected: str | None
) -> None:
    """Beside the state, and never in place of it."""
    assert ending(pair) == expected
    assert expected is None or f"ending_{expected}" in LABELS["en"]
