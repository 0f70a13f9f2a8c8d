"""Check that `weixin-etl answers` prints the exact bytes of WeChat's answers."""

import pytest
from sqlalchemy import Engine
from support.warehouse_loads import ACCOUNT, SCHEDULED, article, body, load_chunk, staged

from weixin_etl import cli
from weixin_etl.model import ConfiguredAccount
from weixin_etl.run import Work
from weixin_etl.run.plan import plan

OLD = b'{ "list" : [ ],\n "odd": "\x01" }'
NEW = body(article("1_1", {"20": {"share_count": 2}}))


@pytest.fixture(autouse=True)
def _kept(warehouse: Engine, connected: None) -> None:
    """Load two answers of an account and day, the second of which is seen twice."""
    known = ConfiguredAccount(ACCOUNT.conn_id, ACCOUNT.appid, ACCOUNT.name)
    twins = [ConfiguredAccount(appid, appid, "双") for appid in ("wx2", "wx3")]
    plan(Work(SCHEDULED, warehouse), [known, *twins])
    for answer, fetched in ((OLD, "22 08:30"), (NEW, "22 09:00"), (NEW, "22 09:30")):
        load_chunk(warehouse, staged(answer, fetched))


@pytest.mark.parametrize("name", [ACCOUNT.appid, ACCOUNT.conn_id, ACCOUNT.name])
def test_an_answer_is_printed_byte_for_byte(
    capfdbinary: pytest.CaptureFixture[bytes], name: str
) -> None:
    """
    The newest is printed, or the one of `--id`.

    The account may be named in any of three ways.
    """
    for options, printed in (([], NEW), (["--id", "1"], OLD)):
        assert cli.main(["answers", name, "2026-11-20", *options]) == 0
        assert capfdbinary.readouterr().out == printed


@pytest.mark.every_postgres
def test_the_list_says_when_each_was_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """The list has a line for each answer, in the order they were last seen."""
    assert cli.main(["answers", ACCOUNT.name, "2026-11-20", "--list"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"1  2026-11-22 08:30:00 Beijing time  {len(OLD)} bytes",
        f"2  2026-11-22 09:00:00 to 2026-11-22 09:30:00 Beijing time  {len(NEW)} bytes",
    ]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ("answers 杂志 2026-11-20", ACCOUNT.name),
        ("answers 双 2026-11-20", "several accounts are called 双; give one's AppID: wx2, wx3"),
        ("answers wx1 2026-11-21", "2026-11-21"),
        ("answers wx1 2026-11-20 --id 3", "--list"),
        ("replay article_total --begin 2026-11-21 --end 2026-11-20", "is after end_date"),
    ],
    ids=["account", "one of two accounts", "day", "id", "days"],
)
def test_an_unknown_account_day_or_id_is_one_sentence_on_stderr(
    capsys: pytest.CaptureFixture[str], arguments: str, names: str
) -> None:
    """The sentence names what exists instead."""
    assert cli.main(arguments.split()) == 1

    out, stderr = capsys.readouterr()
    assert (out, stderr.count("\n"), names in stderr) == ("", 1, True)
