"""
A stand-in for the WeChat API on loopback, for development and tests without an account.

`Sandbox(...).serve()` starts it in a thread; `python -m weixin_sandbox` starts it alone.
"""

from weixin_sandbox.accounts import DEFAULT_ACCOUNT, DEFAULT_COMPONENT, Account
from weixin_sandbox.scenarios import Scenario
from weixin_sandbox.server import Sandbox
from weixin_sandbox.wechat import Call

__all__ = ["DEFAULT_ACCOUNT", "DEFAULT_COMPONENT", "Account", "Call", "Sandbox", "Scenario"]
