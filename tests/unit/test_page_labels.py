"""Every label of the page is there in both languages, and each is used."""

import re
from pathlib import Path

import pytest

from weixin_etl.model import State
from weixin_etl.orchestration.web.page import app as html
from weixin_etl.orchestration.web.page.calendar import sign

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
    assert [it for it, texts in labels.items() if len(texts) != len(html.LANGUAGES)] == []
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
    shown = sign({"state": state, "last_attempt": None, "error_code": None})

    names = {f"state_{state}", f"means_{state}", f"sign_{shown}", f"sign_means_{shown}"}
    assert names <= html.labels().keys()
    assert f".{shown} {{" in (PAGE / "static/page.css").read_text()


@pytest.mark.parametrize(
    ("state", "last_attempt", "error_code", "expected"),
    [
        ("final", "failed", 40125, "final"),
        ("in", "failed", 40125, "in"),
        ("unconfirmed", None, None, "in"),
        ("open", "failed", 40125, "not_yet"),
        ("late", None, None, "not_yet"),
        ("late", "not_ready", None, "not_yet"),
        ("late", "failed", 40125, "needs_you"),
        ("late", "failed", 47009, "not_yet"),
        ("silent", None, None, "not_yet"),
        ("lost", None, None, "needs_you"),
        ("given_up", "failed", None, "needs_you"),
    ],
)
def test_a_day_needs_somebody_only_if_it_does_not_come_by_itself(
    state: str, last_attempt: str | None, error_code: int | None, expected: str
) -> None:
    """What we have comes first; WeChat's lateness and a retired endpoint need nobody."""
    day = {"state": state, "last_attempt": last_attempt, "error_code": error_code}

    assert sign(day) == expected


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
