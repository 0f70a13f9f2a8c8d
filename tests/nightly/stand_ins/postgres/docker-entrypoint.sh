#!/bin/bash
# Does with an empty volume what the official image does, as far as docker-compose.yml relies on it:
# the superuser's password, initdb's arguments, the scripts, and no TCP before they are done.
set -euo pipefail

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    # shellcheck disable=SC2086 # several arguments in one variable
    initdb --username=postgres --pwfile=<(echo "$POSTGRES_PASSWORD") ${POSTGRES_INITDB_ARGS:-}
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    echo "unix_socket_directories = '/var/run/postgresql'" >> "$PGDATA/postgresql.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start
    shopt -s nullglob
    for script in /docker-entrypoint-initdb.d/*.sql; do
        psql --host=/var/run/postgresql --username=postgres --no-psqlrc -v ON_ERROR_STOP=1 -f "$script"
    done
    pg_ctl --wait --mode=fast stop
fi

exec "$@"
