#!/bin/sh
# Makes the virtual environment $1 and installs requirements.txt into it. The Makefile calls this; people need not.
# Set PYTHON to choose the interpreter. What it prints when it fails says what to do.
set -eu

venv=$1
least="3.10"

stop() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || stop "PYTHON=$PYTHON is not a Python of version $least or newer."
        echo "$PYTHON"
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python; do
        if new_enough "$name"; then
            echo "$name"
            return
        fi
    done
    found=$(python3 --version 2>/dev/null || echo "no python3 at all")
    stop "Python $least or newer is needed; this machine has: $found." \
        "Install one (python.org, or 'sudo apt-get install python3 python3-venv', or 'brew install python')," \
        "or name it: make PYTHON=/path/to/python3 ..."
}

make_venv() {
    if ! "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        stop "This Python ($1, $version) cannot make virtual environments: its venv module is a package of its own." \
            "On Debian and Ubuntu: sudo apt-get install python3-venv (or python$version-venv)"
    fi
    echo "setup: making $venv with $("$1" --version)"
    rm -rf "$venv"
    "$1" -m venv "$venv" || stop "'$1 -m venv $venv' failed: see above."
}

# One that broke (its Python was upgraded away, or a run was cut off) is made anew.
if ! "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
    python=$(find_python)
    make_venv "$python"
fi
echo "setup: installing requirements.txt into $venv (the first time this takes a minute)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt ||
    stop "pip could not install requirements.txt: see above. Without a network, run this again once there is one."
