#!/bin/sh
# Prints the path of the Python interpreter to use.
# Looks at PYTHON=, PATH, pyenv and uv, newest supported version first. The engine looks for those of
# other runtimes by itself: trigger_stack_engine/environments/interpreters.py.
set -u
SUPPORTED="3.13 3.12"
# Never the virtual environment that is made from what is found here.
own=$(cd "$(dirname "$0")/.." && pwd)/.venv/bin
PATH=$(printf '%s' "$PATH" | tr ':' '\n' | grep -vxF "$own" | paste -sd: -)

usable() {
    "$1" -c 'import sys; sys.exit(not sys.version_info >= (3, 12))' >/dev/null 2>&1
}
real() { "$1" -c 'import sys; print(sys.executable)' 2>/dev/null; }

candidate() { # candidate VERSION: a path of that version, or nothing
    if command -v "python$1" >/dev/null 2>&1 && usable "python$1"; then
        real "python$1"
        return
    fi
    for folder in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*; do
        if [ -x "$folder/bin/python$1" ] && usable "$folder/bin/python$1"; then
            echo "$folder/bin/python$1"
            return
        fi
    done
    if command -v python3 >/dev/null 2>&1 &&
        [ "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$1" ]; then
        real python3
        return
    fi
    if command -v uv >/dev/null 2>&1; then
        uv python find --no-python-downloads "$1" 2>/dev/null
    fi
}

if [ -n "${PYTHON:-}" ]; then
    if usable "$PYTHON"; then
        real "$PYTHON"
        exit 0
    fi
    echo "error PYTHON=$PYTHON is not a Python 3.12 or newer." >&2
    exit 1
fi

for version in $SUPPORTED; do
    path=$(candidate "$version")
    [ -n "$path" ] || continue
    echo "$path"
    exit 0
done
cat >&2 <<'SENTENCE'
error No Python 3.12 or 3.13 found (looked at PYTHON=, PATH, pyenv and uv).
      Install one, for example: apt-get install python3.13 python3.13-venv (Debian 13),
      pyenv install 3.13, or uv python install 3.13. Or name one: make up PYTHON=/path/to/python
SENTENCE
exit 1
