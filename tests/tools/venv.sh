#!/bin/sh
# Make a virtualenv and install into it: venv.sh DIRECTORY PIP-ARGUMENT...
# On success DIRECTORY/ready says so; a virtualenv left half made is finished on the next call. One that was not made
# here is left alone.
set -eu
directory=$1
shift
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "TrekMail needs Python 3.11 or newer; this is $("$python" --version). Say which: make PYTHON=python3.11" >&2
    exit 1
}
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -q
        apt-get install -q -y --no-install-recommends python3-venv
    else
        echo "Python's venv module is missing. On Debian: apt install python3-venv" >&2
        exit 1
    fi
fi
mark=$directory/made-by-trekmail
if [ ! -x "$directory/bin/python" ]; then
    echo "making $directory"
    mkdir -p "$directory"
    touch "$mark"
    "$python" -m venv "$directory"
elif [ ! -e "$mark" ]; then
    echo "using $directory as it is"
    exit 0
fi
echo "installing into $directory (a few minutes the first time)"
# compat: the only editable form in which twistd finds the plugin without PYTHONPATH.
"$directory/bin/python" -m pip install --quiet --disable-pip-version-check \
    --config-settings editable_mode=compat "$@"
touch "$directory/ready"
