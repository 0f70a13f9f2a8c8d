"""
One HTTP call, limited in time, size and tries, and the check of its answer.

A `Caller` posts a JSON payload to WeChat and returns the body of a successful answer. Everything
else raises a `WeixinError`, also an answer with an errcode. Errors and logs contain no secret. The
modules `token`, `client` and `component` make their calls here.
"""

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

UNCOUNTED = repeat(0)
"""A counter for calls whose tries nobody counts."""
_SECRET_KEYS = ("component_verify_ticket", "authorizer_refresh_token")
"""The keys of payloads whose values are secrets, beside the account's own secret."""
_TRANSPORT_ERRORS = (OSError, urllib3.exceptions.HTTPError, ValueError)
"""The exceptions of a call without a complete answer. Those of requests are OSErrors."""
_MAX_SHOWN_CHARACTERS = 500
_MAX_ERRMSG_CHARACTERS = 2000
_RID = re.compile(r"(?<![\s,;])[\s,;]*\brid: *([\w-]{1,100})")
"""WeChat's id of a call within an errmsg. WeChat's support asks for it."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CallLimits:
    """The limits of a call: its duration, its tries and the size of its answer."""

    connect_seconds: float = 5
    read_seconds: float = 30
    tries: int = 5
    total_seconds: float = 60
    """The limit for all tries of a call and the waits between them."""
    backoff_seconds: float = 1
    """The first wait between tries. Each further wait is twice as long. A random part is added."""
    minute_quota_wait_seconds: float = 60
    max_answer_bytes: int = 16 << 20
    """The size of the answer after decompression."""


RawResponse = tuple[int, bytes, str]
"""An answer's HTTP status, its whole body, and its header `Date`."""


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: requests would read the whole body of a redirect that nobody follows."""


@cache
def _session() -> requests.Session:
    """
    Return the process's only session. All accounts share its connections.

    It keeps no cookies and sends no login of `~/.netrc`. The process logs no line of urllib3 any
    more: they have URLs, which contain tokens.
    """
    # urllib3 logs URLs, which contain tokens; a logger's filter does not apply to its children
    for module in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
        logging.getLogger(f"urllib3.{module}").addFilter(lambda _: False)
    session = _Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.auth = lambda request: request  # requests would send the login of ~/.netrc
    session.headers["User-Agent"] = f"weixin-etl/{version('weixin-etl')}"
    return session


class Caller:
    """Makes the HTTP calls of one account; usable by several threads at once."""

    def __init__(self, account: Account, limits: CallLimits) -> None:
        self._account = account
        self._limits = limits

    def post(
        self, path: str, payload: dict[str, Any], token: str = "", tries: Iterator[int] = UNCOUNTED
    ) -> bytes:
        """
        Post a payload to WeChat and return the body of a successful answer.

        Calls without a usable answer are repeated within the limits (`_retry`). If WeChat answers
        that the quota of the minute is used up (errcode 45011), all this is done once more after
        `minute_quota_wait_seconds`.

        Args:
            path: The path of the endpoint, without the host.
            payload: The values of the JSON body. Secrets in it are removed from WeChat's messages.
            token: The access token, which is sent in the URL; empty for a call that requests a
                token. If the path is a platform's, the token is the platform's.
            tries: A counter; each try takes one number from it.

        Raises:
            WeixinError: The call has no successful answer. Its problem names the account, and
                contains neither the token nor a secret.
        """
        account = self._account
        token_key = "component_access_token" if "/component/" in path else "access_token"
        request = requests.Request(
            "POST",
            account.base_url.rstrip("/") + path,
            params={token_key: token} if token else None,
            data=msgspec.json.encode(payload),
            headers={"Content-Type": "application/json"},
        )
        secrets = [*filter(None, [token, account.secret, *map(payload.get, _SECRET_KEYS)])]

        def call_once(deadline: float) -> bytes:
            next(tries)
            response = self._exchange(request, deadline)
            errcode, errmsg = self._checked_errcode(response)
            if errcode:
                raise errcode_error(errcode, errmsg, account, secrets, is_token_call=not token)
            return response[1]

        try:
            return self._retry(call_once)
        except WeixinError as error:
            if error.kind is not ProblemKind.MINUTE_QUOTA:
                raise
        time.sleep(self._limits.minute_quota_wait_seconds)
        return self._retry(call_once)

    def send(self, request: requests.Request) -> RawResponse:
        """
        Send a request to a server other than WeChat, and return its answer unchecked.

        Calls without an answer, or with a status from 500 on, are repeated within the limits.

        Raises:
            WeixinError: Every try failed like this (`UNREACHABLE`), or the answer is larger than
                `max_answer_bytes` (`UNREADABLE`).
        """
        return self._retry(lambda deadline: self._exchange(request, deadline))

    def _retry(self, call_once: Callable[[float], T]) -> T:
        """
        Call until there is a result, and return it.

        Only a `WeixinError` of the kind `UNREACHABLE` is retried. When the tries are used up, or
        the time would be after the next wait, the last one is raised. Every other exception is
        raised at once.

        Args:
            call_once: Makes one try. Its argument is the end of `total_seconds`, as a time of
                `time.monotonic`, by which the try must be over.
        """
        limits = self._limits
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: getattr(error, "kind", None) is ProblemKind.UNREACHABLE
            ),
            stop=tenacity.stop_after_attempt(limits.tries)
            | tenacity.stop_before_delay(limits.total_seconds),
            wait=tenacity.wait_exponential(limits.backoff_seconds)
            + tenacity.wait_random(0, limits.backoff_seconds),
            reraise=True,
        )
        return retrying(call_once, time.monotonic() + limits.total_seconds)

    def _exchange(self, request: requests.Request, deadline: float) -> RawResponse:
        """
        Send a request once, and return the answer if its status is below 500.

        Raises:
            WeixinError: There is no complete answer before the deadline (at least 0.1 seconds from
                now), or its status is 500 or more (`UNREACHABLE`); or it is larger than
                `max_answer_bytes` (`UNREADABLE`).
        """
        try:
            seconds = max(0.1, deadline - time.monotonic())
            response = _call_with_timeout(seconds, lambda: self._send(request, deadline))
        except _TRANSPORT_ERRORS as error:
            detail = _transport_failure(error)
        else:
            if response[0] < requests.codes.server_error:
                return response
            detail = sentence("HTTP {status}", status=response[0])
        # raised outside of the `except`: an exception of requests has the URL, and so the token
        raise self._error(ProblemKind.UNREACHABLE, detail)

    def _send(self, request: requests.Request, deadline: float) -> RawResponse:
        """
        Send a request by the process's session, with the environment's proxies and certificates.

        Redirects are not followed. Return the answer with whatever status it has.

        Raises:
            requests.RequestException: There is no connection, or no beginning of an answer.
            TimeoutError, urllib3.exceptions.HTTPError, WeixinError: The body could not be read.
        """
        session = _session()
        with session.send(
            session.prepare_request(request),
            **session.merge_environment_settings(request.url, {}, True, None, None),
            timeout=(self._limits.connect_seconds, self._limits.read_seconds),
        ) as response:
            body = self._read(response, deadline)
            return response.status_code, body, response.headers.get("Date", "")

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        """
        Return the decompressed body, read until its end.

        Raises:
            TimeoutError: The deadline passed while the body was read.
            WeixinError: The body is larger than `max_answer_bytes` (`UNREADABLE`). The rest of it
                is not read.
            urllib3.exceptions.HTTPError: The connection broke, or the compression is invalid.
        """
        body = bytearray()
        # `read1` returns the bytes received so far, so the size is checked before more is read
        while chunk := response.raw.read1(1 << 16, decode_content=True):
            body += chunk
            if time.monotonic() > deadline:
                raise TimeoutError
            if len(body) > (limit := self._limits.max_answer_bytes):
                detail = sentence("the answer is larger than {size} bytes", size=limit)
                raise self._error(ProblemKind.UNREADABLE, detail)
        return bytes(body)

    def _checked_errcode(self, response: RawResponse) -> tuple[int, str]:
        """
        Return the errcode and errmsg of an answer by WeChat: 0 and "" for a success.

        The clocks are compared at every answer, not only at WeChat's tokens: a company's token
        service may give the token, and its clock does not matter. Then the first answer of WeChat
        is one with figures.

        Raises:
            WeixinError: The answer is not WeChat's: its body has no readable errcode, or it has
                errcode 0 with a status other than 200 (`UNREACHABLE`). Or this machine's clock
                differs from the answer's (`CLOCK`).
        """
        status, body, date = response
        try:
            errcode, errmsg = read_errcode(body)
            is_from_wechat = errcode or status == requests.codes.ok
        except ValueError:
            is_from_wechat = False
        if not is_from_wechat:
            frame = "HTTP {status}, not WeChat's JSON: the host may be wrong, or a proxy answers"
            raise self._error(ProblemKind.UNREACHABLE, sentence(frame, status=status))
        if difference := clock_difference(date):
            raise self._error(ProblemKind.CLOCK, difference)
        return errcode, errmsg

    def _error(self, kind: ProblemKind, detail: Sentence | Quoted) -> WeixinError:
        """Return an error of the kind, with the detail added to its cause, for the account."""
        return WeixinError(kind, detail, account=str(self._account))


def _call_with_timeout(seconds: float, call: Callable[[], T]) -> T:
    """
    Return the result of a call, or raise its exception.

    A socket's timeout applies to each read. A server that sends a byte now and then would keep the
    process reading. So the call has a thread of its own, which does not keep the process alive.

    Raises:
        TimeoutError: The call takes longer than these seconds. It is left running in its thread.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="call", daemon=True).start()
    return future.result(seconds)


def clock_difference(date_header: str) -> Sentence | None:
    """
    Compare this machine's clock with an answer's header `Date`.

    `WEIXIN_NOW` does not replace the machine's clock here.

    Returns:
        A sentence with both Beijing times, if they differ by more than `clock.TOLERANCE`. None if
        they do not, or if the header has no readable date.
    """
    machine_time = datetime.now(clock.SHANGHAI)
    try:
        server_time = parsedate_to_datetime(date_header[:100]).astimezone(clock.SHANGHAI)
    except (ValueError, OverflowError):
        return None
    if abs(server_time - machine_time) <= clock.TOLERANCE:
        return None
    return sentence(
        "this machine's clock says {ours}, WeChat's {theirs} Beijing time",
        ours=f"{machine_time:%F %T}",
        theirs=f"{server_time:%F %T}",
    )


def _transport_failure(error: BaseException) -> Sentence | Quoted:
    """
    Return why there is no answer: a timeout, the operating system's message, or the error's class.

    The message is that of the first exception in the chain of causes that has one. The message of
    requests is never used: it contains the URL.
    """
    if isinstance(error, requests.ConnectTimeout):
        return sentence("no connection in time")
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return sentence("no complete answer in time")
    cause: BaseException | None = error
    while cause is not None:  # a message of the operating system contains no URL
        if isinstance(cause, OSError) and cause.errno and cause.strerror:
            return Quoted(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    return sentence("the connection broke: {error}", error=type(error).__name__)


class _Envelope(msgspec.Struct):
    """The error fields of any answer, with every type in which WeChat may write them."""

    errcode: int | str | None = 0
    errmsg: Any = ""


_decoder = msgspec.json.Decoder(_Envelope)


def read_errcode(body: bytes) -> tuple[int, str]:
    """
    Return an answer's errcode and errmsg: 0 and "" if it has none.

    JSON that is nested too deeply to be read counts as an answer without an errcode.

    Raises:
        ValueError: The body is no JSON, or its errcode is no 32-bit integer.
    """
    try:
        try:
            envelope = _decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            envelope = convert(json_text.decode(body), _Envelope)
    except RecursionError:
        return 0, ""  # an error is never nested so deeply; the parser will report the answer
    errcode = int(envelope.errcode or 0)
    if errcode.bit_length() > 31:  # the errcode column is a 32-bit integer
        raise ValueError
    return errcode, str(envelope.errmsg or "")


def decode_as(body: bytes, form: type[T]) -> T | None:
    """Return a JSON body as a value of the type, or None if it has another form or is no JSON."""
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
    Return the error that an errcode becomes, according to the error table (`problems.csv`).

    WeChat's message is added to the cause of the table's row after a colon, cut after 500
    characters. WeChat's id of the call, the rid, is removed from the message and logged.

    Args:
        errcode: An errcode other than 0. One that the table lacks becomes `CALL_REFUSED`.
        errmsg: WeChat's message for it.
        account: The account of the call, which the error names.
        secrets: Secrets that are removed from the message, in case WeChat repeats them.
        is_token_call: Whether the call requested a token. Then 40001 means a wrong secret, and
            otherwise a refused token.
    """
    kinds = [row.kind for row in ROWS if str(errcode) in row.codes and not row.kind.is_of_warehouse]
    if is_token_call and ProblemKind.TOKEN_REFUSED in kinds:
        kinds.remove(ProblemKind.TOKEN_REFUSED)
    message = _without_secrets(errmsg, secrets)
    if rid := _RID.search(message):
        log.info("%s: errcode %s, rid %s", account, errcode, rid[1])
    return WeixinError(
        next(iter(kinds), ProblemKind.CALL_REFUSED),
        Quoted(one_line(_RID.sub("", message), _MAX_SHOWN_CHARACTERS)),
        account=str(account),
        to_change=account.airflow_connection,
        code=str(errcode),
    )


def _without_secrets(errmsg: str, secrets: Sequence[str]) -> Sentence | Quoted:
    """
    Return WeChat's message on one line, with `***` in place of each secret.

    Invisible characters are removed first. A message of more than 2000 characters is not looked
    through: the result only says how long it is.
    """
    if len(errmsg) > _MAX_ERRMSG_CHARACTERS:
        return sentence("an errmsg of {size} characters", size=len(errmsg))
    # an invisible character could split a secret into parts
    hidden = ("Cc", "Cf")
    visible = "".join(char for char in errmsg if char in "\n\t" or category(char) not in hidden)
    for secret in secrets:
        visible = visible.replace(secret, "***")
    return Quoted(one_line(visible))
