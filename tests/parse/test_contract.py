"""Check that the sandbox and the parser both keep to the declarations of `weixin_etl.datasets`."""

from datetime import date, datetime, timedelta

import pytest

from weixin_etl import json_text
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.parse import parse, row_type
from weixin_etl.probe.keys import OPTIONAL, declared_keys, key_values, row_prefix
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox
from weixin_sandbox.article_total import UNDECLARED

TODAY = date(2026, 11, 24)
NOW = datetime.fromisoformat("2026-11-24T10:30:00+08:00")
ON_PURPOSE = {f"details.{name}" for user, count, *_ in UNDECLARED for name in (user, count)}
"""Keys that the sandbox adds without a declaration, as WeChat may."""


def test_the_sandbox_gives_exactly_the_declared_keys() -> None:
    """Every value it gives fits the declaration."""
    sandbox, optional = Sandbox(today=TODAY), set()
    for dataset in DATASETS.values():
        given = set()
        for day in [TODAY - timedelta(days=n) for n in range(1, 41)]:
            body = sandbox.answer(DEFAULT_ACCOUNT.appid, day, TODAY, dataset.endpoint)
            assert parse(dataset, body, day, NOW).rejected == []
            given |= {key for key, _ in key_values(dataset, json_text.decode(body))}

        assert declared_keys(dataset) - OPTIONAL <= given <= declared_keys(dataset) | ON_PURPOSE
        optional |= given & OPTIONAL
    assert optional == OPTIONAL


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_the_parser_reads_exactly_the_declared_metrics(dataset: Dataset) -> None:
    """A row also has its day; if not, its item has it."""
    before = row_prefix(dataset)
    keys = {key.removeprefix(before) for key in declared_keys(dataset) if key.startswith(before)}
    of_item = {"list", "is_delay", dataset.item and dataset.item.name, *dataset.meaningless}
    rows = {key.replace("ref_date", "stat_date") for key in keys - of_item if "." not in key}

    assert {*row_type(dataset).__struct_fields__} == rows | {"stat_date"}
