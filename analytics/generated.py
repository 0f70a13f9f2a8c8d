"""The files of analysts' tools that are made of the catalogue and of the datasets' declarations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy
import yaml
from dictionary import Entry, dictionary, joins
from sqlalchemy import Engine
from sqlalchemy.engine.reflection import ObjectKind

from weixin_etl.datasets import ARTICLE_DATASETS, Dataset

HERE = Path(__file__).parent
HEADER = "# Made by analytics/generated.py: see dbt/README.md.\n"
BETWEEN = " · "
"""What stands between the languages."""
NEWEST_DAY = """
SELECT (max(newest_date) + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
FROM (
    SELECT
        max(day) FILTER (WHERE ready_at IS NOT NULL) AS newest_date,
        rank() OVER (
            ORDER BY bool_or(
                through_date IS NOT NULL
                AND day >= (now() AT TIME ZONE 'Asia/Shanghai')::date - 7
            ) DESC
        ) AS choice
    FROM analytics.coverage
    INNER JOIN analytics.account USING (appid)
    WHERE is_active
    GROUP BY dataset, appid
) AS account
WHERE choice = 1
"""
"""
The end of the newest publication day of which a complete answer came, also an empty one.

Of the accounts that are collected, those that have published in the last seven days come first: of
the others an empty answer is complete at whatever hour it comes.
"""
LOADED_AT = {
    "coverage": {"loaded_at_query": " ".join(NEWEST_DAY.split())},
    "article_day": {"loaded_at_field": "changed_at"},
    "article_day_detail": {"loaded_at_field": "changed_at"},
}
"""By what `dbt source freshness` judges."""
SUPERSET_DATABASE = UUID("6f0a3c1e-52d4-4f7b-9a38-1c0e5b7d2a01")


def files(warehouse: Engine) -> dict[Path, str]:
    """What each file says; its header says that it is made."""
    entries = dictionary(warehouse)
    contents = {
        "dbt/models/sources.yml": sources(warehouse, entries),
        "dbt/models/semantic_models.yml": semantic_models(entries),
        **{
            f"superset/export/datasets/weixin_etl/{it['table_name']}.yaml": it
            for dataset in ARTICLE_DATASETS.values()
            for it in superset_datasets(dataset, entries)
        },
    }
    return {
        HERE / name: HEADER
        + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=100)
        for name, content in contents.items()
    }


# ---------------------------------------------------------------------------------------- sources


def sources(warehouse: Engine, entries: Sequence[Entry]) -> dict[str, Any]:
    """Each view of schema `analytics` as a source of dbt."""
    found = sqlalchemy.inspect(warehouse).get_multi_table_comment("analytics", kind=ObjectKind.ANY)
    comments = {name: comment["text"] or "" for (_, name), comment in found.items()}
    source = {
        "name": "weixin",
        "description": "WeChat's statistics of articles, as weixin-etl shows them to analysts.",
        "schema": "analytics",
        "tables": [
            view(name, comments[name], [*columns])
            for name, columns in groupby(entries, attrgetter("view"))
        ],
    }
    return {"version": 2, "sources": [source]}


def view(name: str, comment: str, columns: Sequence[Entry]) -> dict[str, Any]:
    """A view in both languages, with the tests of its key and of what it joins to."""
    key = [entry.column for entry in columns if entry.is_key]
    return {
        "name": name,
        "description": comment.partition("\nkey: ")[0].replace("\n中文：", BETWEEN),
        **({"config": LOADED_AT[name]} if name in LOADED_AT else {}),
        "data_tests": [
            {"unique_key": {"arguments": {"columns": key}}},
            *[relationship(*it) for it in joins(columns)[name].items()],
        ],
        "columns": [column(entry) for entry in columns],
    }


def relationship(other: str, columns: Mapping[str, str]) -> dict[str, Any]:
    """Every row has one of the other view, unless one of its columns is NULL."""
    arguments = {
        "column_name": f"({', '.join(columns)})",
        "to": f"source('weixin', '{other}')",
        "field": f"({', '.join(columns.values())})",
    }
    return {"relationships": {"arguments": arguments}}


def column(entry: Entry) -> dict[str, Any]:
    """A column in both languages; what a figure is counted in and how it adds up, for programs."""
    figure = {"unit": entry.unit, "additivity": entry.additivity}
    return {
        "name": entry.column,
        "description": described(entry),
        "data_type": entry.type,
        **({"config": {"meta": figure}} if entry.unit else {}),
    }


def described(entry: Entry) -> str:
    """In both languages."""
    return BETWEEN.join(filter(None, [entry.english, entry.chinese]))


# ---------------------------------------------------------------------------------------- metrics


@dataclass(frozen=True, slots=True)
class Sum:
    """What may be added up: over articles and, unless it is a total, over days."""

    name: str
    """As in the view; where metrics of both datasets are side by side with the dataset's prefix."""
    expression: str
    """Of a row."""
    description: str
    is_total: bool
    """A running total: of an article only its newest row counts."""

    @property
    def sql(self) -> str:
        """Over the rows of the view."""
        return f"sum({self.expression}){' FILTER (WHERE is_latest)' if self.is_total else ''}"


@dataclass(frozen=True, slots=True)
class Ratio:
    """A rate: a sum over a sum, never an average."""

    name: str
    numerator: Sum
    denominator: Sum
    description: str

    @property
    def sql(self) -> str:
        """Over the rows of the view."""
        return f"{self.numerator.sql} / nullif({self.denominator.sql}, 0)"


def sums(dataset: Dataset, columns: Mapping[str, Entry]) -> list[Sum]:
    """Each running total of a dataset, and its increment, as a view has them."""
    return [
        Sum(name, name, described(columns[name]), is_total=columns[name].additivity == "cumulative")
        for metric in dataset.totals
        for name in (metric.name, f"{metric.name}_increment")
        if name in columns
    ]


def sums_of_days(columns: Mapping[str, Entry]) -> list[Sum]:
    """How much an account published, and how many days are not known whole."""
    published = described(columns["articles_published"])
    incomplete = f"Days of accounts of which not all is known{BETWEEN}数据不完整的天数"
    is_incomplete = "CASE WHEN is_complete THEN 0 ELSE 1 END"
    return [
        Sum("articles_published", "articles_published", published, is_total=False),
        Sum("days_incomplete", is_incomplete, incomplete, is_total=False),
    ]


def ratios(dataset: Dataset, columns: Mapping[str, Entry]) -> list[Ratio]:
    """Each rate of a dataset: by the totals, and where there is one by the increments of days."""
    found = []
    for rate in dataset.rates:
        above, below = (
            Sum(name, name, described(columns[name]), is_total=True)
            for name in (f"{rate.name}_numerator", f"{rate.name}_denominator")
        )
        found.append(Ratio(rate.name, above, below, described(columns[rate.name])))
        if rate in dataset.daily_rates:
            gained, of = (f"{it}_increment" for it in (rate.numerator, rate.denominator))
            above, below = (
                Sum(
                    f"daily_{part.name}",
                    f"CASE WHEN {other} IS NOT NULL THEN {increment} END",
                    f"{increment}, where {other} is known",
                    is_total=False,
                )
                for part, increment, other in ((above, gained, of), (below, of, gained))
            )
            meaning = (
                f"Of the days' increments: share of {rate.meaning}{BETWEEN}当日{rate.chinese_name}"
            )
            found.append(Ratio(f"daily_{rate.name}", above, below, meaning))
    return found


def attributes(columns: Mapping[str, Entry]) -> list[Entry]:
    """What rows are grouped and filtered by: no figures but an article's age, no times."""
    return [
        entry
        for entry in columns.values()
        if (entry.unit is None or entry.column == "day_number")
        and entry.type != "timestamp with time zone"
        and entry.column != "raw_response_id"
    ]


def of_view(entries: Sequence[Entry], name: str) -> dict[str, Entry]:
    """A view's columns."""
    return {entry.column: entry for entry in entries if entry.view == name}


# ------------------------------------------------------------------------------- semantic models


def semantic_models(entries: Sequence[Entry]) -> dict[str, Any]:
    """The semantic models over the package's tables, and their metrics."""
    models = [accounts(of_view(entries, "account"))]
    metrics = []
    for dataset in ARTICLE_DATASETS.values():
        columns = of_view(entries, f"article_day{dataset.suffix}")
        rates = ratios(dataset, columns)
        parts = [part for rate in rates for part in (rate.numerator, rate.denominator)]
        measures = [measure(dataset, it) for it in [*sums(dataset, columns), *parts]]
        models += [
            article_days(dataset, columns, measures),
            account_days(dataset, of_view(entries, f"account_day{dataset.suffix}")),
        ]
        metrics += [ratio(dataset, it) for it in rates]
    return {"version": 2, "semantic_models": models, "metrics": metrics}


def accounts(columns: Mapping[str, Entry]) -> dict[str, Any]:
    """What the other models find by the entity `account`."""
    return {
        "name": "accounts",
        "model": "ref('accounts')",
        "entities": [{"name": "account", "type": "primary", "expr": "appid"}],
        "dimensions": [dimension(columns[it]) for it in ("account_name", "is_active")],
    }


def article_days(
    dataset: Dataset, columns: Mapping[str, Entry], measures: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """An article's totals, what came each day, and rates."""
    name = f"article_days{dataset.suffix}"
    return {
        "name": name,
        "model": f"ref('{name}')",
        "defaults": {"agg_time_dimension": "stat_date"},
        "primary_entity": f"article_day{dataset.suffix}",
        "entities": [
            {"name": "account", "type": "foreign", "expr": "appid"},
            {"name": "article", "type": "foreign", "expr": "appid || '/' || msgid"},
        ],
        "dimensions": [
            dimension(it)
            for it in attributes(columns)
            if it.column not in ("appid", "account_name")
        ],
        "measures": [*measures],
    }


def account_days(dataset: Dataset, columns: Mapping[str, Entry]) -> dict[str, Any]:
    """What an account published, and how many days are not known whole."""
    name = f"account_days{dataset.suffix}"
    return {
        "name": name,
        "model": f"ref('{name}')",
        "defaults": {"agg_time_dimension": "calendar_date"},
        "primary_entity": f"account_day{dataset.suffix}",
        "entities": [{"name": "account", "type": "foreign", "expr": "appid"}],
        "dimensions": [dimension(columns[it]) for it in ("calendar_date", "is_complete")],
        "measures": [measure(dataset, it) for it in sums_of_days(columns)],
    }


def dimension(entry: Entry) -> dict[str, Any]:
    """A column to group and filter by."""
    is_date = entry.type == "date"
    return {
        "name": entry.column,
        "description": described(entry),
        "type": "time" if is_date else "categorical",
        **({"type_params": {"time_granularity": "day"}} if is_date else {}),
    }


def measure(dataset: Dataset, it: Sum) -> dict[str, Any]:
    """A metric that is a sum; of a total over each article's newest day of a period."""
    newest = {"name": "stat_date", "window_choice": "max", "window_groupings": ["article"]}
    return {
        "name": f"{dataset.prefix}{it.name}",
        "description": it.description,
        "agg": "sum",
        "expr": it.expression,
        "create_metric": True,
        **({"non_additive_dimension": newest} if it.is_total else {}),
    }


def ratio(dataset: Dataset, it: Ratio) -> dict[str, Any]:
    """A metric that is a rate."""
    name = f"{dataset.prefix}{it.name}"
    return {
        "name": name,
        "label": name,
        "description": it.description,
        "type": "ratio",
        "type_params": {
            "numerator": f"{dataset.prefix}{it.numerator.name}",
            "denominator": f"{dataset.prefix}{it.denominator.name}",
        },
    }


# --------------------------------------------------------------------------------------- Superset


def superset_datasets(dataset: Dataset, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Article days and account days with their metrics; no figure is a column to add up."""
    articles, accounts = (f"{it}{dataset.suffix}" for it in ("article_day", "account_day"))
    of_articles, of_accounts = (of_view(entries, it) for it in (articles, accounts))
    rates = ratios(dataset, of_articles)
    days = sums_of_days(of_accounts)
    return [
        superset_dataset(articles, "stat_date", of_articles, [*sums(dataset, of_articles), *rates]),
        superset_dataset(
            accounts, "calendar_date", of_accounts, [*days, *sums(dataset, of_accounts)]
        ),
    ]


def superset_dataset(
    name: str, date: str, columns: Mapping[str, Entry], metrics: Sequence[Sum | Ratio]
) -> dict[str, Any]:
    """A view in Superset: what it declares no column of is offered nowhere."""
    return {
        "table_name": name,
        "main_dttm_col": date,
        "schema": "analytics",
        "columns": [
            {
                "column_name": it.column,
                "description": described(it),
                "type": it.type.upper(),
                **({"is_dttm": True} if it.type == "date" else {}),
            }
            for it in attributes(columns)
        ],
        "metrics": [
            {"metric_name": it.name, "expression": it.sql, "description": it.description}
            for it in metrics
        ],
        "uuid": str(uuid5(SUPERSET_DATABASE, name)),
        "database_uuid": str(SUPERSET_DATABASE),
        "version": "1.0.0",
    }
