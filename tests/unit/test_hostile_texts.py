"""Texts of strangers are cut first, and what is shown of them is harmless."""

from weixin_etl.api.http import refusal
from weixin_etl.model import Account
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.text import one_line, shown

ACCOUNT = Account("weixin_default", "wx1", "", "春风")
HOSTILE = "\x1b[2J\x07a\x7fb\x9bc\u202ed\u2066e\u200ff\u2028g\rh"
"""Clears a terminal, rings, and turns the order of reading."""


def test_a_text_is_cut_before_anything_looks_at_it() -> None:
    """Sixteen megabytes are the longest that an answer may hold."""
    said = refusal(61500, "\u202e" * 1000 + "x" * (16 << 20) + " rid: 5fc8a1b2", ACCOUNT)

    assert said.detail == "an errmsg of 16778230 characters"
    assert refusal(61500, "x" * 2000, ACCOUNT).detail == "x" * 500 + "…"
    assert one_line("春" * (16 << 20)) == "春" * 2000 + "…"


def test_no_part_of_a_secret_is_left_where_a_text_is_cut() -> None:
    """Wherever it begins; nor what a character that is not shown held apart."""
    secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    whole = [
        "x" * 400 + secret * 9,
        *("x" * before + secret * 3 for before in range(460, 510)),
        *(f"{secret[:9]}{unseen}{secret[9:]}" for unseen in "\u200e\u200b\ufeff\xad\x1b"),
    ]

    left = [refusal(61500, said, ACCOUNT, [secret]).detail for said in whole]

    assert {*"".join(left)} == {*"x*…"}


def test_what_is_shown_has_no_control_and_no_direction_character() -> None:
    """Emoji made of several, Chinese and tabs stay; lines do where there may be several."""
    text = f"春风👨‍👩‍👧\t{HOSTILE}\nnext"

    assert shown(text) == "春风👨‍👩‍👧\t [2J a b cdef g h\nnext"
    assert one_line(text) == "春风👨‍👩‍👧 [2J a b cdef g h next"


def test_a_problem_holds_nothing_hostile() -> None:
    """Whoever wrote its texts: it is what logs, messages, tables and the page show."""
    problem = Problem(ProblemKind.PROGRAM, HOSTILE, HOSTILE, account=HOSTILE, subject=HOSTILE)
    clean = "[2J a b cdef g h"

    assert str(problem) == f"{clean}: {clean} ({clean})"
    assert problem.subject == clean
