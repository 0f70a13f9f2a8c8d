"""The errors of the API: what each errcode means, and what the operator is told."""

import logging

import pytest

from weixin_etl.api.http import refusal
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind

ACCOUNT = Account("spring", "wx0123456789abcdef", "", "春风")
ON_A_DATA_CALL = {
    ProblemKind.UNREACHABLE: [-1],
    ProblemKind.TOKEN_REFUSED: [40001, 40014, 42001],
    ProblemKind.MINUTE_QUOTA: [45011],
    ProblemKind.NOT_READY: [61503],
    ProblemKind.DAILY_QUOTA: [45009],
    ProblemKind.ENDPOINT_OFFLINE: [47009],
    ProblemKind.CONFIGURATION: [
        *(40013, 40125, 40164, 40243, 42007, 48001, 48004, 50002),
        *(61003, 61004, 61005, 61006, 61007, 61011, 61023, 61502),
        *(89501, 89503, 89506, 89507),
    ],
    ProblemKind.CALL_REFUSED: [41001, 41002, 41004, 43002, 44002, 47001, 40097, 61500, 12345],
}
"""WeChat's table of errcodes, and one nobody has classified yet."""
FROM_CALLS = {*ON_A_DATA_CALL, ProblemKind.CLOCK, ProblemKind.UNREADABLE}


@pytest.mark.parametrize(
    ("errcode", "kind"), [(code, kind) for kind, codes in ON_A_DATA_CALL.items() for code in codes]
)
def test_every_errcode_has_its_kind(errcode: int, kind: ProblemKind) -> None:
    """The kind carries the reaction; the code, the account and what WeChat said are in the text."""
    error = refusal(errcode, "what WeChat said", ACCOUNT)

    assert error.kind is kind
    assert str(error).startswith(f"{ACCOUNT}: {error.problem.cure} (")
    assert str(error).endswith(f": what WeChat said) · errcode {errcode}")


def test_every_kind_carries_its_reaction() -> None:
    """Airflow tries again; the account's other days are not asked; it counts as an outage."""
    outages = {ProblemKind.UNREACHABLE, ProblemKind.MINUTE_QUOTA}

    assert {kind for kind in FROM_CALLS if kind.is_retried} == {*outages, ProblemKind.TOKEN_REFUSED}
    assert {kind for kind in FROM_CALLS if kind.is_outage} == outages
    assert {kind for kind in FROM_CALLS if not kind.stops_account} == {
        *(*outages, ProblemKind.NOT_READY, ProblemKind.ENDPOINT_OFFLINE, ProblemKind.UNREADABLE)
    }


@pytest.mark.parametrize(
    ("errcode", "kind"),
    [
        (40001, ProblemKind.CONFIGURATION),
        (40014, ProblemKind.CALL_REFUSED),
        (42001, ProblemKind.CALL_REFUSED),
        (-1, ProblemKind.UNREACHABLE),
        (45009, ProblemKind.DAILY_QUOTA),
    ],
)
def test_a_token_call_has_no_token_to_refuse(errcode: int, kind: ProblemKind) -> None:
    """There 40001 means the secret: asking again would not help. The others are as always."""
    assert refusal(errcode, "", ACCOUNT, is_token_call=True).kind is kind


@pytest.mark.parametrize(
    ("errcode", "errmsg", "cure"),
    [
        (40125, "", "correct the password in the connection spring"),
        (61005, "", "mend what writes the ticket into the Variable spring_ticket"),
        (40164, "not in whitelist, ip: 203.0.113.9", "add this machine's IP 203.0.113.9 to the"),
        (40164, "not in whitelist", "add this machine's IP to the IP whitelist"),
    ],
)
def test_a_cure_names_what_to_change(errcode: int, errmsg: str, cure: str) -> None:
    """The connection, its ticket, or the address that WeChat names."""
    assert refusal(errcode, errmsg, ACCOUNT).problem.cure.startswith(cure)


@pytest.mark.parametrize(
    ("errmsg", "detail", "rid"),
    [
        ("data not ready rid: 5fc8a1b2-0a1b2c3d", "data not ready", "5fc8a1b2-0a1b2c3d"),
        ("data not ready, rid:5fc8a1b2", "data not ready", "5fc8a1b2"),
        ("rid: 5fc8a1b2", "", "5fc8a1b2"),
        ("no rid: 5fc8a1b2 (see above)", "no (see above)", "5fc8a1b2"),
        ("x" * 600 + " rid: 5fc8a1b2", "x" * 500 + "…", "5fc8a1b2"),
        ("an arid: place", "an arid: place", ""),
    ],
)
def test_the_rid_is_kept_apart(
    errmsg: str, detail: str, rid: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Days refused alike happened alike; the log has the rid of each, to ask WeChat about."""
    caplog.set_level(logging.INFO)

    assert refusal(61503, errmsg, ACCOUNT).detail == detail
    assert [it.rpartition(" ")[2] for it in caplog.messages] == ([rid] if rid else [])
