#!/bin/sh
# Migrates both databases and creates Airflow's admin. May be run again.
set -eu

airflow db migrate
weixin-etl migrate

# the password goes through standard input, so that no list of processes shows it
printf '%s\n%s\n' "$AIRFLOW_ADMIN_PASSWORD" "$AIRFLOW_ADMIN_PASSWORD" |
    airflow users create --role Admin --username admin \
        --firstname Admin --lastname Admin --email admin@localhost

# FAB's Viewer and User see no page of a plugin otherwise; so does each role that is to see it
airflow roles add-perms Viewer User --action can_read --resource Plugins
