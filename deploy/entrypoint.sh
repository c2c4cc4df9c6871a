# Puts what is secret into the environment of Argilla's process, and of nothing else, then becomes that process.
set -eu
secrets="${TWLLM_SECRETS:-/run/secrets}"
ARGILLA_AUTH_SECRET_KEY="$(cat "$secrets/auth_key")"
ARGILLA_DATABASE_URL="postgresql+asyncpg://argilla:$(cat "$secrets/postgres_password")@postgres:5432/argilla"
ARGILLA_REDIS_URL="redis://:$(cat "$secrets/redis_password")@redis:6379/0"
export ARGILLA_AUTH_SECRET_KEY ARGILLA_DATABASE_URL ARGILLA_REDIS_URL
exec "$@"
