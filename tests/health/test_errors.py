"""The errors of the API: what an errcode means, what people are told, and nothing hostile of it."""

import logging
from dataclasses import replace
from datetime import date, timedelta

import pytest
from support import cases

from weixin_etl.api.http import errcode_error
from weixin_etl.model import Account
from weixin_etl.problem import Problem, ProblemKind, merge_days
from weixin_etl.text import one_line, shown

ACCOUNT = Account("spring", "wx0123456789abcdef", "", "春风")
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
WEEK = tuple(date(2026, 11, 17) + timedelta(days=n) for n in range(7))
REACTIONS = ("is_retried", "is_outage", "stops_account")


@cases
def test_an_errcode_is_a_kind_with_its_reactions(errcodes: str, kind: str, reactions: str) -> None:
    """Airflow tries again, it counts as an outage, the account's other days are not asked."""
    assert {errcode_error(int(errcode), "", ACCOUNT).kind for errcode in errcodes.split()} == {kind}
    assert [flag for flag in REACTIONS if getattr(ProblemKind(kind), flag)] == reactions.split()
    # a token call has no token to refuse: there it is the secret
    assert errcode_error(40001, "", ACCOUNT, is_token_call=True).kind is ProblemKind.CONFIGURATION


def test_a_line_says_what_to_change_then_what_happened_then_ids() -> None:
    """The days are ranges; what differs in them only is one line; a cure names what to change."""
    ids = {"account": "春风", "appid": "wx1", "conn_id": "spring"}
    refused = replace(errcode_error(40125, "", ACCOUNT).problem, **ids)

    (merged,) = merge_days([replace(refused, days=WEEK[2:]), replace(refused, days=WEEK[:3])])

    assert str(merged) == (
        "春风: correct the password in the connection spring (the AppSecret is wrong) · "
        "2026-11-17 to 2026-11-23 · spring, errcode 40125"
    )
    assert errcode_error(61005, "", ACCOUNT).problem.cure.endswith(" spring_ticket")
    assert " IP 203.0.113.9 " in errcode_error(40164, "no, ip: 203.0.113.9", ACCOUNT).problem.cure


@pytest.mark.parametrize(
    ("errmsg", "detail", "rid"),
    [
        ("no rid: 5fc8a1b2-0a1b2c3d (see above)", "no (see above)", "5fc8a1b2-0a1b2c3d"),
        ("x" * 600 + " rid:5fc8a1b2", "x" * 500 + "…", "5fc8a1b2"),
        ("an arid: place", "an arid: place", ""),
        ("\u202e" * 1000 + "x" * (16 << 20), "an errmsg of 16778216 characters", ""),
    ],
)
def test_the_rid_is_kept_apart_and_the_rest_is_short(
    errmsg: str, detail: str, rid: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Days refused alike happened alike; the log has the rid of each, to ask WeChat about."""
    caplog.set_level(logging.INFO)

    assert errcode_error(61503, errmsg, ACCOUNT).detail == detail
    assert [message.rpartition(" ")[2] for message in caplog.messages] == ([rid] if rid else [])


def test_no_part_of_a_secret_is_left_where_a_text_is_cut() -> None:
    """Wherever it begins; nor what a character that is not shown held apart."""
    texts = ["x" * before + SECRET * 3 for before in range(460, 510)]
    texts += [f"{SECRET[:9]}{unseen}{SECRET[9:]}" for unseen in "\u200e\u200b\ufeff\xad\x1b"]

    left = [errcode_error(61500, text, ACCOUNT, [SECRET]).detail for text in texts]

    assert {*"".join(left)} == {*"x*…"}


def test_what_is_shown_has_no_control_and_no_direction_character() -> None:
    """Emoji made of several, Chinese and tabs stay; what is too long is cut."""
    hostile = "\x1b[2J\x07a\x7fb\x9bc\u202ed\u2066e\u200ff\u2028g\rh"
    text, clean = f"春风👨‍👩‍👧\t{hostile}\nnext", "[2J a b cdef g h"
    problem = Problem(ProblemKind.PROGRAM, "春" * 9999, hostile, account=hostile, subject=hostile)

    assert shown(text) == f"春风👨‍👩‍👧\t {clean}\nnext"
    assert one_line(text) == f"春风👨‍👩‍👧 {clean} next"
    assert (problem.cause, problem.subject) == ("春" * 2000 + "…", clean)
    assert str(problem).startswith(f"{clean}: {clean} (")
    assert one_line("春" * (16 << 20)) == "春" * 2000 + "…"
