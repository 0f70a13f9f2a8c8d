"""What `weixin_etl.datasets` says to analysts, and that every view takes it from there."""

import itertools
import re
from itertools import pairwise

import pytest

from weixin_etl.datasets import ARTICLE_DATASETS, ARTICLE_TOTAL, COMMON, Dataset
from weixin_etl.warehouse.views import View, views

METRICS = [(dataset, metric) for dataset in ARTICLE_DATASETS.values() for metric in dataset.metrics]
COLUMNS = {view.name: list(view.columns) for view in views()}
EACH_DATASET = pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=lambda it: it.name)


@EACH_DATASET
def test_the_views_have_every_metric(dataset: Dataset) -> None:
    """In the articles' days, the articles and the accounts' days; an increment says so."""
    increments = {f"{metric.common or metric.name}_increment" for metric in dataset.wholes}
    article_day = {*COLUMNS[f"article_day{dataset.suffix}"]}
    account_day = {*COLUMNS[f"account_day{dataset.suffix}"]}
    article = {*COLUMNS[f"article{dataset.suffix}"]}

    assert {metric.name for metric in dataset.metrics} | increments <= article_day
    assert {metric.name for metric in dataset.figures} <= article
    assert increments <= account_day
    assert account_day & {metric.name for metric in dataset.metrics} == set()


@EACH_DATASET
def test_a_query_is_moved_by_its_suffix(dataset: Dataset) -> None:
    """Every view of an endpoint has the common names, also those that it does not count."""
    names = {it.name for it in COMMON}
    increments = {f"{name}_increment" for name in names}

    assert {it.name for it in ARTICLE_TOTAL.common if it.metric} == names
    assert names <= {*COLUMNS[f"article{dataset.suffix}"]}
    assert names | increments <= {*COLUMNS[f"article_day{dataset.suffix}"]}
    assert increments <= {*COLUMNS[f"account_day{dataset.suffix}"]}


def test_no_plain_name_belongs_to_one_endpoint() -> None:
    """A query without a suffix fails rather than leave accounts out; `account_day` has them all."""
    of_one = {name.removesuffix(end) for name in COLUMNS for end in ("_7d", "_30d") if end in name}

    assert of_one >= {"article", "article_day", "account_day"}
    assert of_one & COLUMNS.keys() == {"account_day"}


def test_every_view_names_the_account() -> None:
    """Right after its AppID; only the dictionary is of no account."""
    others = {
        name
        for name, columns in COLUMNS.items()
        if dict(pairwise(columns)).get("appid") != "account_name"
    }

    assert others == {"metric"}


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_every_column_says_what_it_means(view: View) -> None:
    """In English and in Chinese; a figure with its unit, how it adds up, since when, until when."""
    assert re.fullmatch("(One|The dictionary: one) row .+\n中文：.+\nkey: .+", view.comment, re.S)
    for name, comment in view.columns.items():
        english, chinese, *unit = comment.split("\n")

        assert len(english) > 5, name
        assert re.fullmatch("中文：.{2,}", chinese), name
        assert all(
            re.fullmatch("unit: [a-z ]+, (additive|cumulative|level)", line) for line in unit
        ), name
        if name.endswith("_increment"):
            assert unit[0].endswith(", additive")
            assert re.search("since the row before|gained on the day", english), name
        if unit and unit[0].endswith(", cumulative") and not name.endswith("ator"):
            assert re.search("from publication to |^Total from ", english, re.IGNORECASE), name


OF_ANY_AGE = ("article_read", "day_source", "restatement")
"""Views whose articles may be older than any answer that lists articles."""


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_a_view_says_what_it_joins_to(view: View) -> None:
    """By as many of its columns as the key there has; of an account and a listed article always."""
    keys = {it.name: _line(it.comment, "key").split(", ") for it in views()}
    keys["calendar"] = ["calendar_date"]
    joins = [join.split(" to ") for join in _line(view.comment, "joins").split("; ") if join]
    by_view = {other: columns.split(", ") for columns, other in joins}

    assert len(by_view) == len(joins)
    assert {*itertools.chain(*by_view.values())} <= {*view.columns}
    assert {other: len(columns) for other, columns in by_view.items()} == {
        other: len(keys[other]) for other in by_view
    }
    if "appid" in view.columns and view.name != "account":
        assert "account" in by_view
    if "msgid" in view.columns and view.name not in {"article_listed", *OF_ANY_AGE}:
        assert by_view.keys() & {"article_listed", "article_7d", "article_30d"}


def _line(comment: str, name: str) -> str:
    line = re.search(f"^{name}: (.*)", comment, re.MULTILINE)
    return line[1] if line else ""


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_a_figure_has_a_unit(view: View) -> None:
    """Whatever a metric, a rate or a count is called in a view, its unit stands there."""
    known = {metric.name: metric.unit for _, metric in METRICS}
    known |= {it.name: it.unit for it in COMMON}
    figures = {
        name: unit for name in view.columns if (unit := known.get(name.removesuffix("_increment")))
    }

    units = {name: _line(view.columns[name], "unit").partition(", ")[0] for name in figures}

    assert units == figures
