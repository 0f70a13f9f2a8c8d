"""One call, bounded in time, size and tries, and what its answer says: its errcode and errmsg."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from itertools import repeat
from typing import Any, TypeVar
from unicodedata import category

import msgspec
import requests
import tenacity
import urllib3

from weixin_etl import clock, json_text
from weixin_etl.api.threads import convert
from weixin_etl.model import Account
from weixin_etl.problem import ROWS, ProblemKind, WeixinError
from weixin_etl.sentences import Quoted, Sentence, sentence
from weixin_etl.text import one_line

log = logging.getLogger(__name__)

_UNCOUNTED = repeat(0)
_NO_ANSWER = (OSError, urllib3.exceptions.HTTPError, ValueError)
"""What requests, too, raises instead of an answer."""
_LONGEST_SHOWN = 500
_LONGEST_ERRMSG = 2000
_RID = re.compile(r"(?<![\s,;])[\s,;]*\brid: *([\w-]{1,100})")
"""WeChat's id of the call, for who asks WeChat about it."""
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


RawResponse = tuple[int, bytes, str]
"""An answer's status, its whole body, and the time by its header `Date`."""


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: the whole answer to a redirect would be read, though none is followed."""


@cache
def _session() -> requests.Session:
    """The process's one session: all accounts share its connections."""
    # its lines quote URLs, and so tokens; a filter does not hold for the loggers below it
    for module in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
        logging.getLogger(f"urllib3.{module}").addFilter(lambda _: False)
    session = _Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.auth = lambda request: request  # else ~/.netrc would say who we are
    session.headers["User-Agent"] = f"weixin-etl/{version('weixin-etl')}"
    return session


class Caller:
    """Calls for one account; may be used by several threads at once."""

    def __init__(self, account: Account, limits: CallLimits) -> None:
        self._account = account
        self._limits = limits

    def post(
        self,
        path: str,
        payload: dict[str, Any],
        token: str | None = None,
        *,
        secrets: Sequence[str] = (),
        tries: Iterator[int] = _UNCOUNTED,
    ) -> bytes:
        """
        The bytes of a successful answer, or a `WeixinError` that says what came instead.

        Transport errors are retried, each of the `tries` is counted; 45011 is retried once after a
        wait. Without a token it is a call for one. `secrets` are those in the payload.
        """
        name = "component_access_token" if "/component/" in path else "access_token"
        request = requests.Request(
            "POST",
            self._account.base_url.rstrip("/") + path,
            params={name: token} if token else None,
            data=msgspec.json.encode(payload),
            headers={"Content-Type": "application/json"},
        )
        secret = [it for it in (token, self._account.secret, *secrets) if it]

        def once(deadline: float) -> bytes:
            next(tries)
            return self._judged(self._exchange(request, deadline), secret, is_token_call=not token)

        try:
            return self._patiently(once)
        except WeixinError as error:
            if error.kind is not ProblemKind.MINUTE_QUOTA:
                raise
        time.sleep(self._limits.minute_quota_wait_seconds)
        return self._patiently(once)

    def send(self, request: requests.Request) -> RawResponse:
        """Another server's answer, of a status below 500; else a `WeixinError`, after retries."""
        return self._patiently(lambda deadline: self._exchange(request, deadline))

    def _patiently(self, once: Callable[[float], T]) -> T:
        """Try until something usable comes, tries or time are used up; hands in the deadline."""
        deadline = time.monotonic() + self._limits.total_seconds
        patiently = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda it: isinstance(it, WeixinError) and it.kind is ProblemKind.UNREACHABLE
            ),
            stop=lambda it: (
                it.attempt_number >= self._limits.tries
                or time.monotonic() + it.upcoming_sleep >= deadline
            ),
            wait=tenacity.wait_exponential(self._limits.backoff_seconds)
            + tenacity.wait_random(0, self._limits.backoff_seconds),
            reraise=True,
        )
        return patiently(once, deadline)

    def _exchange(self, request: requests.Request, deadline: float) -> RawResponse:
        """One request and its answer; what comes instead is said in our own words."""
        try:
            seconds = max(0.1, deadline - time.monotonic())
            came = _call_with_timeout(seconds, lambda: self._send(request, deadline))
        except _NO_ANSWER as error:
            said = _transport_failure(error)
        else:
            if came[0] < requests.codes.server_error:
                return came
            said = sentence("HTTP {status}", status=came[0])
        # raised out here: an exception of requests carries the URL, and so the token
        raise self._error(ProblemKind.UNREACHABLE, said)

    def _send(self, request: requests.Request, deadline: float) -> RawResponse:
        session = _session()
        with session.send(
            session.prepare_request(request),
            **session.merge_environment_settings(request.url, {}, True, None, None),
            timeout=(self._limits.connect_seconds, self._limits.read_seconds),
        ) as response:
            body = self._read(response, deadline)
            return response.status_code, body, response.headers.get("Date", "")

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        # read1 gives what has come: its size is known before more is read
        while chunk := response.raw.read1(1 << 16, decode_content=True):
            body += chunk
            if time.monotonic() > deadline:
                raise TimeoutError
            if len(body) > (most := self._limits.max_answer_bytes):
                said = sentence("the answer is larger than {size} bytes", size=most)
                raise self._error(ProblemKind.UNREADABLE, said)
        return bytes(body)

    def _judged(self, came: RawResponse, secrets: Sequence[str], *, is_token_call: bool) -> bytes:
        """
        Return the body of a success.

        Each answer's time is compared: a token may come from a company's service, whose clock
        decides nothing, so an account's first answer of WeChat's may be one with figures.
        """
        status, body, date = came
        try:
            errcode, errmsg = read_errcode(body)
            is_wechats = errcode or status == requests.codes.ok
        except ValueError:
            is_wechats = False
        if not is_wechats:
            said = sentence(
                "HTTP {status}, not WeChat's JSON: the host may be wrong, or a proxy answers",
                status=status,
            )
            raise self._error(ProblemKind.UNREACHABLE, said)
        if clocks := clock_difference(date):
            raise self._error(ProblemKind.CLOCK, clocks)
        if errcode:
            raise errcode_error(
                errcode, errmsg, self._account, secrets, is_token_call=is_token_call
            )
        return body

    def _error(self, kind: ProblemKind, said: Sentence | Quoted) -> WeixinError:
        return WeixinError(kind, said, account=str(self._account))


def _call_with_timeout(seconds: float, call: Callable[[], T]) -> T:
    """
    What the call returns; a `TimeoutError` if it is not in time: then it is left alone.

    Timeouts of sockets are for each read: a server that sends a byte now and then keeps every
    parser reading. So the call has a thread of its own, which does not keep the process alive.
    """
    came: Future[T] = Future()

    def run() -> None:
        try:
            came.set_result(call())
        except BaseException as error:
            came.set_exception(error)

    threading.Thread(target=run, name="call", daemon=True).start()
    return came.result(seconds)


def clock_difference(date_header: str) -> Sentence | None:
    """Return what this machine's real clock and an answer's `Date` say, if they differ too much."""
    ours = datetime.now(clock.SHANGHAI)
    try:
        theirs = parsedate_to_datetime(date_header[:100]).astimezone(clock.SHANGHAI)
    except (ValueError, OverflowError):
        return None  # no date that can be compared
    if abs(theirs - ours) <= clock.TOLERANCE:
        return None
    return sentence(
        "this machine's clock says {ours}, WeChat's {theirs} Beijing time",
        ours=f"{ours:%F %T}",
        theirs=f"{theirs:%F %T}",
    )


def _transport_failure(error: BaseException) -> Sentence | Quoted:
    """What came instead of an answer; not in the words of requests, which quote the URL."""
    if isinstance(error, requests.ConnectTimeout):
        return sentence("no connection in time")
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return sentence("no complete answer in time")
    cause: BaseException | None = error
    while cause is not None:  # the operating system's words have no address
        if isinstance(cause, OSError) and cause.errno and cause.strerror:
            return Quoted(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    return sentence("the connection broke: {error}", error=type(error).__name__)


class _Envelope(msgspec.Struct):
    """What every answer may say beside figures, as loosely as WeChat may write it."""

    errcode: int | str | None = 0
    errmsg: Any = ""


_decoder = msgspec.json.Decoder(_Envelope)


def read_errcode(body: bytes) -> tuple[int, str]:
    """What an answer says of itself: 0 and "" in a success; `ValueError` if it is no JSON."""
    try:
        try:
            envelope = _decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            envelope = convert(json_text.decode(body), _Envelope)
    except RecursionError:
        return 0, ""  # no refusal is nested so deeply; parsing will report it
    errcode = int(envelope.errcode or 0)
    if errcode.bit_length() > 31:  # what the column of errcodes holds
        raise ValueError
    return errcode, str(envelope.errmsg or "")


def decode_as(body: bytes, form: type[T]) -> T | None:
    """An answer in the form that its documentation shows; None if it has another."""
    try:
        return convert(json_text.decode(body), form)
    except (ValueError, RecursionError):
        return None


def errcode_error(
    errcode: int,
    errmsg: str,
    account: Account,
    secrets: Sequence[str] = (),
    *,
    is_token_call: bool = False,
) -> WeixinError:
    """
    The error an errcode stands for: on a token call 40001 means the secret, not the token.

    `secrets` nobody may read, should WeChat repeat them.
    """
    kinds = [row.kind for row in ROWS if str(errcode) in row.codes and not row.kind.is_of_warehouse]
    if is_token_call and ProblemKind.TOKEN_REFUSED in kinds:
        kinds.remove(ProblemKind.TOKEN_REFUSED)
    said = _without_secrets(errmsg, secrets)
    if rid := _RID.search(said):
        log.info("%s: errcode %s, rid %s", account, errcode, rid[1])
    return WeixinError(
        next(iter(kinds), ProblemKind.CALL_REFUSED),
        Quoted(one_line(_RID.sub("", said), _LONGEST_SHOWN)),
        account=str(account),
        to_change=account.airflow_connection,
        code=str(errcode),
    )


def _without_secrets(said: str, secrets: Sequence[str]) -> Sentence | Quoted:
    """What WeChat said without secrets, nor characters that hold a secret's parts apart unseen."""
    if len(said) > _LONGEST_ERRMSG:
        return sentence("an errmsg of {size} characters", size=len(said))
    seen = "".join(it for it in said if it in "\n\t" or category(it) not in ("Cc", "Cf"))
    for secret in secrets:
        seen = seen.replace(secret, "***")
    return Quoted(one_line(seen))
