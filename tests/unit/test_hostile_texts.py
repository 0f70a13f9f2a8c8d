"""Texts of strangers: looking at them takes no long time, and what is shown of them is harmless."""

import ast
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from weixin_etl.api import envelope, http
from weixin_etl.model import Account
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.text import one_line, shown
from weixin_local.run import problems

PLUGINS = Path(__file__).parents[2] / "plugins"
OVER_OWN_FILES = ("check.py", "warehouse/views.py", "warehouse/migrations.py")
"""What these look at are the project's own statements."""
OVER_WHOLE_TEXTS = {"_MSGID", "_IN_TEXTS"}
"""Used by `fullmatch` alone; the others as if everything they find were replaced."""
BEGINNINGS = ("", "x [error] ", "connection to server ", "/api/v2/dags/", "1 1 1")
PIECES = (
    *(" ", ",", ";", ", ", "\t", "\n", "-", "_1", "1", "1.", "a", "a.", "[", "[a] ", " [a]", "("),
    *("rid:", "rid: ", "Error", "Error: ", " failed: ", "\x1b[", "\x1b[1", "access_token=", "\0"),
    *("/dagRuns", "\ud800", '\\"', "\u202e", "\u3000", "9e9", ":", "%", "é"),
)
ACCOUNT = Account("weixin_default", "wx1", "", "春风")
LENGTH = 4096
NOTHING_SECONDS = 0.005
"""Below it nothing is judged: at this length what grows by the square takes far longer."""
HOSTILE = "\x1b[2J\x07a\x7fb\x9bc\u202ed\u2066e\u200ff\u2028g\rh"
"""Clears a terminal, rings, and turns the order of reading."""


def _patterns() -> Iterator[tuple[str, Callable[[str], object]]]:
    """Each regular expression of the packages, but for those over their own files."""
    for path in sorted(PLUGINS.glob("weixin_*/**/*.py")):
        if str(path).endswith(OVER_OWN_FILES):
            continue
        tree = ast.parse(path.read_text())
        names = {
            id(inner): ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for inner in ast.walk(node)
        }
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and (written := _written(call)) is not None:
                name = names.get(id(call), "")
                pattern = re.compile(ast.literal_eval(written))
                use = pattern.fullmatch if name in OVER_WHOLE_TEXTS else _all_replaced(pattern)
                yield f"{path.relative_to(PLUGINS)}-{name}-{call.lineno}", use


def _written(call: ast.Call) -> ast.expr | None:
    """The expression that a call takes, if any: of `re`, or of `msgspec.Meta`."""
    function = ast.unparse(call.func)
    if function.startswith("re."):
        return call.args[0]
    named = [it.value for it in call.keywords if it.arg == "pattern"]
    return named[0] if named and function.endswith("Meta") else None


def _all_replaced(pattern: re.Pattern[str]) -> Callable[[str], object]:
    return lambda text: pattern.sub("", text)


LOOKS = {
    **dict(_patterns()),
    "errmsg": lambda text: envelope.refusal(40164, text, ACCOUNT),
    "errmsg with secrets": lambda text: envelope._harmless(text, ["a" * 32, "rid: "]),
    "Date header": lambda text: http._disagreement(http._said_at(text)),
    "name": one_line,
    "traceback": shown,
    "log": lambda text: problems([text]),
}


def test_the_patterns_are_found() -> None:
    """Else nothing would be looked at."""
    found = {name.split("-")[1] for name in LOOKS if "-" in name}

    assert found >= {"_RID", "_ADDRESS", "TokenText", "_MSGID", "_ERROR_LINE"}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_no_text_takes_long_to_look_at(look: Callable[[str], object]) -> None:
    """Twice the text takes twice the time, not four times: nothing is read again and again."""
    texts = ((beginning, piece) for beginning in BEGINNINGS for piece in PIECES)

    assert next((it for it in texts if _grows(look, *it)), None) is None


def _grows(look: Callable[[str], object], beginning: str, piece: str) -> bool:
    def seconds(length: int) -> float:
        text = beginning + piece * (length // len(piece)) + "!"
        begun = time.thread_time()
        look(text)
        return time.thread_time() - begun

    if seconds(LENGTH) < NOTHING_SECONDS:
        return False
    short, long = (min(seconds(length) for _ in range(3)) for length in (LENGTH, 2 * LENGTH))
    return long > 3 * short


def test_a_text_is_cut_before_anything_looks_at_it() -> None:
    """Sixteen megabytes are the longest that an answer may hold."""
    said = envelope.refusal(61500, "\u202e" * 1000 + "x" * (16 << 20) + " rid: 5fc8a1b2", ACCOUNT)

    assert (said.detail, said.rid) == ("x" * 500 + "…", "")
    assert one_line("春" * (16 << 20)) == "春" * 2000 + "…"


def test_no_part_of_a_secret_is_left_where_a_text_is_cut() -> None:
    """Wherever it begins; nor what a character that is not shown held apart."""
    secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    left = {envelope._harmless("x" * before + secret * 1000, [secret]) for before in range(2040)}

    assert set("".join(left)) == set("x*")
    for unseen in "\u200e\u200b\ufeff\xad\x1b":
        assert envelope._harmless(f"{secret[:9]}{unseen}{secret[9:]}", [secret]) == "***"


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
