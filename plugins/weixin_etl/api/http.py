"""One POST with bounded time, size and number of tries; judged by the body's errcode alone."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import msgspec
import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter

from weixin_etl import json_text
from weixin_etl.api import hidden_tokens
from weixin_etl.api.errors import (
    MinuteQuotaError,
    UnreachableError,
    UnreadableError,
    WeixinError,
    from_errcode,
)
from weixin_etl.model import Account

_CHUNK_BYTES = 1 << 16
_ERRCODES = range(-(2**31), 2**31)
_LONGEST_ERRMSG = 500
_BEFORE_A_VALUE = (b"{", b"[", b",")
_NO_TLS = "the TLS connection failed; the host, its port or a proxy may be wrong"
_POOL_SIZE = 16


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How long a call may take and how often it is tried."""

    connect_seconds: float = 5
    read_seconds: float = 30
    tries: int = 5
    total_seconds: float = 60
    """All tries of a call and the waits between them."""
    backoff_seconds: float = 1
    """First wait; it doubles, with jitter."""
    minute_quota_wait_seconds: float = 60
    max_answer_bytes: int = 16 << 20
    max_answer_values: int = 500_000
    """JSON values in an answer: each takes more memory than the bytes it is written with."""


class _Envelope(msgspec.Struct):
    """What every answer may say beside figures, as loosely as WeChat may write it."""

    errcode: int | str | None = 0
    errmsg: Any = ""


class _Session(requests.Session):
    """Follows no redirect: to say where one leads, requests would read its whole answer."""

    def get_redirect_target(self, _: requests.Response) -> None:
        """There is none to follow."""


class Caller:
    """Posts JSON for one account; may be used by several threads at once."""

    def __init__(self, account: Account, limits: CallLimits) -> None:
        self._account = account
        self._limits = limits
        hidden_tokens.install()
        self._session = _Session()
        self._session.headers["User-Agent"] = f"weixin-etl/{version('weixin-etl')}"
        # retries are tenacity's: urllib3 would log the URL, and so the token
        adapter = HTTPAdapter(pool_maxsize=_POOL_SIZE, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def post(
        self,
        path: str,
        payload: dict[str, Any],
        *,
        token: str | None = None,
        on_try: Callable[[], None] = lambda: None,
    ) -> bytes:
        """
        The bytes of a successful answer; transport trouble is tried again, 45011 once after a wait.

        Raises:
            WeixinError: what WeChat or the way to it answered instead.

        """
        minute = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(MinuteQuotaError),
            stop=tenacity.stop_after_attempt(2),
            wait=tenacity.wait_fixed(self._limits.minute_quota_wait_seconds),
            reraise=True,
        )
        return minute(self._post_patiently, path, payload, token, on_try)

    def _post_patiently(
        self, path: str, payload: dict[str, Any], token: str | None, on_try: Callable[[], None]
    ) -> bytes:
        deadline = time.monotonic() + self._limits.total_seconds
        patiently = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(UnreachableError),
            stop=tenacity.stop_after_attempt(self._limits.tries)
            | tenacity.stop_before_delay(self._limits.total_seconds),
            wait=tenacity.wait_exponential(self._limits.backoff_seconds)
            + tenacity.wait_random(0, self._limits.backoff_seconds),
            reraise=True,
        )

        def once() -> bytes:
            on_try()
            return self._judge(self._exchange(path, payload, token, deadline), token)

        return patiently(once)

    def _exchange(
        self, path: str, payload: dict[str, Any], token: str | None, deadline: float
    ) -> bytes:
        """One request and the bytes of its answer, or `UnreachableError` in our own words."""
        try:
            with self._session.post(
                self._account.base_url.rstrip("/") + path,
                params={"access_token": token} if token else None,
                data=msgspec.json.encode(payload),
                headers={"Content-Type": "application/json"},
                timeout=(
                    self._limits.connect_seconds,
                    max(0.1, min(self._limits.read_seconds, deadline - time.monotonic())),
                ),
                allow_redirects=False,
                stream=True,
            ) as response:
                status = response.status_code
                body = self._read(response, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            trouble = self._describe(error)
        else:
            if status < requests.codes.server_error:
                return body
            trouble = f"HTTP {status}"
        # raised out here: an exception of requests carries the URL, and so the token
        raise UnreachableError(trouble, account=str(self._account))

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        # read1 gives what has come; iter_content would wait for a whole chunk, past the deadline
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > self._limits.max_answer_bytes:
                raise UnreadableError(
                    f"the answer is larger than {self._limits.max_answer_bytes} bytes",
                    account=str(self._account),
                )
            if time.monotonic() > deadline:
                raise requests.Timeout
        if sum(map(body.count, _BEFORE_A_VALUE)) > self._limits.max_answer_values:
            raise UnreadableError(
                f"the answer holds more than {self._limits.max_answer_values} values",
                account=str(self._account),
            )
        return bytes(body)

    def _judge(self, body: bytes, token: str | None) -> bytes:
        try:
            errcode, errmsg = _errcode_and_errmsg(body)
        except RecursionError:
            raise UnreadableError(
                "the answer is nested too deeply", account=str(self._account)
            ) from None
        except ValueError:
            raise UnreachableError(
                "the answer is not a JSON object", account=str(self._account)
            ) from None
        if errcode == 0:
            return body
        raise self._refusal(errcode, errmsg, token)

    def _refusal(self, errcode: int, errmsg: str, token: str | None) -> WeixinError:
        errmsg = json_text.storable(errmsg)
        for secret in (token, self._account.secret):
            if secret:
                errmsg = errmsg.replace(secret, "***")
        if len(errmsg) > _LONGEST_ERRMSG:
            errmsg = errmsg[:_LONGEST_ERRMSG] + "…"
        if errcode not in _ERRCODES:
            return UnreadableError(f"errcode {errcode}: {errmsg}", account=str(self._account))
        return from_errcode(
            errcode, errmsg, account=str(self._account), is_token_call=token is None
        )

    def _describe(self, error: Exception) -> str:
        if isinstance(error, requests.exceptions.SSLError):
            is_untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            return "the TLS certificate could not be verified" if is_untrusted else _NO_TLS
        if isinstance(error, requests.ConnectTimeout):
            return f"no connection within {self._limits.connect_seconds:g} s"
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
            return "no complete answer in time"
        return _os_reason(error) or f"the connection broke: {type(error).__name__}"


def _errcode_and_errmsg(body: bytes) -> tuple[int, str]:
    """
    What an answer says of itself: 0 and "" in a success.

    Raises:
        ValueError: it is no JSON object, or its errcode no number.
        RecursionError: it is nested too deeply.

    """
    try:
        envelope = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        envelope = msgspec.convert(json_text.decode(body), _Envelope)
    return int(envelope.errcode or 0), str(envelope.errmsg or "")


def _os_reason(error: BaseException | None) -> str:
    """What the operating system said, without an address: "Connection refused"."""
    while error is not None:
        if isinstance(error, OSError) and error.errno and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return ""
