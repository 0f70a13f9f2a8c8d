"""Tests of the list of accounts: the accounts of each entry, and the names that a form accepts."""

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
FIRST, SECOND = (Account(f"agency/wx{n}", f"wx{n}", "", f"号{n}") for n in (1, 2))
BUSY = WeixinError(ProblemKind.UNREACHABLE, account="agency")
FOUND = {"own": [OWN], "agency": [FIRST, SECOND], "empty": [], "missing": BUSY}


def accounts_of(*entries: str, **found: object) -> list[ListedAccount]:
    """Return the accounts of the list's entries; `found` replaces accounts of `FOUND`."""
    return group_by_account(entries, FOUND | found)  # type: ignore[operator]


@pytest.mark.parametrize("text", ["own", "[]", '{"own": 1}', "[1]"])
def test_a_list_without_accounts_is_refused_with_an_example(text: str) -> None:
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
def test_an_entry_stands_for_its_accounts_and_each_account_is_listed_once(
    entries: list[str], found: list[list[str]]
) -> None:
    assert [[*account.conn_ids] for account in accounts_of(*entries)] == found


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
def test_an_entry_without_an_account_has_a_problem(
    entries: list[str], kind: ProblemKind, named: str
) -> None:
    """A connection's problem is reported once, however many of its accounts are listed."""
    (unusable,) = accounts_of(*entries)
    entry = unusable.configured()

    assert entry.problem
    assert ([*unusable.conn_ids], entry.appid, entry.problem.kind) == ([named], None, kind)


LIMITED = [
    ([], [["own", "agency/wx1"], ["agency/wx2"]]),
    *(([name], [["own", "agency/wx1"]]) for name in ("own", "wx1", "春风", "agency/wx1")),
    *(([name], [["agency/wx2"]]) for name in ("agency/wx2", "wx2", "号2")),
    (["agency"], [["own", "agency/wx1"], ["agency/wx2"]]),
]
UNSURE = [
    (["own"], [["own"]]),
    *(([name], [["agency"]]) for name in ("wx9", "agency/wx9", "agency")),
]


@pytest.mark.parametrize(
    ("agency", "wanted", "collected"),
    [([FIRST, SECOND], *case) for case in LIMITED] + [(BUSY, *case) for case in UNSURE],
)
def test_a_run_can_be_limited_by_any_name_of_an_account(
    agency: object, wanted: list[str], collected: list[list[str]]
) -> None:
    """An unusable connection stays in the run, because the wanted account may be one of its own."""
    accounts = select_accounts(accounts_of("own", "agency", agency=agency), wanted)

    assert [[*account.conn_ids] for account in accounts] == collected


def test_a_run_for_an_account_that_is_not_collected_is_refused() -> None:
    """Otherwise the run would succeed without a figure. The error lists the nearest names first."""
    with pytest.raises(ParameterError, match="wx9; there are wx2, wx1, own and 6 more"):
        select_accounts(accounts_of("own", "agency"), ["own", "wx9"])
