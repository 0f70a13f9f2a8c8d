"""The list of accounts: what its entries stand for, and what a form may call an account."""

import pytest

from weixin_etl.accounts.entries import (
    ListedAccount,
    entries_of,
    listed,
    wanted_of,
)
from weixin_etl.model import Account, ParameterError
from weixin_etl.problem import ProblemKind, WeixinError

OWN = Account("own", "wx1", "secret", "春风")
ONE, TWO = (Account(f"agency/wx{n}", f"wx{n}", "", f"号{n}") for n in (1, 2))
MISSING = WeixinError(
    ProblemKind.CONFIGURATION, account="missing", cause="it is missing", cure="create it"
)
BUSY = WeixinError(ProblemKind.UNREACHABLE, account="agency")
FOUND = {"own": [OWN], "agency": [ONE, TWO], "missing": MISSING, "empty": []}


def accounts_of(*entries: str, **found: object) -> list[ListedAccount]:
    return listed(entries, FOUND | found)  # type: ignore[operator]


def names(accounts: list[ListedAccount]) -> list[str]:
    """What people call them; an entry that stands for none by its id."""
    return [it.described[0].name if it.described else it.conn_ids[0] for it in accounts]


@pytest.mark.parametrize("text", ["own", "[]", '{"own": 1}', "[1]"])
def test_a_list_that_names_nobody_is_refused(text: str) -> None:
    """The sentence shows how to write it."""
    with pytest.raises(ParameterError, match=r'write it like \["weixin_default"\]'):
        entries_of(text)


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
    ("entry", "line"),
    [
        ("missing", "missing: create it (it is missing)"),
        ("missing/wx9", "missing: create it (it is missing)"),
        ("agency/wx9", "agency/wx9: have it authorised"),
        ("own/wx1", "own/wx1: have it authorised"),
        ("empty", "empty: have it authorised"),
    ],
)
def test_an_entry_that_stands_for_no_account_says_why(entry: str, line: str) -> None:
    """It is told as the problem of the entry; a connection's once, whatever is listed of it."""
    (unusable,) = accounts_of(entry, entry.replace("wx9", "wx8"))[:1]

    assert unusable.configured().appid is None
    assert str(unusable.configured().problem).startswith(line)
    assert len(accounts_of("missing/wx8", "missing/wx9", "missing")) == 1


@pytest.mark.parametrize(
    ("wanted", "collected"),
    [
        ([], ["春风", "号2"]),
        (["own"], ["春风"]),
        (["wx1"], ["春风"]),
        (["agency/wx2"], ["号2"]),
        (["agency"], ["春风", "号2"]),
        (["号2"], ["号2"]),
    ],
)
def test_a_run_is_limited_by_any_name_of_an_account(
    wanted: list[str], collected: list[str]
) -> None:
    """By its connection, its AppID, what people call it, or the connection of many."""
    assert names(wanted_of(accounts_of("own", "agency"), wanted)) == collected


def test_a_run_for_an_account_that_is_not_collected_is_refused() -> None:
    """Else it would be green without a figure; the nearest names come first."""
    said = "no account wx9; there are wx2, wx1, own and 6 more"
    with pytest.raises(ParameterError, match=said):
        wanted_of(accounts_of("own", "agency"), ["own", "wx9"])


@pytest.mark.parametrize(
    ("wanted", "collected"),
    [
        (["wx9"], ["agency"]),
        (["agency/wx9"], ["agency"]),
        (["agency"], ["agency"]),
        (["own"], ["春风"]),
    ],
)
def test_a_connection_that_cannot_be_used_may_have_the_account(
    wanted: list[str], collected: list[str]
) -> None:
    """So the run is not refused, and says what is wrong with it; `own` does not wait."""
    assert names(wanted_of(accounts_of("own", "agency", agency=BUSY), wanted)) == collected
