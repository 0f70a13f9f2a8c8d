"""Sandbox and parser keep to one contract: what `datasets` declares."""

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
"""What WeChat may add without telling anyone."""


def test_what_the_sandbox_answers_is_what_is_declared() -> None:
    """Each key it gives is declared, and each declared key is given, with a value that fits."""
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
def test_what_the_parser_reads_is_what_is_declared(dataset: Dataset) -> None:
    """A row has its day, or its item has it, and the declared metrics, and nothing else."""
    before = row_prefix(dataset)
    keys = {key.removeprefix(before) for key in declared_keys(dataset) if key.startswith(before)}
    of_item = {"list", "is_delay", dataset.item and dataset.item.name, *dataset.meaningless}
    rows = {key.replace("ref_date", "stat_date") for key in keys - of_item if "." not in key}

    assert {*row_type(dataset).__struct_fields__} == rows | {"stat_date"}
