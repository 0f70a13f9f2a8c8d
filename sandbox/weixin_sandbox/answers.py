"""What goes back over the wire, before HTTP: answers, and refusals with an errcode."""

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
"""What people read most; the others say that they are refusals."""


class RefusedError(Exception):
    """WeChat answers the call with this errcode; `reason` is appended to its errmsg."""

    def __init__(self, errcode: int, reason: str = "") -> None:
        super().__init__(errcode, reason)
        self.errcode = errcode
        self.reason = reason


@dataclass(frozen=True)
class Answer:
    """
    One answer; `errcode` is what a client can read from it, None where it can read nothing.

    `hold_seconds` pass before the first byte; a cut answer ends halfway through its body;
    `clock_ahead_seconds` is how far its Date header is from the real time.
    """

    body: bytes
    errcode: int | None = 0
    status: int = 200
    hold_seconds: float = 0.0
    is_cut: bool = False
    clock_ahead_seconds: float = 0.0


def to_bytes(body: Mapping[str, Json] | list[Json]) -> bytes:
    """Compact UTF-8 JSON; Chinese characters stay themselves."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def refusal(refused: RefusedError, status: int = 200) -> Answer:
    """The answer to a call that is refused, with a fresh `rid`."""
    said = ", ".join(filter(None, [_ERRMSG.get(refused.errcode, "refused"), refused.reason]))
    rid = "-".join(secrets.token_hex(4) for _ in range(3))
    body: Row = {"errcode": refused.errcode, "errmsg": f"{said} rid: {rid}"}
    return Answer(to_bytes(body), refused.errcode, status)
