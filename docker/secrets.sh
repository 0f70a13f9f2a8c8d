#!/bin/sh
# Gives each secret of docker compose that is empty in .env, or not there, a random value.
set -eu
umask 077

# Postgres' own user reads it, who is not the one whose umask the clone has
chmod a+r docker/databases.sql

[ -e .env ] || cp .env.example .env
[ -r .env ] || { echo ".env is another user's: work as that user, or take it over." >&2; exit 1; }

lines() {
    awk 1 .env # also ends a last line that has no end
    grep -E '^[A-Z_]+=$' .env.example | while read -r key; do
        grep -qE "^(export )?$key" .env || echo "$key"
    done
}

random() {
    head -c "$1" /dev/urandom | base64 | tr '+/' '-_'
}

lines | while IFS= read -r line; do
    case $line in
        AIRFLOW_FERNET_KEY=) value=$(random 32) ;;
        AIRFLOW_ADMIN_PASSWORD=) value=$(random 18) ;;
        AIRFLOW_SECRET_KEY= | AIRFLOW_JWT_SECRET= | *_PASSWORD=) value=$(random 48) ;;
        *) value= ;;
    esac
    [ -z "$value" ] || echo "${line%=} is made" >&2
    printf '%s%s\n' "$line" "$value"
done > .env.unfinished
mv .env.unfinished .env
echo "Every secret of docker compose is in .env, which only you can read."
