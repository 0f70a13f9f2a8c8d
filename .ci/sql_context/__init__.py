"""What sqlfluff fills the templates in with: the declarations, with few metrics of each."""

from dataclasses import replace

from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, Dataset
from weixin_etl.model import Coverage
from weixin_etl.sentences import Rejection


def _short(dataset: Dataset) -> Dataset:
    return replace(dataset, metrics=(*dataset.figures[:2], *dataset.lists[:1]))


every_dataset = [_short(it) for it in DATASETS.values()]
datasets = [it for it in every_dataset if it.describes_articles]
dataset = _short(ARTICLE_TOTAL)
fact, item, key, place, day = dataset.fact, "msgid", dataset.key, dataset.place, "stat_date"
metrics = [it.name for it in dataset.metrics]
columns = [*key, *place, *metrics]
coverage_columns = Coverage.__slots__
rejections = {it: Rejection(it, "{first}", "{count}", "", "") for it in ("text", "further")}
