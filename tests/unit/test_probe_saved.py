"""What a probe saves shows the shapes of answers, and nothing of the account."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from weixin_etl import json_text
from weixin_etl.datasets import DATASETS
from weixin_etl.probe.saved import SavedAnswer, replace_all
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox
from weixin_sandbox.reported import Reported

TODAY = date(2026, 11, 24)
KEYS = st.sampled_from(["list", "title", "url", "msgid", "ref_date", "share_user", "errmsg"])
NUMBERS = (
    st.integers(-(10**20), 10**20)
    | st.integers(0, 9)
    | st.decimals(0, 10**6, places=7)
    | st.decimals(0, 1, places=4)
)
TEXTS = (
    st.text()
    | st.from_regex(r"[0-9]{10}_[1-8]", fullmatch=True)
    | st.from_regex(r"https?://[a-z.]{1,20}/s\?__biz=[A-Za-z0-9]{1,20}==#rd", fullmatch=True)
    | st.dates().map(str)
    | st.text("0123456789-. ", max_size=12)
)
ANSWERS = st.lists(
    st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXTS,
        lambda inner: st.lists(inner) | st.dictionaries(KEYS | st.text(min_size=1), inner),
        max_leaves=12,
    ),
    max_size=3,
)


def scalars(value: Any) -> Iterator[Any]:
    """The values of an answer, and the names in it that are no keys of WeChat's."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not re.fullmatch("[A-Za-z_]+[0-9]?", name):
                yield name
            yield from scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scalars(inner)
    elif value is not None and not isinstance(value, bool):
        yield value


def shape(value: Any) -> Any:
    """Types and lengths of lists; of whole numbers how many digits they have."""
    if isinstance(value, dict):
        return [shape(inner) for inner in value.values()]
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    if type(value) is int:
        return value < 0, len(str(value))
    return "number" if isinstance(value, Decimal) else type(value)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(ANSWERS)
@example([[*range(1000, 10_000, 10)]])
@example(["0.0.0"])
@example([{"AAA0": None, "AAAA٣": None}])
def test_nothing_of_an_answer_is_found_in_what_is_saved(bodies: list[Any]) -> None:
    """No value of more than three characters, as it is written, in any value that is saved."""
    replaced, _, _ = replace_all(bodies)

    told = [str(it) for it in scalars(bodies) if str(it).lower() not in ("true", "false")]
    written = "\ue000\ue001".join(str(it) for it in scalars(replaced))
    assert [it for it in told if len(it) > 3 and it in written] == []


def test_a_saved_answer_has_the_shape_of_the_original() -> None:
    """Types, lengths, digits and scenes stay; equal things stay equal, and days apart."""
    sandbox = Sandbox(today=TODAY)
    days = [date(2026, 11, 16), date(2026, 11, 23)]
    bodies = [
        json_text.decode(sandbox.answer(DEFAULT_ACCOUNT.appid, day, TODAY, dataset.endpoint))
        for dataset in DATASETS.values()
        for day in days
    ]

    replaced, shift, keys = replace_all(bodies)

    assert len([*scalars(bodies)]) > 4000
    by_original: dict[str, set[str]] = {}
    for before, after in zip(scalars(bodies), scalars(replaced), strict=True):
        by_original.setdefault(str(before), set()).add(str(after))
    assert [it for it, those in by_original.items() if len(those) > 1] == []
    assert {"msgid", "title", "url", "stat_date", "share_user"} <= {*keys}
    assert "scene_desc" not in keys
    assert [shape(it) for it in replaced[:2]] == [shape(it) for it in bodies[:2]]
    assert by_original["2026-11-23"] == {str(date(2026, 11, 23) + shift)}
    assert by_original["全部"] == {"全部"}


def test_a_text_that_only_looks_like_a_date_stays() -> None:
    """What replaces a title such as 2024-13-45 need not be a day."""
    saved = SavedAnswer(
        account="account 1",
        dataset="article_total",
        asked_on=date(2001, 12, 29),
        publication_date=date(2001, 12, 28),
        body={"title": "4131-72-51", "ref_date": "2001-12-28"},
    )

    answer = Reported([saved]).answer(
        "account 1", "getarticletotal", date(2026, 11, 23), date(2026, 11, 24)
    )

    assert answer is not None
    assert json_text.decode(answer.body) == {"title": "4131-72-51", "ref_date": "2026-11-23"}


def test_nobody_can_move_the_days_back() -> None:
    """They are moved by another distance each time."""
    assert len({replace_all([{"ref_date": "2026-11-24"}])[1] for _ in range(20)}) > 1


def test_days_stay_days_beside_figures_that_could_be_years() -> None:
    """A figure of 2001 must not turn days into digits that are none."""
    (replaced,), shift, _ = replace_all([{"ref_date": "2026-11-24", "share_user": 2001}])

    assert replaced["ref_date"] == str(date(2026, 11, 24) + shift)
