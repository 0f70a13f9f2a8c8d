"""`weixin-etl answers`: the exact bytes of what WeChat answered."""

import pytest
from sqlalchemy import Engine
from warehouse_loads import ACCOUNT, SCHEDULED, article, body, load_pairs, pair

from weixin_etl import cli
from weixin_etl.model import ConfiguredAccount
from weixin_etl.run import Work
from weixin_etl.run.plan import plan
from weixin_local.home import postgres_connection

OLD = b'{ "list" : [ ],\n "odd": "\x01" }'
NEW = body(article("1_1", {"20": {"share_count": 2}}))


@pytest.fixture
def _kept(warehouse: Engine, connected: None) -> None:
    """Two answers of a pair, the second of them seen twice."""
    known = ConfiguredAccount(ACCOUNT.conn_id, ACCOUNT.appid, ACCOUNT.name)
    plan(Work(SCHEDULED, warehouse), [known])
    for answer, fetched in ((OLD, "22 08:30"), (NEW, "22 09:00"), (NEW, "22 09:30")):
        load_pairs(warehouse, pair(answer, fetched))


@pytest.mark.usefixtures("_kept")
@pytest.mark.parametrize("name", [ACCOUNT.appid, ACCOUNT.conn_id, ACCOUNT.name])
@pytest.mark.parametrize(
    ("options", "printed"), [([], NEW), (["--id", "1"], OLD)], ids=["newest", "another"]
)
def test_an_answer(
    capfdbinary: pytest.CaptureFixture[bytes], name: str, options: list[str], printed: bytes
):
    """Byte for byte, whatever the account is called by."""
    assert cli.main(["answers", name, "2026-11-20", *options]) == 0

    assert capfdbinary.readouterr().out == printed


@pytest.mark.usefixtures("_kept")
@pytest.mark.every_postgres
def test_the_list(capsys: pytest.CaptureFixture[str]):
    """One line each, in the order they were last seen."""
    assert cli.main(["answers", ACCOUNT.name, "2026-11-20", "--list"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"1  2026-11-22 08:30:00 Beijing time  {len(OLD)} bytes",
        f"2  2026-11-22 09:00:00 to 2026-11-22 09:30:00 Beijing time  {len(NEW)} bytes",
    ]


@pytest.mark.usefixtures("_kept")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["杂志", "2026-11-20"], "no account of the warehouse is called 杂志; there are: 报纸"),
        (
            ["wx1", "2026-11-21"],
            "no answer of getarticletotal is kept for wx1 and the day 2026-11-21",
        ),
        (["wx1", "2026-11-20", "--id", "3"], "3 is not one of the answers that --list shows"),
    ],
    ids=["account", "day", "id"],
)
def test_what_there_is_not(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str):
    """One sentence, and nothing on stdout."""
    assert cli.main(["answers", *arguments]) == 1

    assert capsys.readouterr() == ("", f"weixin-etl: {said}\n")


@pytest.mark.usefixtures("_kept")
def test_a_user_who_lacks_the_right(
    reader: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Whoever may only read the analysts' views is told so in a sentence, without a traceback."""
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_WAREHOUSE", postgres_connection(reader.url))

    assert cli.main(["answers", "wx1", "2026-11-20"]) == 1

    assert capsys.readouterr().err.startswith("weixin-etl: make the user of")
