"""What an answer of WeChat says of itself: its errcode, and the error that it stands for."""

import logging
import re
from collections.abc import Sequence
from typing import Any, TypeVar
from unicodedata import category

import msgspec

from weixin_etl import json_text
from weixin_etl.api.threads import convert
from weixin_etl.model import Account
from weixin_etl.problem import ROWS, ProblemKind, WeixinError
from weixin_etl.text import one_line

log = logging.getLogger(__name__)

_ERRCODES = range(-(2**31), 2**31)
_LONGEST_ERRMSG = 500
_LONGEST_READ = 2000
_LONGEST_RID = 100
_RID = re.compile(r"(?<![\s,;])[\s,;]*\brid: *([\w-]+)")


class _Envelope(msgspec.Struct):
    """What every answer may say beside figures, as loosely as WeChat may write it."""

    errcode: int | str | None = 0
    errmsg: Any = ""


T = TypeVar("T")
_decoder = msgspec.json.Decoder(_Envelope)


def errcode_and_errmsg(body: bytes) -> tuple[int, str]:
    """
    What an answer says of itself: 0 and "" in a success.

    Raises:
        ValueError: it is no JSON object, or its errcode no number.
    """
    try:
        try:
            envelope = _decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            envelope = convert(json_text.decode(body), _Envelope)
    except RecursionError:
        return 0, ""  # no refusal is nested so deeply; parsing will report it
    return int(envelope.errcode or 0), str(envelope.errmsg or "")


def read(body: bytes, form: type[T]) -> T | None:
    """An answer in the form that its documentation shows; None if it has another."""
    try:
        return convert(json_text.decode(body), form)
    except (ValueError, RecursionError):
        return None


def refusal(
    errcode: int,
    errmsg: str,
    account: Account,
    *,
    is_token_call: bool = False,
    secrets: Sequence[str] = (),
) -> WeixinError:
    """The error an errcode stands for. `secrets` nobody may read, should WeChat repeat them."""
    errmsg = _harmless(errmsg, secrets)
    if rid := _RID.search(errmsg):  # WeChat's id of the call, for who asks WeChat about it
        log.info("%s: errcode %s, rid %s", account, errcode, rid[1][:_LONGEST_RID])
    detail = one_line(_RID.sub("", errmsg), _LONGEST_ERRMSG)
    if errcode not in _ERRCODES:
        odd = f"errcode {errcode}: {detail}"
        return WeixinError(ProblemKind.UNREADABLE, odd, account=str(account))
    return WeixinError(
        _kind_of(errcode, is_token_call=is_token_call),
        detail,
        account=str(account),
        to_change=account.airflow_connection,
        errcode=errcode,
    )


def _kind_of(errcode: int, *, is_token_call: bool) -> ProblemKind:
    """What an errcode stands for: on a token call 40001 means the secret, not the token."""
    kinds = [row.kind for row in ROWS if str(errcode) in row.codes and not row.kind.is_of_warehouse]
    if is_token_call and ProblemKind.TOKEN_REFUSED in kinds:
        kinds.remove(ProblemKind.TOKEN_REFUSED)
    return next(iter(kinds), ProblemKind.CALL_REFUSED)


def _harmless(said: str, secrets: Sequence[str]) -> str:
    """What WeChat said, in one line, without secrets: also not the part of one at a cut."""
    part = max(map(len, secrets), default=0)
    # also where a character that nobody sees holds a secret's parts apart
    read = said[: _LONGEST_READ + part]
    head = "".join(it for it in read if it in "\n\t" or category(it) not in ("Cc", "Cf"))
    for secret in secrets:
        head = head.replace(secret, "***")
    return one_line(head[:-part] if part and len(said) > _LONGEST_READ + part else head)
