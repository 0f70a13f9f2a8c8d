"""The list of accounts: what its entries stand for, and what a form may call an account."""

import json
from collections.abc import Mapping

import pytest

from weixin_etl.accounts.entries import AccountList, Listed, accounts_of, nearest_first
from weixin_etl.accounts.platform import Discovery
from weixin_etl.model import Account, ParameterError
from weixin_etl.problem import ProblemKind, WeixinError

OWN = Account("own", "wx1", "secret", "春风")
ONE, TWO = (Account(f"agency/wx{n}", f"wx{n}", "", f"号{n}") for n in (1, 2))
GONE = Account("agency/wx3", "wx3", "", "号3")
WITHDRAWN = WeixinError(ProblemKind.WITHDRAWN).problem(GONE)
BUSY = WeixinError(ProblemKind.UNREACHABLE, account="agency")
AGENCY = Discovery([ONE, TWO], {"wx3": WITHDRAWN}, frozenset({"wx4"}))


def listed(*entries: str, agency: Account | Discovery | WeixinError = AGENCY) -> Listed:
    """What the entries stand for."""
    missing = WeixinError(
        ProblemKind.CONFIGURATION, account="missing", cause="it is missing", cure="create it"
    )
    found: Mapping[str, Account | Discovery | WeixinError] = {
        "own": OWN,
        "agency": agency,
        "missing": missing,
    }
    return accounts_of(AccountList.read(json.dumps(entries)), found, "have one authorised")


def conn_ids(listed: Listed) -> list[list[str]]:
    """Of each account, the entries that name it."""
    return [[*it.conn_ids] for it in listed.accounts if it.described]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("own", "is not a JSON list of connection ids; write it like"),
        ("[]", "names no account; write it like"),
        ('["-agency/wx1"]', "names no account; write it like"),
        ('["agency", "-agency"]', "-agency is no account of a platform; write -<connection"),
    ],
)
def test_a_list_that_names_nobody_is_refused(text: str, sentence: str) -> None:
    """Else a slip of the pen would end the collection of a whole platform."""
    with pytest.raises(ParameterError) as refused:
        AccountList.read(text)

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        (["own"], [["own"]]),
        (["agency"], [["agency/wx1"], ["agency/wx2"]]),
        (["agency/wx2"], [["agency/wx2"]]),
        (["agency", "agency/wx2"], [["agency/wx1"], ["agency/wx2"]]),
        (["agency", "-agency/wx1"], [["agency/wx2"]]),
        (["own", "agency"], [["own", "agency/wx1"], ["agency/wx2"]]),
        (["agency", "own"], [["agency/wx1", "own"], ["agency/wx2"]]),
    ],
)
def test_an_entry_stands_for_accounts(entries: list[str], found: list[list[str]]) -> None:
    """A connection for one, a platform for all of its own; each account is there once."""
    assert conn_ids(listed(*entries)) == found


@pytest.mark.parametrize(
    ("entries", "agency", "line"),
    [
        (["missing"], AGENCY, "missing: create it (it is missing)"),
        (["agency/wx4"], AGENCY, "take it out of weixin_accounts (it is no Official Account)"),
        (["agency/wx9"], AGENCY, "have it authorised, or take it out of weixin_accounts (it does"),
        (["agency"], Discovery(), "agency: have one authorised (no Official Account is known"),
        (
            ["agency", "-agency/wx1"],
            Discovery([ONE]),
            "agency: leave fewer out in weixin_accounts (all of its accounts are left out)",
        ),
    ],
)
def test_an_entry_that_stands_for_no_account_says_why(
    entries: list[str], agency: Discovery, line: str
) -> None:
    """It is told as the problem of the entry."""
    (unusable,) = listed(*entries, agency=agency).accounts

    assert unusable.configured().appid is None
    assert line in str(unusable.problem)


@pytest.mark.parametrize(
    ("agency", "cure"),
    [
        (Discovery([ONE], problem=BUSY), "wait; if it persists"),
        (
            WeixinError(
                ProblemKind.CONFIGURATION, account="agency", cause="none", cure="create it"
            ),
            "create it",
        ),
        (Account("agency", "wxc", "secret", "号"), "set mode to platform"),
    ],
)
def test_a_problem_of_a_platform_is_told_once(
    agency: Account | Discovery | WeixinError, cure: str
) -> None:
    """However many of its accounts are listed."""
    found = listed("agency/wx1", "agency/wx9", agency=agency)

    (platform,) = [it for it in found.accounts if it.may_have_more]
    assert str(platform.problem).startswith(f"agency: {cure}")
    assert conn_ids(found) == ([["agency/wx1"]] if isinstance(agency, Discovery) else [])


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
    """By its connection, its AppID, what people call it, or the platform's connection."""
    found = listed("own", "agency")
    found.require(wanted)

    names = [it.described[0].name for it in found.accounts if found.is_wanted(it, wanted)]
    assert names == collected


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (
            "wx9",
            "no account wx9; there are 号2 (agency/wx2, wx2), 春风 (own",
        ),
        ("wx3", "wx3 no longer authorises agency; have it authorised again, or leave it out"),
    ],
)
def test_a_run_for_an_account_that_is_not_collected_is_refused(wanted: str, sentence: str) -> None:
    """Else it would be green without a figure."""
    with pytest.raises(ParameterError) as refused:
        listed("own", "agency").require([wanted])

    assert sentence in str(refused.value)


@pytest.mark.parametrize("wanted", ["wx9", "agency/wx9", "agency"])
def test_a_platform_without_its_list_may_have_the_account(wanted: str) -> None:
    """So the run is not refused, and says what is wrong with the platform; `own` does not wait."""
    found = listed("own", "agency", agency=Discovery(problem=BUSY))
    found.require([wanted])

    assert {it.conn_ids[0]: found.is_wanted(it, [wanted]) for it in found.accounts} == {
        "agency": True,
        "own": False,
    }
    assert [it.conn_ids[0] for it in found.accounts if found.is_wanted(it, ["own"])] == ["own"]


def test_the_nearest_names_come_first() -> None:
    """By any of an account's names; of many, three and how many more there are."""
    names = {f"号{number} (a{number})": [f"号{number}", f"a{number}"] for number in range(5)}

    assert nearest_first("A3", names) == ["号3 (a3)", "号0 (a0)", "号1 (a1)", "2 more"]
    assert nearest_first("号4", names)[0] == "号4 (a4)"
