#!/bin/sh
# Gives each secret of docker compose that is empty or missing in .env a random value.
set -eu
umask 077

# the container's Postgres user must be able to read it, whatever umask the clone was made with
chmod a+r docker/databases.sql

[ -e .env ] || cp .env.example .env
[ -r .env ] || { echo ".env is another user's: work as that user, or take it over." >&2; exit 1; }
env=$(readlink -f .env)

before='^[[:space:]]*(export[[:space:]]+)?'
nothing="[[:space:]]*((\"\"|'')([[:space:]]+#.*)?)?[[:space:]]*\$"
ours=$(sed -nE 's/^([A-Z_]+)=$/\1/p' .env.example)

lines() {
    awk 1 "$env" # adds a missing newline at the end
    for key in $ours; do
        # docker compose accepts a prefix such as export, and a colon
        sed '/^[[:space:]]*#/d' "$env" | grep -qE "(^|[^A-Z_])$key[[:space:]]*[=:]" || echo "$key="
    done
}

random() {
    head -c "$1" /dev/urandom | base64 | tr '+/' '-_'
}

rm -f "$env.unfinished" # or its old mode would be kept
lines | while IFS= read -r line; do
    empty=$(printf '%s\n' "$line" | sed -nE "s/$before([A-Z_]+)[[:space:]]*=$nothing/\2/p")
    echo "$ours" | grep -qxF "$empty" || empty=
    case $empty in
        AIRFLOW_FERNET_KEY) line=$empty=$(random 32) ;;
        AIRFLOW_ADMIN_PASSWORD) line=$empty=$(random 18) ;;
        AIRFLOW_SECRET_KEY | AIRFLOW_JWT_SECRET | *_PASSWORD) line=$empty=$(random 48) ;;
        *) empty= ;;
    esac
    [ -z "$empty" ] || echo "$empty: generated" >&2
    printf '%s\n' "$line"
done > "$env.unfinished"
mv "$env.unfinished" "$env"
echo "Every secret of docker compose is in .env, which only you can read."
