"""One call, bounded in time, size and tries; of an answer of WeChat only the errcode counts."""

import logging
import re
import time
from collections.abc import Callable, Mapping
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

from weixin_etl import clock, json_text
from weixin_etl.api.deadline import Adapter, within
from weixin_etl.api.errors import (
    ClockError,
    MinuteQuotaError,
    UnreachableError,
    UnreadableError,
    WeixinError,
    from_errcode,
)
from weixin_etl.api.threads import convert
from weixin_etl.datasets import Dataset
from weixin_etl.model import Account
from weixin_etl.text import one_line

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 16
_BEFORE_A_VALUE = (b"{", b"[", b",")
_NO_TLS = "the TLS connection failed; the host, its port or a proxy may be wrong"
_POOL_SIZE = 16
_LONGEST_SAID = 2000
_LONGEST_DATE = 100
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
    max_answer_values: int = 500_000
    """JSON values in an answer: each takes more memory than the bytes it is written with."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of WeChat."""

    path: str
    payload: dict[str, Any] = field(repr=False)
    token: str | None = field(default=None, repr=False)
    """None on the call that gives an account's or a platform's own token."""
    dataset: Dataset | None = None
    """Whose figures are asked for; None on other calls."""
    token_name: str = "access_token"  # noqa: S105 # a parameter's name
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What the payload holds that nobody may read, should WeChat repeat it."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, whole."""

    status: int
    body: bytes = field(repr=False)
    disagreement: str = ""
    """This machine's time and WeChat's, where they disagree."""


class _Session(requests.Session):
    """Follows no redirect: to find its target, requests would read the whole answer."""

    def get_redirect_target(self, _: requests.Response) -> None:
        """There is none to follow."""


@cache
def _session() -> requests.Session:
    """The process's one session: all accounts call the same host, and share its connections."""
    # a logger's filters do not hold for the loggers below it, so each is named
    for module in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
        logging.getLogger(f"urllib3.{module}").addFilter(_hide_tokens)
    session = _Session()
    session.headers["User-Agent"] = f"weixin-etl/{version('weixin-etl')}"
    # retries are tenacity's: urllib3 would log the URL, and so the token
    adapter = Adapter(pool_maxsize=_POOL_SIZE, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
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
        minute = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(MinuteQuotaError),
            stop=tenacity.stop_after_attempt(2),
            wait=tenacity.wait_fixed(self._limits.minute_quota_wait_seconds),
            reraise=True,
        )
        return minute(self._post_patiently, call, on_try)

    def get(self, url: str, parameters: Mapping[str, str], bearer: str) -> tuple[int, bytes]:
        """
        The status and the bytes of another server's answer; transport errors are retried.

        `bearer` proves who asks; empty where nothing does.

        Raises:
            UnreachableError: no answer came, or a status of 500 or more.
            UnreadableError: the answer is too large.
        """

        def proven(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = f"Bearer {bearer}"
            return request

        def once(deadline: float) -> tuple[int, bytes]:
            # not as a header: what ~/.netrc says of the host would replace it
            auth = proven if bearer else None
            request = requests.Request("GET", url, params=dict(parameters), auth=auth)
            response = self._exchange(request, deadline)
            return response.status, response.body

        return self._patiently(once)

    def _post_patiently(self, call: Call, on_try: Callable[[], None]) -> bytes:
        def once(deadline: float) -> bytes:
            on_try()
            request = requests.Request(
                "POST",
                self._account.base_url.rstrip("/") + call.path,
                params={call.token_name: call.token} if call.token else None,
                data=msgspec.json.encode(call.payload),
                headers={"Content-Type": "application/json"},
            )
            return self._judge(call, self._exchange(request, deadline))

        return self._patiently(once)

    def _patiently(self, once: Callable[[float], T]) -> T:
        """Try until something usable comes, tries or time are used up; hands in the deadline."""
        deadline = time.monotonic() + self._limits.total_seconds
        patiently = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(UnreachableError),
            stop=tenacity.stop_after_attempt(self._limits.tries)
            | tenacity.stop_before_delay(self._limits.total_seconds),
            wait=tenacity.wait_exponential(self._limits.backoff_seconds)
            + tenacity.wait_random(0, self._limits.backoff_seconds),
            reraise=True,
        )
        return patiently(once, deadline)

    def _exchange(self, request: requests.Request, deadline: float) -> Response:
        """One request and its answer, or `UnreachableError` in our own words."""
        try:
            seconds = max(0.1, deadline - time.monotonic())
            response = within(seconds, lambda: self._send(request))
        except _NO_ANSWER as error:
            said = self._describe(error)
        else:
            if response.status < requests.codes.server_error:
                return response
            said = f"HTTP {response.status}"
        # raised out here: an exception of requests carries the URL, and so the token
        raise UnreachableError(said, account=str(self._account))

    def _send(self, request: requests.Request) -> Response:
        with _session().request(
            request.method,
            request.url,
            params=request.params,
            data=request.data,
            headers=request.headers,
            auth=request.auth,
            timeout=(self._limits.connect_seconds, self._limits.read_seconds),
            allow_redirects=False,
            stream=True,
        ) as response:
            disagreement = _disagreement(_said_at(response.headers.get("Date")))
            return Response(response.status_code, self._read(response), disagreement)

    def _read(self, response: requests.Response) -> bytes:
        body = bytearray()
        # read1 gives what has come: its size is known before more is read
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > self._limits.max_answer_bytes:
                break
        if excess := too_large(body, self._limits):
            raise UnreadableError(excess, account=str(self._account))
        return bytes(body)

    def _judge(self, call: Call, response: Response) -> bytes:
        """The body of a success; errcode and time are checked only in an answer of WeChat's."""
        try:
            errcode, errmsg = errcode_and_errmsg(response.body)
        except ValueError:
            raise UnreachableError(
                f"HTTP {response.status} and no JSON object; the connection's host may be wrong, "
                "or a proxy answered",
                account=str(self._account),
            ) from None
        if response.disagreement:
            raise ClockError(response.disagreement, account=str(self._account))
        if errcode:
            raise self._refusal(call, errcode, errmsg)
        if response.status != requests.codes.ok:
            raise UnreachableError(
                f"HTTP {response.status} without an errcode; the connection's host may be wrong, "
                "or a proxy answered",
                account=str(self._account),
            )
        return response.body

    def _refusal(self, call: Call, errcode: int, errmsg: str) -> WeixinError:
        error = from_errcode(
            errcode,
            errmsg,
            account=str(self._account),
            connection=self._account.connection,
            ticket=f"the Variable {self._account.ticket_variable}",
            dataset=call.dataset,
            is_token_call=call.token is None,
            secrets=[it for it in (call.token, self._account.secret, *call.secrets) if it],
        )
        if error.rid:  # WeChat's id of the call, for who asks WeChat about it
            log.info("%s: errcode %s, rid %s", self._account, errcode, error.rid)
        return error

    def _describe(self, error: Exception) -> str:
        if isinstance(error, requests.exceptions.SSLError):
            is_untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            return "the TLS certificate could not be verified" if is_untrusted else _NO_TLS
        if isinstance(error, requests.ConnectTimeout):
            return f"no connection within {self._limits.connect_seconds:g} s"
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
            return "no complete answer in time"
        return _os_reason(error) or f"the connection broke: {type(error).__name__}"


def too_large(body: bytes | bytearray, limits: CallLimits) -> str | None:
    """Why an answer is too large to be worked on; None when it is not."""
    if len(body) > limits.max_answer_bytes:
        return f"the answer is larger than {limits.max_answer_bytes} bytes"
    if sum(map(body.count, _BEFORE_A_VALUE)) > limits.max_answer_values:
        return f"the answer holds more than {limits.max_answer_values} values"
    return None


class _Envelope(msgspec.Struct):
    """What every answer may say beside figures, as loosely as WeChat may write it."""

    errcode: int | str | None = 0
    errmsg: Any = ""


_envelope_decoder = msgspec.json.Decoder(_Envelope)


def errcode_and_errmsg(body: bytes) -> tuple[int, str]:
    """
    What an answer says of itself: 0 and "" in a success.

    Raises:
        ValueError: it is no JSON object, or its errcode no number.
    """
    try:
        try:
            envelope = _envelope_decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            envelope = convert(json_text.decode(body), _Envelope)
    except RecursionError:
        return 0, ""  # no refusal is nested so deeply; parsing will report it
    return int(envelope.errcode or 0), str(envelope.errmsg or "")


def _said_at(date_header: str | None) -> datetime | None:
    """The instant that the header names, if any; HTTP's dates are in UTC."""
    try:
        said_at = parsedate_to_datetime((date_header or "")[:_LONGEST_DATE])
    except (ValueError, OverflowError):
        return None
    return said_at if said_at.tzinfo else said_at.replace(tzinfo=UTC)


def _disagreement(said_at: datetime | None) -> str:
    """This machine's time and WeChat's, where they disagree."""
    try:
        return clock.disagreement(said_at) if said_at else ""
    except (ValueError, OverflowError):
        return ""  # none that can be compared


def _os_reason(error: BaseException | None) -> str:
    """What the operating system said, without an address: "Connection refused"."""
    while error is not None:
        if isinstance(error, OSError) and error.errno and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return ""


_TOKEN = re.compile(r"(access_token=)[^&\s'\"]+")
"""Also of a platform's `component_access_token`."""


def _hide_tokens(record: logging.LogRecord) -> bool:
    """
    Rewrite what urllib3 logs with a URL before any handler, also one at DEBUG, sees it.

    Tokens travel in the URL: none is left, and little of what a server said.
    """
    said = record.getMessage()
    hidden = one_line(_TOKEN.sub(r"\1***", said[: 2 * _LONGEST_SAID]))
    if hidden != said:
        record.msg, record.args = hidden, ()
    # of headers that can't be read urllib3 adds the traceback, which quotes them all
    record.exc_info = record.exc_text = None
    return True
