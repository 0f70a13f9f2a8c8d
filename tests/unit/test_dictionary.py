"""What `weixin_etl.datasets` says to analysts, and that every view takes it from there."""

import pytest

from weixin_etl.datasets import DATASETS, Dataset, Kind
from weixin_etl.warehouse.views import views

METRICS = [(dataset, metric) for dataset in DATASETS.values() for metric in dataset.metrics]
COLUMNS = {view.name: list(view.columns) for view in views()}
EACH_DATASET = pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda it: it.name)


def test_a_metric_has_the_unit_its_name_carries() -> None:
    """People, times or a share; what has another unit is listed here."""
    by_ending = {"_user": "people", "_count": "times", "_cnt": "times", "_rate": "share"}
    others = {
        metric.name: metric.unit
        for _, metric in METRICS
        if metric.unit != by_ending.get("_" + metric.name.rsplit("_", 1)[-1])
    }

    assert others == {
        "praise_money": "cents",
        "read_avg_activetime": "minutes",
        "read_user_source": "list",
        "read_jump_position": "list",
    }
    assert {m.name for _, m in METRICS if m.kind is Kind.LIST} == {
        name for name, unit in others.items() if unit == "list"
    }


def test_a_metric_has_a_chinese_name_of_its_own_and_a_meaning() -> None:
    """No two metrics of a dataset are called the same."""
    for dataset in DATASETS.values():
        words = [(metric.chinese_name, metric.meaning) for metric in dataset.metrics]

        assert all(chinese and meaning for chinese, meaning in words)
        assert len({chinese for chinese, _ in words}) == len(words)
    assert len(METRICS) == 42


@EACH_DATASET
def test_a_rate_is_made_of_metrics_of_its_dataset(dataset: Dataset) -> None:
    """And has a name that no metric has."""
    names = {metric.name for metric in dataset.metrics}

    assert {rate.numerator for rate in dataset.rates} <= names
    assert {rate.denominator for rate in dataset.rates} <= names
    assert {rate.name for rate in dataset.rates} & names == set()
    assert {dataset.readers} <= names


@EACH_DATASET
def test_the_views_have_every_metric(dataset: Dataset) -> None:
    """In the daily increments, the articles and the accounts' days."""
    totals = [metric.name for metric in dataset.totals]
    others = [metric.name for metric in dataset.others]
    figures = [dataset.prefix + metric.name for metric in dataset.figures]
    account = COLUMNS[f"account_daily{dataset.suffix}"]

    assert COLUMNS[f"article_daily{dataset.suffix}"][6:] == totals + others
    assert [name for name in COLUMNS["article"] if name in figures] == figures
    assert [name for name in account if name.endswith("_increment")] == [
        f"{name}_increment" for name in totals
    ]
