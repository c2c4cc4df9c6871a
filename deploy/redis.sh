# Redis with its password from a file: told on standard input, where no list of processes shows it.
set -eu
secrets="${TWLLM_SECRETS:-/run/secrets}"
exec redis-server - <<END
requirepass $(cat "$secrets/redis_password")
dir ${TWLLM_REDIS_DIR:-/data}
port ${TWLLM_REDIS_PORT:-6379}
save ""
appendonly no
END
