# Sourced from this folder's parent. Settings as the shell needs them before there is a Python.
# shellcheck shell=sh

fail() { code=$1; shift; printf 'error %s\n' "$*" >&2; exit "$code"; }

if [ -f .env ]; then
    in_env_file=$(LC_ALL=C awk -v prefix=env_file_ -f scripts/dotenv.awk .env) || exit 2
    eval "$in_env_file"
fi

# setting NAME [DEFAULT]: from the environment, else from .env; DEFAULT where that is empty.
setting() {
    eval "value=\${$1-\${env_file_$1-}}"
    printf '%s' "${value:-${2:-}}"
}
