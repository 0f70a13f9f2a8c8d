"""What Airflow learns from the installed distribution: the connection type and the settings."""

from typing import Any

import weixin_etl
from weixin_etl.orchestration.settings import OPTIONS, SECTION


def get_provider_info() -> dict[str, Any]:
    """Airflow's entry point `apache_airflow_provider`."""
    return {
        "package-name": "weixin-etl",
        "name": "WeChat article statistics",
        "description": "Article statistics of WeChat Official Accounts in Postgres",
        "versions": [weixin_etl.__version__],
        "connection-types": [
            {
                "connection-type": "weixin",
                "hook-class-name": "weixin_etl.orchestration.hook.WeixinHook",
                "hook-name": "WeChat Official Account",
                "conn-fields": {
                    "name": {
                        "label": "Name",
                        "description": "What people call the account",
                        "schema": {"type": ["string", "null"]},
                    },
                    "mode": {
                        "label": "Mode",
                        "description": "platform: AppID and AppSecret are a third-party "
                        "platform's; it stands for all accounts that have authorised it",
                        "schema": {"type": ["string", "null"]},
                    },
                    "token_url": {
                        "label": "Token URL",
                        "description": "A token service that owns the token; it is asked instead "
                        "of WeChat, with the password as bearer token",
                        "schema": {"type": ["string", "null"]},
                    },
                    "allow_http": {
                        "label": "Allow http",
                        "description": "Send secret and token unencrypted to another machine",
                        "schema": {"type": ["boolean", "null"]},
                    },
                },
                "ui-field-behaviour": {
                    "hidden-fields": ["port", "schema", "extra"],
                    "relabeling": {
                        "login": "AppID",
                        "password": "AppSecret",
                        "host": "Base URL",
                    },
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
                        "type": kind,
                        "default": default,
                        "example": None,
                        "version_added": "0.1.0",
                    }
                    for name, (kind, default, description) in OPTIONS.items()
                },
            }
        },
    }
