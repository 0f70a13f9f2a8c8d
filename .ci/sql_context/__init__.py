"""
The variables with which sqlfluff renders the SQL templates.

They are the datasets' declarations with a few metrics each, so that the rendered SQL is short.
"""

from dataclasses import replace

from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, Dataset
from weixin_etl.model import Coverage
from weixin_etl.sentences import Rejection


def _short(dataset: Dataset) -> Dataset:
    """Return the dataset with two figures and one list as its metrics."""
    short = replace(dataset)
    # the class is frozen, and reads all metrics from their file
    object.__setattr__(short, "metrics", (*dataset.figures[:2], *dataset.lists[:1]))
    return short


every_dataset = [_short(declared) for declared in DATASETS.values()]
datasets = [short for short in every_dataset if short.describes_articles]
dataset = _short(ARTICLE_TOTAL)
fact, item, key, place, day = dataset.fact, "msgid", dataset.key, dataset.place, "stat_date"
metrics = [metric.name for metric in dataset.metrics]
columns = [*key, *place, *metrics]
coverage_columns = Coverage.__slots__
rejections = {key: Rejection(key, "{first}", "{count}", "", "") for key in ("text", "further")}
