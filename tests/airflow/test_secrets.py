"""A test that no secret is stored or shown anywhere when WeChat refuses calls of every kind."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy
import zstandard
from dag_runs import DailyDag, on_the_page, set_paused
from sqlalchemy import Engine
from support import rows
from support.receivers import Receiver

from weixin_sandbox import DEFAULT_COMPONENT, Account, Call, Scenario

BEARER = "the bearer of the token service"
MASKING = re.compile(r"^\S+ \[debug +\] Sending request .* msg=MaskSecret\(.*\n", re.MULTILINE)
"""Lines of `dags test` at DEBUG in which Airflow itself prints the secrets that it will mask."""
TABLES = """
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
        AND schemaname NOT LIKE 'pg_temp%'
"""
"""The tables that outlive their session; a temporary one may end while its rows are read."""


def contents(engine: Engine) -> Iterator[tuple[str, bytes]]:
    """Yield every row of every table as a text, and every stored answer unpacked."""
    for (table,) in rows(engine, TABLES):
        for (row,) in rows(engine, f"SELECT row_to_json(entry)::text FROM {table} AS entry"):
            yield table, row.encode()
        if table == "weixin.raw_response":
            for (body,) in rows(engine, f"SELECT body FROM {table}"):
                yield f"{table}.body", zstandard.decompress(bytes(body))


def test_a_failing_run_leaves_no_secret_anywhere(
    platform: DailyDag, metadata_url: str, receiver: Receiver, warehouse: Engine, tmp_path: Path
):
    """
    Output, logs at DEBUG, both databases, messages and the page show no secret, token or ticket.

    WeChat refuses secrets, tokens, answers, a platform's refresh token and ticket, and the token of
    a token service. The run's exit code is 1.
    """
    dag, sandbox = platform, platform.sandbox
    sandbox.component.rotates_refresh_tokens = True
    invalid, last = (Account(f"wx{n:016x}", "", f"号{n}") for n in (1, 2))
    for account in (invalid, last):
        sandbox.component.authorize(account)
    own = [Account(f"wx00000000000000a{n}", f"5ecret-of-a-{n}", f"自{n}") for n in range(5)]
    for number, account in enumerate(own):
        sandbox.accounts[account.appid] = account
        dag.connect(account, f"own_{number}")
    fine, wrong, refused, broken, serviced = own
    dag.connect(wrong, "own_1", password="wrong-secret-6b1f")
    nowhere = {"login": "wx9", "password": "s3cr3t-9d7a", "host": "http://127.0.0.1:1"}
    dag.connect(fine, "nobody_there", **nowhere)
    extra = {"name": serviced.name, "token_url": f"{dag.url}/token-service"}
    dag.connect(serviced, "own_4", password=BEARER, extra=extra)
    sandbox.token_service_bearer = BEARER
    stale = sandbox.tokens.stable(serviced.appid)
    sandbox.service_token = lambda _appid: stale
    dag.collect(*(f"own_{n}" for n in range(5)), "nobody_there", "weixin_platform")
    sandbox.scenarios[:] = [
        Scenario("token-expired", account=fine.appid, times=1),
        Scenario("errcode:40001", account=refused.appid),
        Scenario("cut-answer", account=broken.appid, times=3),
        Scenario("http-500", account=broken.appid, times=3),
        Scenario("bad-json", account=broken.appid),
        Scenario("list-call:bad-json", times=1),
        Scenario("token-call:errcode:61023", account=invalid.appid),
        Scenario("info-call:cut-answer", account=last.appid),
        Scenario("token-expired", account=last.appid),
        Scenario("token-expired", account=serviced.appid),
    ]

    def end(call: Call) -> None:
        if call.appid == last.appid and call.publication_date:
            sandbox.component.expire_tickets()
            sandbox.component.expire_tokens()

    sandbox.before_delivery = end
    dag.at("10:30")
    done = dag.by_command(tmp_path)
    set_paused(is_paused=False)

    assert done.returncode == 1, done.stdout
    expected = ("自1: correct the password", "自2: find", "自3: check", "自4: find", "61023")
    for sentence in (*expected, "[debug ", "weixin_platform_ticket"):
        assert sentence in done.stdout
    hidden = [
        *(account.secret for account in own[:4]),
        *("wrong-secret-6b1f", "s3cr3t-9d7a", BEARER, DEFAULT_COMPONENT.secret),
        os.environ["AIRFLOW__CORE__FERNET_KEY"],
        *sandbox.component.issued_secrets,
        *sandbox.issued_tokens,
    ]
    assert len(hidden) > 15
    shown = {"stdout": MASKING.sub("", done.stdout), "stderr": done.stderr}
    shown |= on_the_page(last.appid) | {"messages": str(receiver.messages)}
    hay = [(name, text.encode()) for name, text in shown.items()]
    hay += [(path.name, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()]
    for engine in (sqlalchemy.create_engine(metadata_url), warehouse):
        hay += contents(engine)

    def places(texts: list[str]) -> set[str]:
        assert all(texts), "a search for nothing finds nothing"
        needles = [form for text in texts for form in (text.encode(), text.encode().hex().encode())]
        return {name for name, content in hay for needle in needles if needle in content}

    assert places(hidden) == set()
    # The search must find texts that may be shown, in each kind of place.
    allowed = [invalid.name, last.name, last.appid, wrong.name, fine.appid, "stat_date"]
    assert places(allowed) >= {
        *("stdout", "messages", "/health", "/", "weixin.platform_token"),
        *("weixin.dim_article", "weixin.raw_response.body"),
    }
