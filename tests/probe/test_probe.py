"""Check what `weixin-etl probe` prints about an account, for each answer WeChat may give."""

import json
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from support import cases
from support.wire import Handler, Wire, refuses, says

from weixin_etl.api import client as api_client
from weixin_etl.cli import main
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

WORKS = "The pipeline will work for this account"
NOT_YET = "The pipeline will not work for this account yet: "
TOTAL = "--datasets article_total"
YESTERDAY = date(2026, 11, 23)
Connect = Callable[..., None]
Probe = Callable[..., tuple[int, str]]


@pytest.fixture
def connect(sandbox_url: str, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return a function that sets a connection to the sandbox; no cached token is used."""
    monkeypatch.setattr(api_client, "token_caches", {})

    def connect(conn_id: str = "weixin_default", **fields: object) -> None:
        known = {"login": DEFAULT_ACCOUNT.appid, "password": DEFAULT_ACCOUNT.secret}
        described = {"conn_type": "weixin", "host": sandbox_url, **known, **fields}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(described))

    connect()
    return connect


@pytest.fixture
def probe(sandbox: Sandbox, connect: Connect, capsys: pytest.CaptureFixture[str]) -> Probe:
    """
    Return a function that runs the probe.

    It returns the exit code and the output in one line, and checks that no secret or token is
    printed.
    """

    def run(options: str = "") -> tuple[int, str]:
        code = main(["probe", *options.split()])
        printed = "".join(capsys.readouterr())
        secrets = (DEFAULT_ACCOUNT.secret, *sandbox.issued_tokens)
        assert [secret for secret in secrets if secret in printed] == []
        return code, " ".join(printed.split())

    return run


@cases
def test_the_probe_says_whether_the_pipeline_will_work(
    scenario: str, dataset: str, code: str, expected: str, probe: Probe, sandbox: Sandbox
) -> None:
    """
    If not, it says what to change, in the words of the error table.

    It makes three calls a dataset.
    """
    sandbox.scenarios[:] = [Scenario(scenario)]

    exit_code, printed = probe(dataset and f"--datasets {dataset}")

    missing = [part for part in expected.split(" … ") if part not in printed]
    assert (exit_code, missing) == (int(code), [])
    calls = [call.path for call in sandbox.calls if not call.path.endswith("token")]
    assert len(calls) <= 3 * (1 if dataset else 2)


def odd(call: Handler) -> None:
    """Answer with an article a day that has undeclared keys, in GBK; refuse the quota's call."""
    asked = json.loads(call.asked.body)
    if "begin_date" not in asked:
        refuses(48001)(call)
        return
    day = date.fromisoformat(asked["begin_date"])
    key = "detail_list" if call.asked.path.endswith("detail") else "details"
    days = [day + timedelta(age) for age in range(8)]
    rows = [
        {"stat_date": str(stat_date), "share_user": "122122"}
        for stat_date in days
        if stat_date <= YESTERDAY
    ]
    item = {"ref_date": str(day), "msgid": "2247000001_1", "title": "标题", "from_nowhere": 776655}
    answer = {"list": [item | {key: rows}], "is_delay": "false"}
    says(json.dumps(answer, ensure_ascii=False).encode("gbk"))(call)


def test_undeclared_and_missing_keys_are_named(probe: Probe, connect: Connect) -> None:
    """The type of a key is printed, but no value."""
    with Wire().serving() as wire:
        wire.on_data = odd
        connect(host=wire.account.base_url)

        code, printed = probe()

    named = "✗ keys: unknown: from_nowhere (a number); missing: "
    told = [part in printed for part in (named, f"{NOT_YET}report it, with these lines.")]
    assert (code, told) == (1, [True, True])
    assert [value for value in ("122122", "776655", "标题") if value in printed] == []


def test_a_refused_account_does_not_end_the_probe_of_others(
    probe: Probe, connect: Connect, monkeypatch: pytest.MonkeyPatch, sandbox_url: str
) -> None:
    """The first account has no connection, the second a token service that refuses."""
    listed = ["weixin_none", "weixin_service", "weixin_default"]
    monkeypatch.setenv("AIRFLOW_VAR_WEIXIN_ACCOUNTS", json.dumps(listed))
    connect("weixin_service", login="wxs", extra={"token_url": f"{sandbox_url}/token-service"})

    code, printed = probe(TOTAL)
    alone, of_one = probe(f"{TOTAL} --accounts weixin_default")

    for expected in (*listed[:2], f"{WORKS}."):
        assert expected in printed
    assert (code, alone, of_one.count(" token: ")) == (1, 0, 1)


def test_an_account_that_is_not_listed_is_one_error_without_calls(
    probe: Probe, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 2, and the sentence names the nearest accounts."""
    code, printed = probe("--accounts weixin_defualt")
    monkeypatch.delenv("AIRFLOW_CONN_WEIXIN_DEFAULT")
    without, nothing = probe()

    assert (code, without, sandbox.calls) == (2, 2, [])
    assert "no account weixin_defualt; there are " in printed
    assert nothing.count("weixin-etl:") == 1
    assert "create the connection weixin_default" in nothing
