"""One call, bounded in time, size and tries; of an answer of WeChat only the errcode counts."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import version
from typing import Any, TypeVar

import msgspec
import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter

from weixin_etl import clock
from weixin_etl.api.envelope import errcode_and_errmsg, refusal
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 16
_POOL_SIZE = 16
_NO_TLS = "the TLS connection failed; the host, its port or a proxy may be wrong"
_NOT_WECHAT = "the connection's host may be wrong, or a proxy answered"
_NO_ANSWER = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    TimeoutError,
    ValueError,
)
T = TypeVar("T")


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
    """Unpacked."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of WeChat."""

    path: str
    payload: dict[str, Any] = field(repr=False)
    token: str | None = field(default=None, repr=False)
    """None on the call that gives an account's or a platform's own token."""
    token_name: str = "access_token"  # noqa: S105 # a parameter's name
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What the payload holds that nobody may read, should WeChat repeat it."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, whole."""

    status: int
    body: bytes = field(repr=False)
    date: str = ""
    """The header: what time it is by WeChat."""


@cache
def _session() -> requests.Session:
    """The process's one session: all accounts share its connections."""
    # its lines quote URLs, and so tokens; a filter does not hold for the loggers below it
    for module in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
        logging.getLogger(f"urllib3.{module}").addFilter(lambda _: False)
    session = requests.Session()
    session.headers["User-Agent"] = f"weixin-etl/{version('weixin-etl')}"
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=_POOL_SIZE))
    return session


class Caller:
    """Calls for one account; may be used by several threads at once."""

    def __init__(self, account: Account, limits: CallLimits) -> None:
        self._account = account
        self._limits = limits

    def post(self, call: Call, on_try: Callable[[], None] = lambda: None) -> bytes:
        """
        The bytes of a successful answer; transport errors are retried, 45011 once after a wait.

        Raises:
            WeixinError: what WeChat or the way to it answered instead.
        """

        def once(deadline: float) -> bytes:
            on_try()
            return self._judged(call, self._exchange(self._request(call), deadline))

        minute = tenacity.Retrying(
            retry=_retry_of(ProblemKind.MINUTE_QUOTA),
            stop=tenacity.stop_after_attempt(2),
            wait=tenacity.wait_fixed(self._limits.minute_quota_wait_seconds),
            reraise=True,
        )
        body: bytes = minute(self._patiently, once)
        return body

    def send(self, request: requests.Request) -> Response:
        """
        Another server's answer; transport errors are retried.

        Raises:
            WeixinError: no answer came, a status of 500 or more, or too large an answer.
        """
        return self._patiently(lambda deadline: self._exchange(request, deadline))

    def _request(self, call: Call) -> requests.Request:
        return requests.Request(
            "POST",
            self._account.base_url.rstrip("/") + call.path,
            params={call.token_name: call.token} if call.token else None,
            data=msgspec.json.encode(call.payload),
            headers={"Content-Type": "application/json"},
        )

    def _patiently(self, once: Callable[[float], T]) -> T:
        """Try until something usable comes, tries or time are used up; hands in the deadline."""
        deadline = time.monotonic() + self._limits.total_seconds
        patiently = tenacity.Retrying(
            retry=_retry_of(ProblemKind.UNREACHABLE),
            stop=tenacity.stop_after_attempt(self._limits.tries)
            | tenacity.stop_before_delay(self._limits.total_seconds),
            wait=tenacity.wait_exponential(self._limits.backoff_seconds)
            + tenacity.wait_random(0, self._limits.backoff_seconds),
            reraise=True,
        )
        return patiently(once, deadline)

    def _exchange(self, request: requests.Request, deadline: float) -> Response:
        """One request and its answer; what comes instead is said in our own words."""
        try:
            seconds = max(0.1, deadline - time.monotonic())
            response = _within(seconds, lambda: self._send(request, deadline))
        except _NO_ANSWER as error:
            said = self._described(error)
        else:
            if response.status < requests.codes.server_error:
                return response
            said = f"HTTP {response.status}"
        # raised out here: an exception of requests carries the URL, and so the token
        raise self._error(ProblemKind.UNREACHABLE, said)

    def _send(self, request: requests.Request, deadline: float) -> Response:
        prepared = _session().prepare_request(request)
        url = str(prepared.url)
        settings: Any = _session().merge_environment_settings(url, {}, True, None, None)
        timeout = (self._limits.connect_seconds, self._limits.read_seconds)
        # by the adapter: the session would keep cookies, and read the whole answer to a redirect
        adapter = _session().get_adapter(url)
        with adapter.send(prepared, timeout=timeout, **settings) as response:
            return Response(
                response.status_code,
                self._read(response, deadline),
                response.headers.get("Date", ""),
            )

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        # read1 gives what has come: its size is known before more is read
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if time.monotonic() > deadline:
                raise TimeoutError
            if len(body) > (most := self._limits.max_answer_bytes):
                said = f"the answer is larger than {most} bytes"
                raise self._error(ProblemKind.UNREADABLE, said)
        return bytes(body)

    def _judged(self, call: Call, response: Response) -> bytes:
        """The body of a success; the time is compared in an answer to a token call."""
        try:
            errcode, errmsg = errcode_and_errmsg(response.body)
        except ValueError:
            said = f"HTTP {response.status} and no JSON object; {_NOT_WECHAT}"
            raise self._error(ProblemKind.UNREACHABLE, said) from None
        if call.token is None and (said := disagreement(response.date)):
            raise self._error(ProblemKind.CLOCK, said)
        if errcode:
            raise self._refusal(call, errcode, errmsg)
        if response.status != requests.codes.ok:
            said = f"HTTP {response.status} without an errcode; {_NOT_WECHAT}"
            raise self._error(ProblemKind.UNREACHABLE, said)
        return response.body

    def _refusal(self, call: Call, errcode: int, errmsg: str) -> WeixinError:
        secrets = [it for it in (call.token, self._account.secret, *call.secrets) if it]
        return refusal(
            errcode, errmsg, self._account, is_token_call=call.token is None, secrets=secrets
        )

    def _error(self, kind: ProblemKind, said: str) -> WeixinError:
        return WeixinError(kind, said, account=str(self._account))

    def _described(self, error: Exception) -> str:
        if isinstance(error, requests.exceptions.SSLError):
            is_untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            return "the TLS certificate could not be verified" if is_untrusted else _NO_TLS
        if isinstance(error, requests.ConnectTimeout):
            return f"no connection within {self._limits.connect_seconds:g} s"
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
            return "no complete answer in time"
        return _os_reason(error) or f"the connection broke: {type(error).__name__}"


def _within(seconds: float, call: Callable[[], T]) -> T:
    """
    What the call returns, if that is in time; else it is left alone.

    Timeouts of sockets are for each read: a server that sends a byte now and then keeps every
    parser reading. So the call has a thread of its own, which does not keep the process alive.

    Raises:
        TimeoutError: it is not.
    """
    came: Future[T] = Future()

    def run() -> None:
        try:
            came.set_result(call())
        except BaseException as error:
            came.set_exception(error)

    threading.Thread(target=run, name="call", daemon=True).start()
    return came.result(seconds)


def _retry_of(kind: ProblemKind) -> tenacity.retry_base:
    return tenacity.retry_if_exception(lambda it: isinstance(it, WeixinError) and it.kind is kind)


def disagreement(date_header: str) -> str:
    """
    This machine's time and that of an answer's `Date`, if they are more than five minutes apart.

    This machine's real clock is meant, whatever `WEIXIN_NOW` says: a wrong one would ask for the
    wrong days and date the answers wrongly.
    """
    try:
        said_at = parsedate_to_datetime(date_header[:100])
        theirs, ours = said_at.replace(tzinfo=said_at.tzinfo or UTC), datetime.now(UTC)
        if abs(theirs - ours) <= clock.TOLERANCE:
            return ""
        at, their_at = (f"{it.astimezone(clock.SHANGHAI):%F %T}" for it in (ours, theirs))
    except (ValueError, OverflowError):
        return ""  # none that can be compared
    return f"this machine's clock says {at}, WeChat's {their_at} Beijing time"


def _os_reason(error: BaseException | None) -> str:
    """What the operating system said, without an address: "Connection refused"."""
    while error is not None:
        if isinstance(error, OSError) and error.errno and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return ""
