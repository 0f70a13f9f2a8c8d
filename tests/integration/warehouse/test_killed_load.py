"""A load that is killed at any moment leaves nothing, and the next one makes everything good."""

import itertools
import signal
from datetime import timedelta

from sqlalchemy import Engine
from support import empty
from warehouse_loads import ACCOUNT, DAY, article, at, body, contents
from warehouse_processes import exit_code, start

DAY_BEFORE = DAY - timedelta(days=1)
BEFORE = [
    (DAY, body(article("1_1", {"20": {"share_count": 1}}, title="一")), at("23 08:30")),
]
FIGURES = {"20": {"share_count": 5}, "21": {"share_count": -1}}
COMMIT = [
    (DAY, body(article("1_1", FIGURES, title="二")), at("24 08:30")),
    (DAY_BEFORE, body(article("2_1", FIGURES), day=DAY_BEFORE), at("24 08:30")),
]
"""An updated row with its restatement, a new one, and a rejected one each."""


def test_kill_between_any_two_statements(warehouse: Engine):
    """SIGKILL before any statement, or the commit, leaves nothing; a second run heals it."""
    exit_code(start(warehouse, ACCOUNT, [BEFORE, COMMIT]))
    undisturbed = contents(warehouse)
    empty(warehouse)
    exit_code(start(warehouse, ACCOUNT, [BEFORE]))
    before = contents(warehouse, versions=True)

    for number in itertools.count(1):
        ended = exit_code(start(warehouse, ACCOUNT, [COMMIT], killed_at=number))
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        assert contents(warehouse, versions=True) == before

    assert number > 10
    assert contents(warehouse) == undisturbed
    counts = {table: len(found) for table, found in undisturbed.items()}
    assert counts == {
        "article_sighting": 2,
        "dim_article": 2,
        "fact_article_total": 2,
        "raw_response": 3,
        "coverage": 2,
        "restatement": 1,
        "rejected_row": 2,
        "run_report": 2,
    }
