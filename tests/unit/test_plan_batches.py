"""Batches of accounts: the cost of scheduling does not grow with them."""

from datetime import date

import pytest

from weixin_etl.plan import PlannedAccount, batches


def planned(count: int) -> list[PlannedAccount]:
    """So many accounts with a day each."""
    return [
        PlannedAccount(f"weixin_{number}", f"wx{number}", f"No. {number}", [date(2026, 11, 17)])
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, {}),
        (1, {1: 1}),
        (32, {1: 32}),
        (33, {2: 1, 1: 31}),
        (40, {2: 8, 1: 24}),
        (500, {16: 20, 15: 12}),
    ],
)
def test_accounts_are_spread_evenly_over_at_most_32_batches(
    count: int, sizes: dict[int, int]
) -> None:
    """One a batch while that is enough; none empty, and sizes that differ by one at most."""
    accounts = planned(count)

    made = batches(accounts)

    assert {size: [len(batch) for batch in made].count(size) for size in map(len, made)} == sizes
    given = [account for batch in made for account in batch]
    assert sorted(given, key=accounts.index) == accounts
