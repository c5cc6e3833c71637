#!/bin/sh
# Makes tests/fixtures/wan again, or, with OUT set, the same elsewhere to compare.
# VENV names the environment, made when absent; PYTHON (3.11) makes it.
set -eu
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
venv=${VENV:-$here/../../build/reference-venv}
if [ ! -x "$venv/bin/python" ]; then
    "${PYTHON:-python3.11}" -m venv "$venv"
    "$venv/bin/pip" install --quiet -r "$here/requirements.txt"
fi
for script in tokenizer models text dit vae sampler pipeline original taehv; do
    echo "== $script"
    "$venv/bin/python" -W ignore -B "$here/$script.py"
done
chmod -R u+rw,go+r "${OUT:-$here/../../tests/fixtures/wan}"
