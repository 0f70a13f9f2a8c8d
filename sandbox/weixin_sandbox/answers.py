"""The sandbox's answers and refusals, before they become HTTP responses."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = "int | float | str | list[Json] | dict[str, Json]"
Row: TypeAlias = dict[str, Json]

_ERRMSG = {
    40125: "invalid appsecret",
    40164: "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist",
    47009: "this api is offline, please use the new api",
    48001: "api unauthorized",
    61503: "data not ready, please try later",
}
"""The texts of common errcodes; every other errcode has the text `refused`."""


class RefusedError(Exception):
    """A refusal with an errcode; `reason` is appended to the errmsg."""

    def __init__(self, errcode: int, reason: str = "") -> None:
        super().__init__(errcode, reason)
        self.errcode = errcode
        self.reason = reason


@dataclass(frozen=True)
class Answer:
    """
    One answer to a call.

    Attributes:
        body: the bytes of the body.
        errcode: the errcode that a client can read; 0 for a success, None if none is readable.
        status: the HTTP status.
        hold_seconds: the wait before the first byte.
        is_cut: whether the connection closes after half of the body.
        clock_ahead_seconds: the difference of the Date header from the real time.
    """

    body: bytes
    errcode: int | None = 0
    status: int = 200
    hold_seconds: float = 0.0
    is_cut: bool = False
    clock_ahead_seconds: float = 0.0


def to_bytes(body: Mapping[str, Json] | list[Json]) -> bytes:
    """Return compact JSON as UTF-8, with unescaped Chinese characters."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def refusal(refused: RefusedError, status: int = 200) -> Answer:
    """Return the answer to a refused call, with a new `rid`."""
    errmsg = ", ".join(filter(None, [_ERRMSG.get(refused.errcode, "refused"), refused.reason]))
    rid = "-".join(secrets.token_hex(4) for _ in range(3))
    body: Row = {"errcode": refused.errcode, "errmsg": f"{errmsg} rid: {rid}"}
    return Answer(to_bytes(body), refused.errcode, status)
