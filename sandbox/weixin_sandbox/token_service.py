"""A company's own server that owns the tokens of its accounts, as WeChat advises."""

from weixin_sandbox.tokens import TOKEN_SECONDS, Tokens


class TokenService:
    """
    Gives every program of a company the same stable token of an account.

    Attributes:
        bearer: what a caller must send as `Authorization: Bearer …`; None lets everybody in.
        is_stale: whether it gives the first token of an account that it ever gave, even after
            that has ended, and says that it lasts 7200 seconds. False makes it recover.
    """

    def __init__(self, tokens: Tokens, bearer: str | None) -> None:
        self.bearer = bearer
        self.is_stale = False
        self._tokens = tokens
        self._first: dict[str, str] = {}

    def token(self, appid: str) -> tuple[str, int]:
        """Return a token of an account and the seconds it has left."""
        if self.is_stale and appid in self._first:
            return self._first[appid], TOKEN_SECONDS
        value, seconds = self._tokens.stable(appid)
        self._first.setdefault(appid, value)
        return value, seconds
