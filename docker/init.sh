#!/bin/sh
# Brings both databases to what is installed, and makes what Airflow needs to work. May be repeated.
set -eu

airflow db migrate
weixin-etl migrate

# the password by standard input, which no list of processes shows
printf '%s\n%s\n' "$AIRFLOW_ADMIN_PASSWORD" "$AIRFLOW_ADMIN_PASSWORD" |
    airflow users create --role Admin --username admin \
        --firstname Admin --lastname Admin --email admin@localhost

# slots that somebody has changed stay
airflow pools get weixin_api >/dev/null 2>&1 ||
    airflow pools set weixin_api 16 "calls to the WeChat API at once"
