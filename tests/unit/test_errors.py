"""The errors of the API: what each errcode means, and what the operator is told."""

import inspect
import re

import pytest

from weixin_etl.api import errors
from weixin_etl.api.errors import (
    AccountBlockedError,
    CallError,
    ClockError,
    ConfigurationError,
    DailyQuotaError,
    EndpointOfflineError,
    MinuteQuotaError,
    NotAuthorisedError,
    NotReadyError,
    TokenRefusedError,
    UnreachableError,
    UnreadableError,
    WeixinError,
    from_errcode,
)
from weixin_etl.datasets import DATASETS

ACCOUNT = "Morning Paper (wx0123456789abcdef)"

ON_A_DATA_CALL = {
    UnreachableError: [-1],
    TokenRefusedError: [40001, 40014, 42001],
    MinuteQuotaError: [45011],
    NotReadyError: [61503],
    DailyQuotaError: [45009],
    EndpointOfflineError: [47009],
    ConfigurationError: [
        *(40013, 40125, 40164, 40243, 42007, 48001, 61004, 61007, 61502),
        *(89501, 89503, 89506, 89507),
        *(61005, 61006, 61011, 61023),
    ],
    AccountBlockedError: [48004, 50002],
    NotAuthorisedError: [61003],
    CallError: [41001, 41002, 41004, 43002, 44002, 47001, 40097, 61500, 61501, 12345],
}
"""WeChat's table of errcodes, and one nobody has classified yet."""


@pytest.mark.parametrize(
    ("errcode", "kind"), [(code, kind) for kind, codes in ON_A_DATA_CALL.items() for code in codes]
)
def test_every_errcode_has_its_class(errcode: int, kind: type[WeixinError]) -> None:
    """The class carries the reaction; the code, the account and what WeChat said are in it."""
    error = from_errcode(errcode, "what WeChat said", account=ACCOUNT)

    assert type(error) is kind
    assert error.errcode == errcode
    assert str(error) == (
        f"{ACCOUNT}: {error.cure} ({error.cause}: what WeChat said, errcode {errcode})"
    )


def test_every_class_carries_its_reaction() -> None:
    """Airflow tries again; the account's other days are not asked; it counts as an outage."""
    kinds = {*ON_A_DATA_CALL, ClockError, UnreadableError}

    assert {kind for kind in kinds if kind.kind.is_retried} == {
        *(UnreachableError, TokenRefusedError, MinuteQuotaError)
    }
    assert {kind for kind in kinds if not kind.stops_account} == {
        *(UnreachableError, MinuteQuotaError, NotReadyError, EndpointOfflineError),
        UnreadableError,
    }
    assert {kind for kind in kinds if kind.is_outage} == {
        UnreachableError,
        MinuteQuotaError,
    }


@pytest.mark.parametrize("errcode", [2**31, -(2**31) - 1, 10**30])
def test_a_number_that_can_be_no_errcode_is_unreadable(errcode: int) -> None:
    """It has no place in the column of errcodes, but the sentence shows it."""
    error = from_errcode(errcode, "odd", account=ACCOUNT)

    assert type(error) is UnreadableError
    assert error.errcode is None
    assert f"errcode {errcode}: odd" in str(error)


@pytest.mark.parametrize(
    ("errcode", "kind"),
    [
        (40001, ConfigurationError),
        (40014, CallError),
        (42001, CallError),
        (-1, UnreachableError),
        (40125, ConfigurationError),
        (45009, DailyQuotaError),
        (45011, MinuteQuotaError),
    ],
)
def test_a_token_call_has_no_token_to_refuse(errcode: int, kind: type[WeixinError]) -> None:
    """There 40001 means the secret: asking again would not help. The others are as always."""
    error = from_errcode(errcode, "", account=ACCOUNT, is_token_call=True)

    assert type(error) is kind


@pytest.mark.parametrize(("dataset", "number"), [("follower_total", 2), ("article_read", 7)])
def test_a_refusal_names_the_permission_set_of_its_dataset(dataset: str, number: int) -> None:
    """An account may have granted its articles and not its followers."""
    errors = [
        from_errcode(errcode, "", account=ACCOUNT, dataset=DATASETS[dataset])
        for errcode in (48001, 61007)
    ]

    assert [it.cure for it in errors] == [
        f"verify the account, or have permission set {number} granted",
        f"have set {number} authorised, or leave it out of weixin_accounts",
    ]
    assert errors[1].cause == f"the authorisation lacks permission set {number}"


@pytest.mark.parametrize(
    ("dataset", "advice"),
    [
        (
            "article_total",
            "use the successor's DAG weixin_article_total_detail",
        ),
        (
            "article_total_detail",
            "ask WeChat: this endpoint has no successor that is known here",
        ),
        (None, "use the successor"),
    ],
)
def test_an_endpoint_that_is_offline_names_its_successor(dataset: str | None, advice: str) -> None:
    """As what to do, where the dataset is known; WeChat's own words follow."""
    words = "this api is offline, please use the new api"
    asked = DATASETS[dataset] if dataset else None

    error = from_errcode(47009, words, account=ACCOUNT, dataset=asked)

    assert str(error) == (
        f"{ACCOUNT}: {advice} (WeChat took this endpoint offline: {words}, errcode 47009)"
    )


@pytest.mark.parametrize(
    ("errmsg", "detail", "rid"),
    [
        ("data not ready rid: 5fc8a1b2-0a1b2c3d-4e5f6a7b", "data not ready",
         "5fc8a1b2-0a1b2c3d-4e5f6a7b"),
        ("data not ready, rid:5fc8a1b2", "data not ready", "5fc8a1b2"),
        ("rid: 5fc8a1b2", "", "5fc8a1b2"),
        ("no rid: 5fc8a1b2 (see above)", "no (see above)", "5fc8a1b2"),
        ("x" * 600 + " rid: 5fc8a1b2", "x" * 500 + "…", "5fc8a1b2"),
        ("an arid: place", "an arid: place", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_the_rid_is_kept_apart(errmsg: str, detail: str, rid: str) -> None:
    """Days refused alike happened alike; the sentence of each ends with its own rid."""
    error = from_errcode(61503, errmsg, account=ACCOUNT)

    assert (error.detail, error.rid) == (detail, rid)
    assert rid not in error.happened or not rid
    assert str(error).endswith(f", errcode 61503, rid {rid})" if rid else ", errcode 61503)")


def test_the_tree_at_the_top_of_the_file_is_the_real_one() -> None:
    """Each class stands below the one it inherits from, and none is left out."""
    drawn = {}
    above = ["WeixinError"]
    for branch, name in re.findall(r"^ +([│ ]*[├└])── (\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(branch) // 4 + 1
        del above[depth:]
        drawn[name] = above[-1]
        above.append(name)
    real = {
        name: kind.__base__.__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, WeixinError) and kind is not WeixinError
    }

    assert drawn == real
