"""What goes back over the wire, before HTTP."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from weixin_sandbox.errcodes import errmsg

Json: TypeAlias = "int | float | str | list[Json] | dict[str, Json]"


@dataclass(frozen=True)
class Answer:
    """
    One answer of the platform.

    `errcode` is what a client can read from it: 0 for a success, None where nothing can be read.
    `hold_seconds` passes before the first byte; a cut answer ends halfway through its body.
    `clock_ahead_seconds` is how far its Date header is from the real time.
    """

    body: bytes
    errcode: int | None = 0
    status: int = 200
    hold_seconds: float = 0.0
    is_cut: bool = False
    clock_ahead_seconds: float = 0.0
    content_type: str = "text/plain"


def to_bytes(body: Mapping[str, Json]) -> bytes:
    """Compact UTF-8 JSON; Chinese characters stay themselves."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def refusal(errcode: int, reason: str = "", *, status: int = 200) -> Answer:
    """The answer to a call that the platform refuses."""
    body = to_bytes({"errcode": errcode, "errmsg": errmsg(errcode, reason)})
    return Answer(body, errcode=errcode, status=status)
