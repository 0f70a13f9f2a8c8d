"""Who is known to WeChat: accounts, and a third-party platform, which WeChat calls a component."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """
    AppID and secret of an account or of a platform.

    An account without a secret is called with the tokens of a platform it authorised.
    """

    appid: str
    secret: str = field(default="", repr=False)
    name: str = ""
    kind_field: str = ""
    """By which WeChat says that it is a mini program or a video account, and has no articles."""


DEFAULT_ACCOUNT = Account("wx5a4d80c70b1e2f3a", "5a4d80c70b1e2f3a5a4d80c70b1e2f3a", "沙箱公众号")
DEFAULT_COMPONENT = Account("wxc0c0c70b1e2f3a5a", "c0c0c70b1e2f3a5ac0c0c70b1e2f3a5a")
