#!/bin/sh
# Starts the server without a secret in any command line: `ps` and `docker inspect` show none of them.
set -eu
SECRETS=${SECRETS:-/run/secrets}
umask 077
# libpq reads it; a password in the store's URI would be in the process list and in MLflow's messages.
password=$(cat "$SECRETS/database_password")
printf '%s:5432:mlflow:mlflow:%s\n' "$DATABASE_HOST" "$password" > "$HOME/.pgpass"
MLFLOW_AUTH_ADMIN_PASSWORD=$(cat "$SECRETS/admin_password")
MLFLOW_FLASK_SERVER_SECRET_KEY=$(cat "$SECRETS/session_key")
export MLFLOW_AUTH_ADMIN_PASSWORD MLFLOW_FLASK_SERVER_SECRET_KEY
# 0.0.0.0 is inside the container: the compose file says what is published, and where.
exec mlflow server --app-name basic-auth --host "${LISTEN:-0.0.0.0}" --port 5000 --workers 2 \
  --allowed-hosts "$ALLOWED_HOSTS" --x-frame-options DENY \
  --backend-store-uri "postgresql://mlflow@$DATABASE_HOST/mlflow" \
  --artifacts-destination "$ARTIFACTS"
