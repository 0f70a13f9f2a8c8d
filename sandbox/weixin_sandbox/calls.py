"""How WeChat decides each call, without HTTP."""

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
"""Calls of an account to an endpoint on a day in Beijing."""


@dataclass
class Asked:
    """One call as it came in; the account and day are filled in once they are understood."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    authorization: str = ""
    appid: str | None = None
    publication_date: date | None = None

    @property
    def token(self) -> str | None:
        """The token it comes with."""
        return self.query.get("access_token") or self.query.get("component_access_token")

    def field(self, key: str) -> Any:
        """A field of its body, which must be there."""
        try:
            return json.loads(self.body)[key]
        except (ValueError, TypeError):
            raise RefusedError(47001) from None
        except KeyError:
            raise RefusedError(40097, f"{key} is missing") from None


def decided(wechat: WeChat, asked: Asked) -> Answer:
    """The answer to a call; unknown paths are a 404."""
    decide = ROUTES.get((asked.method, asked.path))
    if decide is None:
        return refusal(RefusedError(40066), status=404)
    try:
        return decide(wechat, asked)
    except RefusedError as refused:
        if refused.errcode == EXPIRED and (token := wechat.tokens.find(asked.token)):
            token.end(EXPIRED)
        return refusal(refused)


def _stable_token(wechat: WeChat, asked: Asked) -> Answer:
    asked.appid = asked.field("appid")
    account = wechat.accounts.get(asked.field("appid"))
    if account is None:
        raise RefusedError(40013)
    if asked.field("secret") != account.secret:
        raise RefusedError(40125)
    if asked.field("grant_type") != "client_credential":
        raise RefusedError(40002)
    return _issued(wechat, account.appid, wechat.tokens.stable)


def _token_service(wechat: WeChat, asked: Asked) -> Answer:
    """A company's own server, which answers with HTTP statuses."""
    bearer = wechat.token_service_bearer
    asked.appid = asked.query.get("appid")
    if bearer is not None and asked.authorization != f"Bearer {bearer}":
        return Answer(to_bytes({"error": "the bearer token is wrong"}), errcode=None, status=401)
    if asked.appid is None:
        accounts = wechat.accounts.values()
        return Answer(to_bytes([{"appid": it.appid, "name": it.name} for it in accounts]))
    if asked.appid not in wechat.accounts:
        return Answer(to_bytes({"error": "there is no such appid"}), errcode=None, status=404)
    return _issued(wechat, asked.appid, wechat.service_token)


def _quota(wechat: WeChat, asked: Asked) -> Answer:
    """How much of an endpoint's day is used."""
    appid, path = _authorised(wechat, asked), asked.field("cgi_path")
    if path not in ENDPOINTS:
        raise RefusedError(76021)
    used = wechat.counted[appid, path, wechat.beijing_today]
    numbers: Row = {"daily_limit": _DAILY_LIMIT, "used": used, "remain": _DAILY_LIMIT - used}
    return _answered(
        wechat, "quota", appid, lambda: {"errcode": 0, "errmsg": "ok", "quota": numbers}
    )


def _data(wechat: WeChat, asked: Asked) -> Answer:
    """A statistics endpoint: one account, one day."""
    endpoint, today = ENDPOINTS[asked.path], wechat.beijing_today
    appid = _authorised(wechat, asked)
    day = _day(asked, endpoint.dataset.first_day, today)
    if wechat.counted[appid, asked.path, today] >= _DAILY_LIMIT:
        raise RefusedError(45009)
    wechat.counted[appid, asked.path, today] += 1
    effect = wechat.effect("data", appid, day, endpoint.dataset.endpoint)
    known = endpoint.known(wechat.seed, appid, day, today)
    items = effect.edit(known, today - timedelta(days=1))
    is_delay = effect.is_delay and items != known
    return replace(Answer(endpoint.body(items, is_delay=is_delay)), **effect.answer)


def _component_token(wechat: WeChat, asked: Asked) -> Answer:
    """A ticket for a platform's own token."""
    component = wechat.component
    asked.appid = asked.field("component_appid")
    if asked.appid != component.appid:
        raise RefusedError(40013)
    if asked.field("component_appsecret") != component.secret:
        raise RefusedError(40125)

    def issue() -> Row:
        token = component.issue_token(asked.field("component_verify_ticket"))
        return {"component_access_token": token.value, "expires_in": token.seconds}

    return _answered(wechat, "token", component.appid, issue)


def _authorizer_token(wechat: WeChat, asked: Asked) -> Answer:
    """A new token to call for an account."""
    appid = _of_component(wechat, asked, "authorizer_appid")

    def issue() -> Row:
        given = asked.field("authorizer_refresh_token")
        token, refresh_token = wechat.component.refresh(appid, given)
        return {
            "authorizer_access_token": token.value,
            "expires_in": token.seconds,
            "authorizer_refresh_token": refresh_token,
        }

    return _answered(wechat, "token", appid, issue)


def _authorizer_list(wechat: WeChat, asked: Asked) -> Answer:
    """A page of who authorised a platform."""
    appid = _of_component(wechat, asked, "component_appid")
    total, authorizations = wechat.component.page(asked.field("offset"), asked.field("count"))
    listed: list[Json] = [asdict(it) for it in authorizations]
    return _answered(wechat, "list", appid, lambda: {"total_count": total, "list": listed})


def _authorizer_info(wechat: WeChat, asked: Asked) -> Answer:
    """Who an account is, and its refresh token."""
    appid = _of_component(wechat, asked, "authorizer_appid")

    def info() -> Row:
        account, granted = wechat.accounts[appid], wechat.component.authorization(appid)
        kind: Row = {account.kind_field: {"visit_status": 0}} if account.kind_field else {}
        return {
            "authorizer_info": {"nick_name": account.name, **kind},
            "authorization_info": {"authorizer_refresh_token": granted.refresh_token},
        }

    return _answered(wechat, "info", appid, info)


ROUTES: dict[tuple[str, str], Callable[[WeChat, Asked], Answer]] = {
    ("POST", "/cgi-bin/stable_token"): _stable_token,
    ("POST", "/cgi-bin/openapi/quota/get"): _quota,
    ("POST", "/cgi-bin/component/api_component_token"): _component_token,
    ("POST", "/cgi-bin/component/api_authorizer_token"): _authorizer_token,
    ("POST", "/cgi-bin/component/api_get_authorizer_list"): _authorizer_list,
    ("POST", "/cgi-bin/component/api_get_authorizer_info"): _authorizer_info,
    ("GET", "/token-service"): _token_service,
    **{("POST", path): _data for path in ENDPOINTS},
}
"""By method and path; each raises RefusedError where WeChat refuses."""


def _issued(wechat: WeChat, appid: str, issue: Callable[[str], Token]) -> Answer:
    def fields() -> Row:
        token = issue(appid)
        return {"access_token": token.value, "expires_in": token.seconds}

    return _answered(wechat, "token", appid, fields)


def _answered(wechat: WeChat, call: str, appid: str, fields: Callable[[], Row]) -> Answer:
    """The answer with these fields, which are made unless a scenario refuses the call."""
    effect = wechat.effect(call, appid)
    return replace(Answer(to_bytes(fields())), **effect.answer)


def _authorised(wechat: WeChat, asked: Asked) -> str:
    """The appid of a call with an account's token in force."""
    if token := wechat.tokens.find(asked.token):
        asked.appid = token.appid
        if token.is_of_component:
            wechat.component.authorization(token.appid)
    return wechat.tokens.check(asked.token)


def _of_component(wechat: WeChat, asked: Asked, key: str) -> str:
    """The appid that a call of the platform is about, by this field."""
    asked.appid = asked.field(key)
    if wechat.tokens.check(asked.token) != wechat.component.appid:
        raise RefusedError(REPLACED)
    return str(asked.appid)


def _day(asked: Asked, first: date, today: date) -> date:
    """The one day that is asked for."""
    try:
        begin, end = (date.fromisoformat(asked.field(it)) for it in ("begin_date", "end_date"))
    except ValueError:
        raise RefusedError(61500) from None
    asked.publication_date = begin
    yesterday = today - timedelta(days=1)
    if not first <= begin == end <= yesterday:
        raise RefusedError(61501, f"one day from {first} to {yesterday}")
    return begin
