"""
The Airflow provider: it declares the connection type `weixin` and the settings of `[weixin]`.

Airflow reads it from the installed distribution and builds the connection form from it.
"""

from typing import Any

import weixin_etl
from weixin_etl.orchestration.settings import OPTIONS, SECTION


def get_provider_info() -> dict[str, Any]:
    """Return the provider's declaration; Airflow's entry point is `apache_airflow_provider`."""
    return {
        "package-name": "weixin-etl",
        "name": "WeChat article statistics",
        "description": "Article statistics of WeChat Official Accounts in Postgres",
        "versions": [weixin_etl.__version__],
        "connection-types": [
            {
                "connection-type": "weixin",
                "hook-class-name": "weixin_etl.orchestration.connections.hook.WeixinHook",
                "hook-name": "WeChat Official Account",
                "conn-fields": {
                    "name": _field("Name", "What people call the account"),
                    "mode": _field(
                        "Mode",
                        "platform: AppID and AppSecret are a third-party platform's; it stands for "
                        "all accounts that have authorised it",
                    ),
                    "token_url": _field(
                        "Token URL",
                        "A token service that owns the token; it is asked instead of WeChat, with "
                        "the password as bearer token",
                    ),
                    "allow_http": _field(
                        "Allow http",
                        "Send secret and token unencrypted to another machine",
                        "boolean",
                    ),
                },
                "ui-field-behaviour": {
                    "hidden-fields": ["port", "schema", "extra"],
                    "relabeling": {"login": "AppID", "password": "AppSecret", "host": "Base URL"},
                    "placeholders": {
                        "login": "wx0123456789abcdef",
                        "host": "https://api.weixin.qq.com",
                    },
                },
            }
        ],
        "config": {
            SECTION: {
                "description": "The daily WeChat pipeline.",
                "options": {
                    name: {
                        "description": description,
                        "type": "integer" if isinstance(default, int) else "string",
                        "default": str(default),
                        "example": None,
                        "version_added": "0.1.0",
                    }
                    for name, (default, description) in OPTIONS.items()
                },
            }
        },
    }


def _field(label: str, description: str, kind: str = "string") -> dict[str, Any]:
    """Return an optional field of the connection form, with its JSON type."""
    return {"label": label, "description": description, "schema": {"type": [kind, "null"]}}
