"""Every label of the page is there in both languages, and each is used."""

import re
from pathlib import Path

import pytest

from weixin_etl.health.days import ending
from weixin_etl.model import Coverage, State
from weixin_etl.orchestration.web.page import html
from weixin_etl.orchestration.web.page.calendar import Sign, sign
from weixin_etl.orchestration.web.page.reader import LANGUAGES, preferred_language

PAGE = Path(html.__file__).parent
TEMPLATES = "".join(path.read_text() for path in (PAGE / "templates").iterdir())
MADE_OF_PARTS = ("view_", "state_", "means_", "sign_", "ending_")
"""Labels whose names the templates put together."""


def places(label: str) -> set[str]:
    """What is filled in."""
    return set(re.findall(r"\{\w+\}", label))


def test_both_languages_have_each_label_with_the_same_places() -> None:
    """A label that one lacks would stop the page there."""
    labels = html.labels()

    assert len(labels) > 90
    assert [it for it, texts in labels.items() if len(texts) != len(LANGUAGES)] == []
    assert [it for it, (en, zh) in labels.items() if places(en) != places(zh)] == []
    assert [zh for _, zh in labels.values() if not re.search(r"[\u4e00-\u9fff{]", zh)] == []


def test_every_label_that_is_named_is_there_and_every_label_is_named() -> None:
    """`…_one` with the label whose count is one."""
    labels = html.labels()
    named = set(re.findall(r'\bt\("(\w+)"[,)]', TEMPLATES))
    quoted = set(re.findall(r'"(\w+)"', TEMPLATES))
    unused = [
        name
        for name in {it.removesuffix("_one") for it in labels} - quoted
        if not name.startswith(MADE_OF_PARTS)
    ]

    assert len(named) > 50
    assert named - labels.keys() == set()
    assert unused == []


@pytest.mark.parametrize("state", State)
def test_every_state_and_sign_of_a_day_has_its_name_meaning_and_colour(state: State) -> None:
    """In the legend, and in a day's story."""
    shown = sign(state, None)

    names = {f"state_{state}", f"means_{state}", f"sign_{shown}", f"sign_means_{shown}"}
    assert names <= html.labels().keys()
    assert f".{shown} {{" in (PAGE / "static/page.css").read_text()


@pytest.mark.parametrize(
    ("kind", "expected"), [(None, "ok"), ("not_ready", "not_ready"), ("offline", "failed")]
)
def test_every_ending_of_an_attempt_has_its_name(kind: str | None, expected: str) -> None:
    """Beside the state, and never in place of it."""
    assert ending(Coverage(error_kind=kind)) == expected
    assert f"ending_{expected}" in html.labels()


REFUSED = Coverage(error_kind="configuration", error_code=40125)


@pytest.mark.parametrize(
    ("state", "pair", "expected"),
    [
        (State.FINAL, REFUSED, Sign.FINAL),
        (State.IN, REFUSED, Sign.IN),
        (State.UNCONFIRMED, None, Sign.IN),
        (State.OPEN, REFUSED, Sign.NOT_YET),
        (State.LATE, None, Sign.NOT_YET),
        (State.LATE, Coverage(error_kind="not_ready"), Sign.NOT_YET),
        (State.LATE, REFUSED, Sign.NEEDS_YOU),
        (State.LATE, Coverage(error_kind="endpoint_offline", error_code=47009), Sign.NOT_YET),
        (State.SILENT, None, Sign.NOT_YET),
        (State.LOST, None, Sign.NEEDS_YOU),
        (State.GIVEN_UP, None, Sign.NEEDS_YOU),
    ],
)
def test_a_day_needs_somebody_only_if_it_does_not_come_by_itself(
    state: State, pair: Coverage | None, expected: Sign
) -> None:
    """What we have comes first; WeChat's lateness and a retired endpoint need nobody."""
    assert sign(state, pair) is expected


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("de, en;q=0.5, zh;q=0.7", "zh-CN"),
        ("zh;q=odd, en-GB", "en"),
    ],
)
def test_the_language_is_the_first_that_the_page_speaks(header: str, language: str) -> None:
    """By the browser's preferences; English for others."""
    assert preferred_language(header) == language


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the AppSecret is wrong", "The AppSecret is wrong"),
        ("nothing: it is stored", "Nothing: it is stored"),
        ("http://example.com answers 502", "http://example.com answers 502"),
        ("share_user is a text", "share_user is a text"),
    ],
)
def test_a_sentence_begins_with_a_capital_a_name_does_not(text: str, shown: str) -> None:
    """Names and addresses are copied and searched for."""
    assert html.sentence(text) == shown


def test_a_line_has_its_points_where_its_days_and_figures_are() -> None:
    """The most on top, nothing at the bottom; a day without a figure has no point."""
    assert html.points([(1, 0), (3, 50), (5, 200)], 100, 20, 5) == [
        *("0.0,20.0", "50.0,15.0", "100.0,0.0"),
    ]
    assert html.points([(1, 0)], 100, 20, 1) == ["0.0,20.0"]
