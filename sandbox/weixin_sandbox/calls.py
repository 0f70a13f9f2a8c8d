"""The routes of the sandbox: they decide the answer to each call, without HTTP."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

from weixin_sandbox.answers import Answer, Json, RefusedError, Row, refusal, to_bytes
from weixin_sandbox.endpoints import ENDPOINTS
from weixin_sandbox.tokens import EXPIRED, REPLACED, Token
from weixin_sandbox.wechat import WeChat

_DAILY_LIMIT = 1000
"""The calls of an account to an endpoint per Beijing day."""


@dataclass
class Request:
    """One call; its account and day are filled in once they are parsed."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    authorization: str = ""
    appid: str | None = None
    publication_date: date | None = None

    @property
    def token(self) -> str | None:
        """The access token of the call."""
        return self.query.get("access_token") or self.query.get("component_access_token")

    def field(self, key: str) -> Any:
        """Return a field of the body; raise RefusedError without the field or for invalid JSON."""
        try:
            return json.loads(self.body)[key]
        except (ValueError, TypeError):
            raise RefusedError(47001) from None
        except KeyError:
            raise RefusedError(40097, f"{key} is missing") from None


def decide(wechat: WeChat, request: Request) -> Answer:
    """Return the answer to a call; for an unknown path, a refusal with status 404."""
    route = ROUTES.get((request.method, request.path))
    if route is None:
        return refusal(RefusedError(40066), status=404)
    try:
        return route(wechat, request)
    except RefusedError as refused:
        if refused.errcode == EXPIRED and (token := wechat.tokens.find(request.token)):
            token.end(EXPIRED)
        return refusal(refused)


def _stable_token(wechat: WeChat, request: Request) -> Answer:
    """Answer with an account's own token."""
    request.appid = request.field("appid")
    account = wechat.accounts.get(request.field("appid"))
    if account is None:
        raise RefusedError(40013)
    if request.field("secret") != account.secret:
        raise RefusedError(40125)
    if request.field("grant_type") != "client_credential":
        raise RefusedError(40002)
    return _issued(wechat, account.appid, wechat.tokens.stable)


def _token_service(wechat: WeChat, request: Request) -> Answer:
    """Answer as a company's token service, which refuses by HTTP statuses."""
    bearer = wechat.token_service_bearer
    request.appid = request.query.get("appid")
    if bearer is not None and request.authorization != f"Bearer {bearer}":
        return Answer(to_bytes({"error": "the bearer token is wrong"}), errcode=None, status=401)
    if request.appid is None:
        accounts = wechat.accounts.values()
        return Answer(to_bytes([{"appid": known.appid, "name": known.name} for known in accounts]))
    if request.appid not in wechat.accounts:
        return Answer(to_bytes({"error": "there is no such appid"}), errcode=None, status=404)
    return _issued(wechat, request.appid, wechat.service_token)


def _quota(wechat: WeChat, request: Request) -> Answer:
    """Answer with the used and remaining calls of an endpoint's daily quota."""
    appid, path = _authorised(wechat, request), request.field("cgi_path")
    if path not in ENDPOINTS:
        raise RefusedError(76021)
    used = wechat.counted[appid, path, wechat.beijing_today]
    numbers: Row = {"daily_limit": _DAILY_LIMIT, "used": used, "remain": _DAILY_LIMIT - used}
    return _answered(
        wechat, "quota", appid, lambda: {"errcode": 0, "errmsg": "ok", "quota": numbers}
    )


def _data(wechat: WeChat, request: Request) -> Answer:
    """Answer with the figures of one account and day."""
    endpoint, today = ENDPOINTS[request.path], wechat.beijing_today
    appid = _authorised(wechat, request)
    day = _day(request, endpoint.dataset.first_day, today)
    if wechat.counted[appid, request.path, today] >= _DAILY_LIMIT:
        raise RefusedError(45009)
    wechat.counted[appid, request.path, today] += 1
    effect = wechat.effect("data", appid, day, endpoint.dataset.endpoint)
    known = endpoint.known(wechat.seed, appid, day, today)
    items = effect.edit(known, today - timedelta(days=1))
    is_delay = effect.is_delay and items != known
    return replace(Answer(endpoint.body(items, is_delay=is_delay)), **effect.answer)


def _component_token(wechat: WeChat, request: Request) -> Answer:
    """Answer with the platform's own token, for its ticket."""
    component = wechat.component
    request.appid = request.field("component_appid")
    if request.appid != component.appid:
        raise RefusedError(40013)
    if request.field("component_appsecret") != component.secret:
        raise RefusedError(40125)

    def issue() -> Row:
        token = component.issue_token(request.field("component_verify_ticket"))
        return {"component_access_token": token.value, "expires_in": token.seconds}

    return _answered(wechat, "token", component.appid, issue)


def _authorizer_token(wechat: WeChat, request: Request) -> Answer:
    """Answer with the platform's new token for an account."""
    appid = _of_component(wechat, request, "authorizer_appid")

    def issue() -> Row:
        given = request.field("authorizer_refresh_token")
        token, refresh_token = wechat.component.refresh(appid, given)
        return {
            "authorizer_access_token": token.value,
            "expires_in": token.seconds,
            "authorizer_refresh_token": refresh_token,
        }

    return _answered(wechat, "token", appid, issue)


def _authorizer_list(wechat: WeChat, request: Request) -> Answer:
    """Answer with a page of the accounts that authorised the platform."""
    appid = _of_component(wechat, request, "component_appid")
    total, authorizations = wechat.component.page(request.field("offset"), request.field("count"))
    listed: list[Json] = [asdict(authorization) for authorization in authorizations]
    return _answered(wechat, "list", appid, lambda: {"total_count": total, "list": listed})


def _authorizer_info(wechat: WeChat, request: Request) -> Answer:
    """Answer with an account's name and its refresh token."""
    appid = _of_component(wechat, request, "authorizer_appid")

    def info() -> Row:
        account, granted = wechat.accounts[appid], wechat.component.authorization(appid)
        kind: Row = {account.kind_field: {"visit_status": 0}} if account.kind_field else {}
        return {
            "authorizer_info": {"nick_name": account.name, **kind},
            "authorization_info": {"authorizer_refresh_token": granted.refresh_token},
        }

    return _answered(wechat, "info", appid, info)


ROUTES: dict[tuple[str, str], Callable[[WeChat, Request], Answer]] = {
    ("POST", "/cgi-bin/stable_token"): _stable_token,
    ("POST", "/cgi-bin/openapi/quota/get"): _quota,
    ("POST", "/cgi-bin/component/api_component_token"): _component_token,
    ("POST", "/cgi-bin/component/api_authorizer_token"): _authorizer_token,
    ("POST", "/cgi-bin/component/api_get_authorizer_list"): _authorizer_list,
    ("POST", "/cgi-bin/component/api_get_authorizer_info"): _authorizer_info,
    ("GET", "/token-service"): _token_service,
    **{("POST", path): _data for path in ENDPOINTS},
}
"""The routes by method and path. A route raises RefusedError for a refused call."""


def _issued(wechat: WeChat, appid: str, issue: Callable[[str], Token]) -> Answer:
    """Return the answer with a newly issued token."""

    def fields() -> Row:
        token = issue(appid)
        return {"access_token": token.value, "expires_in": token.seconds}

    return _answered(wechat, "token", appid, fields)


def _answered(wechat: WeChat, call: str, appid: str, fields: Callable[[], Row]) -> Answer:
    """Return the answer with the fields, unless a scenario refuses the call before."""
    effect = wechat.effect(call, appid)
    return replace(Answer(to_bytes(fields())), **effect.answer)


def _authorised(wechat: WeChat, request: Request) -> str:
    """Return the AppID of a call with an account's valid token."""
    if token := wechat.tokens.find(request.token):
        request.appid = token.appid
        if token.is_of_component:
            wechat.component.authorization(token.appid)
    return wechat.tokens.check(request.token)


def _of_component(wechat: WeChat, request: Request, key: str) -> str:
    """Return the AppID in a field of a call with the platform's valid token."""
    request.appid = request.field(key)
    if wechat.tokens.check(request.token) != wechat.component.appid:
        raise RefusedError(REPLACED)
    return str(request.appid)


def _day(request: Request, first: date, today: date) -> date:
    """Return the requested day; raise RefusedError unless the dates are one valid day."""
    try:
        begin, end = (date.fromisoformat(request.field(key)) for key in ("begin_date", "end_date"))
    except ValueError:
        raise RefusedError(61500) from None
    request.publication_date = begin
    yesterday = today - timedelta(days=1)
    if not first <= begin == end <= yesterday:
        raise RefusedError(61501, f"one day from {first} to {yesterday}")
    return begin
