"""The list of accounts: what its entries stand for, and what a form may call an account."""

import pytest

from weixin_etl.accounts.entries import (
    ListedAccount,
    group_by_account,
    parse_entries,
    select_accounts,
)
from weixin_etl.model import Account, ParameterError
from weixin_etl.problem import ProblemKind, WeixinError

OWN = Account("own", "wx1", "secret", "春风")
ONE, TWO = (Account(f"agency/wx{n}", f"wx{n}", "", f"号{n}") for n in (1, 2))
BUSY = WeixinError(ProblemKind.UNREACHABLE, account="agency")
FOUND = {"own": [OWN], "agency": [ONE, TWO], "empty": [], "missing": BUSY}


def accounts_of(*entries: str, **found: object) -> list[ListedAccount]:
    """What the list stands for."""
    return group_by_account(entries, FOUND | found)  # type: ignore[operator]


@pytest.mark.parametrize("text", ["own", "[]", '{"own": 1}', "[1]"])
def test_a_list_that_names_nobody_is_refused(text: str) -> None:
    """The sentence shows how to write it."""
    with pytest.raises(ParameterError, match=r'\["weixin_default"\]'):
        parse_entries(text)


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        (["own"], [["own"]]),
        (["agency"], [["agency/wx1"], ["agency/wx2"]]),
        (["agency/wx2"], [["agency/wx2"]]),
        (["agency", "agency/wx2"], [["agency/wx1"], ["agency/wx2"]]),
        (["own", "agency"], [["own", "agency/wx1"], ["agency/wx2"]]),
        (["agency", "own"], [["agency/wx1", "own"], ["agency/wx2"]]),
    ],
)
def test_an_entry_stands_for_accounts(entries: list[str], found: list[list[str]]) -> None:
    """A connection for itself or for all of its accounts; each account is there once."""
    assert [[*it.conn_ids] for it in accounts_of(*entries)] == found


@pytest.mark.parametrize(
    ("entries", "kind", "named"),
    [
        (["missing"], ProblemKind.UNREACHABLE, "missing"),
        (["missing/wx8", "missing/wx9", "missing"], ProblemKind.UNREACHABLE, "missing"),
        (["agency/wx9"], ProblemKind.CONFIGURATION, "agency/wx9"),
        (["own/wx1"], ProblemKind.CONFIGURATION, "own/wx1"),
        (["empty"], ProblemKind.CONFIGURATION, "empty"),
    ],
)
def test_an_entry_that_stands_for_no_account_says_why(
    entries: list[str], kind: ProblemKind, named: str
) -> None:
    """It is told as the problem of the entry; a connection's once, whatever is listed of it."""
    (unusable,) = accounts_of(*entries)
    told = unusable.configured()

    assert told.problem
    assert ([*unusable.conn_ids], told.appid, told.problem.kind) == ([named], None, kind)


LIMITED = [
    ([], [["own", "agency/wx1"], ["agency/wx2"]]),
    *(([it], [["own", "agency/wx1"]]) for it in ("own", "wx1", "春风", "agency/wx1")),
    *(([it], [["agency/wx2"]]) for it in ("agency/wx2", "wx2", "号2")),
    (["agency"], [["own", "agency/wx1"], ["agency/wx2"]]),
]
UNSURE = [(["own"], [["own"]]), *(([it], [["agency"]]) for it in ("wx9", "agency/wx9", "agency"))]


@pytest.mark.parametrize(
    ("agency", "wanted", "collected"),
    [([ONE, TWO], *case) for case in LIMITED] + [(BUSY, *case) for case in UNSURE],
)
def test_a_run_is_limited_by_any_name_of_an_account(
    agency: object, wanted: list[str], collected: list[list[str]]
) -> None:
    """A connection that can't be used may have the account: the run says what is wrong with it."""
    accounts = select_accounts(accounts_of("own", "agency", agency=agency), wanted)

    assert [[*it.conn_ids] for it in accounts] == collected


def test_a_run_for_an_account_that_is_not_collected_is_refused() -> None:
    """Else it would be green without a figure; the nearest names come first."""
    with pytest.raises(ParameterError, match="wx9; there are wx2, wx1, own and 6 more"):
        select_accounts(accounts_of("own", "agency"), ["own", "wx9"])
