#!/bin/sh
# Gives each secret of docker compose that is empty in .env, or not there, a random value.
set -eu
umask 077

[ -e .env ] || cp .env.example .env

keys_only_in_example() {
    grep -E '^[A-Z_]+=$' .env.example | while read -r key; do
        grep -q "^$key" .env || echo "$key"
    done
}

random() {
    head -c "$1" /dev/urandom | base64 | tr '+/' '-_'
}

{
    cat .env
    keys_only_in_example
} | while IFS= read -r line; do
    case $line in
        AIRFLOW_FERNET_KEY=) value=$(random 32) ;;
        AIRFLOW_ADMIN_PASSWORD=) value=$(random 18) ;;
        AIRFLOW_*_KEY= | AIRFLOW_JWT_SECRET= | *_PASSWORD=) value=$(random 48) ;;
        *) value= ;;
    esac
    [ -z "$value" ] || echo "$line made" | tr -d = >&2
    printf '%s%s\n' "$line" "$value"
done > .env.unfinished
mv .env.unfinished .env
