#!/bin/sh
# Adds a random value for each secret of docker compose that .env does not give.
set -eu
umask 077

# the container's Postgres user must be able to read it, whatever umask the clone was made with
chmod a+r docker/databases.sql

[ -e .env ] || cp .env.example .env
chmod 600 .env
[ -z "$(tail -c 1 .env)" ] || echo >> .env

for key in $(sed -n 's/^\([A-Z_]*\)=$/\1/p' .env.example); do
    case $key in
        WEIXIN_APPID | WEIXIN_SECRET) continue ;;
        AIRFLOW_FERNET_KEY) bytes=32 ;;
        AIRFLOW_ADMIN_PASSWORD) bytes=18 ;;
        *) bytes=48 ;;
    esac
    # docker compose accepts a prefix such as export, and a colon; a value may be quoted
    grep -v '^[[:space:]]*#' .env |
        grep -qE "(^|[^A-Z_])$key[[:space:]]*[=:][[:space:]]*[\"']?[^[:space:]\"']" && continue
    printf '%s=%s\n' "$key" "$(head -c "$bytes" /dev/urandom | base64 | tr '+/' '-_')" >> .env
    echo "$key: generated" >&2
done
echo "Every secret of docker compose is in .env, which only you can read."
