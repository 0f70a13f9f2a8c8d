"""The errors of the API: what an errcode means, what people are told, and nothing hostile of it."""

import logging

import pytest

from weixin_etl.api.http import refusal
from weixin_etl.model import Account
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.text import one_line, shown

ACCOUNT = Account("spring", "wx0123456789abcdef", "", "春风")
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
RETRIED, OUTAGE, STOPS = "is_retried", "is_outage", "stops_account"


@pytest.mark.parametrize(
    ("errcodes", "kind", "marks"),
    [
        ([-1], ProblemKind.UNREACHABLE, {RETRIED, OUTAGE}),
        ([40001, 40014, 42001], ProblemKind.TOKEN_REFUSED, {RETRIED, STOPS}),
        ([45011], ProblemKind.MINUTE_QUOTA, {RETRIED, OUTAGE}),
        ([61503], ProblemKind.NOT_READY, set()),
        ([45009], ProblemKind.DAILY_QUOTA, {STOPS}),
        ([47009], ProblemKind.ENDPOINT_OFFLINE, set()),
        ([40125, 40164, 48001, 50002, 61007, 89503], ProblemKind.CONFIGURATION, {STOPS}),
        ([41001, 61500, 12345], ProblemKind.CALL_REFUSED, {STOPS}),
    ],
)
def test_an_errcode_has_its_kind_and_the_kind_its_reaction(
    errcodes: list[int], kind: ProblemKind, marks: set[str]
) -> None:
    """Airflow tries again, it counts as an outage, the account's other days are not asked."""
    for errcode in errcodes:
        error = refusal(errcode, "what WeChat said", ACCOUNT)

        assert error.kind is kind
        assert str(error).startswith(f"{ACCOUNT}: {error.problem.cure} (")
        assert str(error).endswith(f": what WeChat said) · errcode {errcode}")
    assert {it for it in (RETRIED, OUTAGE, STOPS) if getattr(kind, it)} == marks


@pytest.mark.parametrize(
    ("errcode", "kind"),
    [
        (40001, ProblemKind.CONFIGURATION),
        (40014, ProblemKind.CALL_REFUSED),
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
        ("\u202e" * 1000 + "x" * (16 << 20), "an errmsg of 16778216 characters", ""),
    ],
)
def test_the_rid_is_kept_apart_and_the_rest_is_short(
    errmsg: str, detail: str, rid: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Days refused alike happened alike; the log has the rid of each, to ask WeChat about."""
    caplog.set_level(logging.INFO)

    assert refusal(61503, errmsg, ACCOUNT).detail == detail
    assert [it.rpartition(" ")[2] for it in caplog.messages] == ([rid] if rid else [])


def test_no_part_of_a_secret_is_left_where_a_text_is_cut() -> None:
    """Wherever it begins; nor what a character that is not shown held apart."""
    texts = [
        *("x" * before + SECRET * 3 for before in range(460, 510)),
        *(f"{SECRET[:9]}{unseen}{SECRET[9:]}" for unseen in "\u200e\u200b\ufeff\xad\x1b"),
    ]

    left = [refusal(61500, said, ACCOUNT, [SECRET]).detail for said in texts]

    assert {*"".join(left)} == {*"x*…"}


HOSTILE = "\x1b[2J\x07a\x7fb\x9bc\u202ed\u2066e\u200ff\u2028g\rh"
"""Clears a terminal, rings, and turns the order of reading."""


def test_what_is_shown_has_no_control_and_no_direction_character() -> None:
    """Emoji made of several, Chinese and tabs stay; lines do where there may be several."""
    text = f"春风👨‍👩‍👧\t{HOSTILE}\nnext"
    problem = Problem(ProblemKind.PROGRAM, HOSTILE, HOSTILE, account=HOSTILE, subject=HOSTILE)
    clean = "[2J a b cdef g h"

    assert shown(text) == f"春风👨‍👩‍👧\t {clean}\nnext"
    assert one_line(text) == f"春风👨‍👩‍👧 {clean} next"
    assert one_line("春" * (16 << 20)) == "春" * 2000 + "…"
    assert (str(problem), problem.subject) == (f"{clean}: {clean} ({clean})", clean)
