"""The platform's refusals: HTTP 200 and a body with an errcode and an errmsg."""

import secrets

_WITHOUT_RID = frozenset({47009})

_ERRMSG = {
    -1: "system error",
    40001: (
        "invalid credential, access_token is invalid or not latest, could get access_token by "
        "getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
    ),
    40002: "invalid grant_type",
    40013: "invalid appid",
    40014: "invalid access_token",
    40066: "invalid url",
    40097: "invalid args",
    40125: "invalid appsecret",
    40164: "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist",
    40243: "AppSecret is frozen",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    42001: "access_token expired",
    42007: "access_token and refresh_token exception",
    43001: "require GET method",
    43002: "require POST method",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    47001: "data format error",
    47009: "this api is offline, please use the new api",
    48001: "api unauthorized",
    48004: "api forbidden for irregularities, view detail on mp.weixin.qq.com",
    50002: "user limited",
    61003: "component is not authorized by this account",
    61004: "access clientip is not registered",
    61005: "component ticket is expired",
    61006: "component ticket is invalid",
    61007: "api is unauthorized to component",
    61011: "invalid component",
    61023: "refresh_token is invalid",
    61500: "date format error",
    61501: "date range error",
    61502: "not an Official Account",
    61503: "data not ready, please try later",
    76021: "cgi_path not found, please check",
    89501: "this ip is waiting for the admin's confirmation",
    89503: "this ip call needs the admin's confirmation, please contact the admin",
    89506: "the admin refused this ip twice within 24 hours",
    89507: "the admin refused this ip within 1 hour",
}


class RefusedError(Exception):
    """The platform answers the call with this errcode; `reason` is appended to its errmsg."""

    def __init__(self, errcode: int, reason: str = "") -> None:
        super().__init__(errcode, reason)
        self.errcode = errcode
        self.reason = reason


def errmsg(errcode: int, reason: str = "") -> str:
    """The platform's sentence for an errcode, with a fresh `rid` where the real one has it."""
    sentence = ", ".join(filter(None, [_ERRMSG.get(errcode, "refused"), reason]))
    if errcode in _WITHOUT_RID:
        return sentence
    return f"{sentence} rid: " + "-".join(secrets.token_hex(4) for _ in range(3))
