"""
Hypothesis strategies for malformed answers of WeChat's statistics endpoints.

Tests of the parser and of the load draw answers from `answers()` and turn them into bytes with
`written()`.
"""

import json
import re
from datetime import date, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from weixin_etl.datasets import Dataset, Kind

no_deadline = settings(deadline=None)
"""Settings for a property whose examples may take any time: the machine may be slow."""

DAY = date(2026, 11, 17)
"""The publication day of the request."""
MARK = "\ue000"
"""The character before and after a text that `written` copies into the JSON without quotes."""
ANY_TEXT = st.text(st.characters(exclude_categories=(), exclude_characters=MARK), max_size=20)
"""Any text, including lone surrogates and U+0000."""
ODD_NUMBERS = st.sampled_from(
    ["1e9999999999999999999", "-1E+400", "1e-99999999999999999999", "0.00", "9" * 5000, "1.0e3"]
).map(lambda digits: f"{MARK}{digits}{MARK}")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | ODD_NUMBERS
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner), max_leaves=20
)
DATES = st.dates(DAY, DAY + timedelta(days=3)).map(date.isoformat)
ODD_DATES = st.sampled_from(["2026-11-16", "9999-12-31"])
"""Dates before the publication day and after any answer."""
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.COUNT: st.integers(0, 9) | st.just(3.0),
    Kind.RATE: st.floats(0, 1) | st.integers(0, 9),
    Kind.LIST: st.lists(ANY_JSON, max_size=2),
}


def often(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy that draws from `good` two times of three, and otherwise any JSON."""
    return st.one_of(good, good, ANY_JSON)


def answers(dataset: Dataset) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for answers of a dataset's endpoint, any part of which may be malformed."""
    row = st.fixed_dictionaries(
        {"stat_date": often(DATES | ODD_DATES)},
        optional={metric.name: often(VALUES[metric.kind]) for metric in dataset.metrics},
    )
    rows = st.builds(
        lambda unknown, known: unknown | known, st.dictionaries(ANY_TEXT, ANY_JSON, max_size=2), row
    )
    items = st.fixed_dictionaries(
        {
            "ref_date": often(st.just(DAY.isoformat())),
            "msgid": often(st.sampled_from(["1_1", "1_2", "1\0_1", "1" * 3000 + "_1"])),
            dataset.rows_key: often(st.lists(often(rows), max_size=4)),
        },
        optional={"title": often(ANY_TEXT), "user_source": often(st.integers(0, 1)), "x": ANY_JSON},
    )
    return st.fixed_dictionaries(
        {"list": st.lists(often(items), max_size=5)}, optional={"is_delay": ANY_JSON, "y": ANY_JSON}
    )


def written(answer: Any) -> bytes:
    """Return the JSON of an answer, including numbers that no Python value represents."""
    return re.sub(r'"\\ue000([^"]*)\\ue000"', r"\1", json.dumps(answer)).encode()
