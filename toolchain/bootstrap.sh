#!/bin/sh
# Makes .venv: finds Python 3.11 or 3.12, installs the lock (requirements.txt, with hashes) and the project, editable.
# Does nothing where a stamp says that this has been done for the same lock, project, Python and place.
# Caches lie in .tools for as long as it takes; nothing outside the checkout is written.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/.venv
stamp=$venv/medallion.stamp
needed_kb=5000000 # the environment, and as much again while it is unpacked

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

# What the environment depends on, for a given Python.
fingerprint() {
    printf '%s\n' "$root"
    "$1" -c 'import sys; print(sys.version)'
    cksum <"$root/requirements.txt"
    cksum <"$root/pyproject.toml"
}

# Whether a command is a Python that will do. It is run, since a shim of pyenv may exist and not work.
fits() {
    [ "$("$1" -c 'import sys; print(sys.version_info[:2] in ((3, 11), (3, 12)))' 2>/dev/null)" = True ]
}

# Whether a Python can make environments (Debian keeps that in a package of its own).
makes_environments() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

# Prints the Python to use: the one named by PYTHON, one on PATH, or one of pyenv's.
choose_python() {
    crippled=
    for candidate in ${PYTHON:+"$PYTHON"} python3.12 python3.11 python3 python \
        "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3.1[12]*/bin/python; do
        fits "$candidate" || continue
        if makes_environments "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
        crippled=$candidate
    done
    [ -z "$crippled" ] || fail "$crippled lacks the modules venv and ensurepip: install python3-venv for it"
    fail "Python 3.11 or 3.12 is needed and none was found on PATH, in PYTHON or in pyenv: install one (python.org)"
}

if [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(fingerprint "$venv/bin/python")" = "$(cat "$stamp")" ]; then
    exit 0
fi

[ ! -L "$venv" ] || fail "$venv is a link, and set-up would empty the folder that it names: remove the link"
python=$(choose_python)
free_kb=$(df -Pk "$root" | awk 'NR == 2 { print $4 }')
if [ ! -d "$venv" ] && [ "$free_kb" -lt "$needed_kb" ]; then
    fail "set-up needs $((needed_kb / 1000)) MB on the disk of $root; $((free_kb / 1000)) MB are free"
fi
printf 'set-up: Python packages into .venv (2.2 GB, with %s) …\n' "$("$python" -V)"

cache=$root/.tools/cache
mkdir -p "$cache"
export PIP_CACHE_DIR="$cache/pip" UV_CACHE_DIR="$cache/uv" PIP_DISABLE_PIP_VERSION_CHECK=1
export UV_LINK_MODE=hardlink UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV="$venv"

# An environment of another Python, of another place or without pip cannot be repaired.
if ! fits "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 ||
    { [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" != "$root" ]; }; then
    "$python" -m venv --clear "$venv" || fail "$python could not make an environment in $venv"
fi
rm -f "$stamp"

# uv installs several times faster than pip. It is in the lock itself; where it cannot be had, pip does as well.
# Modules are compiled once, here: where Python may not write bytecode, each process would compile its own again.
awk '/^[^ #]/ { keep = /^uv==/ } keep' "$root/requirements.txt" >"$cache/uv.txt"
installed=
if "$venv/bin/python" -m pip install --quiet --require-hashes --no-deps -r "$cache/uv.txt"; then
    "$venv/bin/uv" pip install --quiet --compile-bytecode --require-hashes -r "$root/requirements.txt" && installed=yes
fi
[ -n "$installed" ] || "$venv/bin/python" -m pip install --quiet --require-hashes -r "$root/requirements.txt" ||
    fail "the Python packages could not be installed (see above): check network, proxy and disk, and run again"
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable "$root" ||
    fail "the project could not be installed into .venv (see above)"

rm -rf "$cache"
fingerprint "$venv/bin/python" >"$stamp"
