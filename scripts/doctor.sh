#!/bin/sh
# Says what this machine has, what it lacks, and how to install that. Exit code 1 when it lacks
# something that the native runtime needs and no Docker engine answers.
set -u
cd "$(dirname "$0")/.." || exit 1
. scripts/settings.sh
. scripts/runtime-choice.sh
PYTHON=$(setting PYTHON)
export PYTHON
lacking=0
row() { printf '  %-8s %-10s %s\n' "$1" "$2" "$3"; }
have() { row ok "$1" "$2"; }
lack() { row missing "$1" "$2"; lacking=1; }

echo "RUNTIME=native needs"
if python=$(sh scripts/find-python.sh 2>/dev/null); then
    have Python "$("$python" --version 2>&1 | cut -d' ' -f2) at $python"
    "$python" -c 'import venv, ensurepip' 2>/dev/null || command -v uv >/dev/null 2>&1 ||
        lack venv "apt-get install python3-venv (or install uv)"
else
    lack Python "3.12 or 3.13: apt-get install python3.13 python3.13-venv, pyenv install 3.13, or uv python install 3.13"
fi
if command -v java >/dev/null 2>&1; then
    version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    if [ "${version:-0}" -ge 17 ]; then have Java "$version at $(command -v java)"; else
        lack Java "17 or newer (this is $version): apt-get install default-jre-headless"
    fi
else
    lack Java "17 or newer: apt-get install default-jre-headless, or brew install openjdk"
fi
if command -v npm >/dev/null 2>&1; then have npm "$(npm --version 2>/dev/null)"; else
    lack npm "apt-get install npm, or brew install node"
fi
free=$(df -Pk . | awk 'NR == 2 {print int($4 / 1024)}')
if [ "$free" -ge 1500 ]; then have disk "$free MB free"; else lack disk "1500 MB free; there are $free"; fi

echo "RUNTIME=docker needs"
problem=$(docker_problem)
if [ -z "$problem" ]; then
    engine=$("$DOCKER" info --format '{{.ServerVersion}}' 2>/dev/null)
    have Docker "engine $engine, Compose $("$DOCKER" compose version --short)"
else
    row missing Docker "an engine with Compose v2 that answers ($problem)"
fi
if [ $lacking -eq 0 ]; then echo "make up will work here."; exit 0; fi
if [ -z "$problem" ]; then
    echo "make up will work here, with RUNTIME=docker."
    exit 0
fi
echo "Install what is missing, then: make up"
exit 1
