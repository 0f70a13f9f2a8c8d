"""`airflow dags test`, as somebody types it: exit codes, and no secret anywhere."""

from collections.abc import Callable
from pathlib import Path

from dag_runs import WINDOW, DailyDag, Done, asked, loaded, november, truth
from secret_search import places, printed
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario


def test_a_good_run(
    dags_test: Callable[[str], Done],
    daily: DailyDag,
    sandbox: Sandbox,
    warehouse: Engine,
    metadata: Engine,
    tmp_path: Path,
):
    """
    The publication days 17 to 23 November of 2026-11-24, asked for two days later; exit code 0.

    Neither the secret nor a token, the one that expired on the way included, is left anywhere.
    """
    daily.set("WEIXIN_NOW", "2026-11-26T10:30:00+08:00")
    sandbox.scenarios[:] = [Scenario("token-expired", day=november(20)[0], times=1)]

    done = dags_test("2026-11-24")

    assert done.returncode == 0, done.stdout
    assert sorted(asked(sandbox)) == WINDOW
    assert loaded(warehouse) == truth(
        sandbox, DEFAULT_ACCOUNT, WINDOW, asked_on=sandbox.beijing_today
    )
    assert "urllib3.connectionpool" in done.stdout
    assert len(sandbox.issued_tokens) == 2
    searched = (printed(done), [tmp_path], {"airflow": metadata, "weixin": warehouse})
    assert places([DEFAULT_ACCOUNT.secret, *sandbox.issued_tokens], *searched) == set()
    # the search is one: it finds what may be there, in a print, a text and the bytes of an answer
    found = places([DEFAULT_ACCOUNT.appid, "2247492397_1"], *searched)
    assert found >= {"stdout", "weixin.dim_article.appid", "weixin.raw_response.body_zstd"}


def test_a_failing_run(
    dags_test: Callable[[str], Done],
    daily: DailyDag,
    sandbox: Sandbox,
    sandbox_url: str,
    warehouse: Engine,
    metadata: Engine,
    tmp_path: Path,
    accounts,
):
    """
    Exit code 1 when accounts are refused in every way there is, and one has a broken connection.

    Neither a secret, right or wrong, nor a token is left anywhere.
    """
    fine, wrong, refused, broken, unreadable = made = accounts(5)
    daily.set("AIRFLOW__WEIXIN__RETRIES", "1")
    daily.set("AIRFLOW__WEIXIN__CALL_TRIES", "2")
    daily.connect(wrong, sandbox_url, "a1", password="wrong-secret-6b1f")
    sandbox.scenarios[:] = [
        Scenario("errcode:40001", account=refused.appid),
        Scenario("cut-answer", account=broken.appid),
        Scenario("bad-json", account=unreadable.appid, day=november(20)[0]),
        Scenario("http-500", account=unreadable.appid, day=november(21)[0]),
        Scenario("token-expired", account=unreadable.appid, day=november(22)[0]),
    ]
    daily.connect(fine, "http://127.0.0.1:1", "nobody_there", login="wx9", password="s3cr3t-9d7a")
    daily.collect(["a0", "a1", "a2", "a3", "a4", "nobody_there"])

    done = dags_test("2026-11-24")

    assert done.returncode == 1, done.stdout
    assert "DagRun failed" in done.stderr
    for sentence in (
        "号2: correct the password in the environment variable AIRFLOW_CONN_A1 (the AppSecret",
        "号3: find the other program that refreshes this account's token (WeChat refuses the",
        "号4: wait; if it persists, check the Base URL and any proxy (no usable",
        "号1: wait; if it persists, check the Base URL and any proxy (no usable",
    ):
        assert sentence in done.stdout
    assert len(sandbox.issued_tokens) >= 5
    secrets = [account.secret for account in made]
    hidden = [*secrets, "wrong-secret-6b1f", "s3cr3t-9d7a", *sandbox.issued_tokens]
    searched = (printed(done), [tmp_path], {"airflow": metadata, "weixin": warehouse})
    assert places(hidden, *searched) == set()
