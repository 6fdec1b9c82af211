#!/bin/sh
# Pins requirements/*.txt from pyproject.toml, every artefact by its hash; called by `make lock`.
#
# Everything is resolved together first, so that all files agree, for every platform and every Python from MINIMUM on.
# Versions stay where they are unless UPGRADE is set. No settings of this machine's uv or pip are read, and no address
# is written.
set -eu
cd "$(dirname "$0")/.."

unset UV_INDEX UV_DEFAULT_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_FIND_LINKS || true
work=build/lock
all=$work/all.txt
rm -rf "$work"
mkdir -p "$work"

resolve() {
    "$UV" pip compile --quiet --no-config --universal --python-version "$MINIMUM" --fork-strategy fewest \
        --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml "$@"
}

pin() {  # pin FILE PURPOSE OPTION...
    file=$1 purpose=$2
    shift 2
    resolve --constraints "$all" --output-file "$work/$file" "$@" > /dev/null
    {
        echo "# What it takes to $purpose. Every artefact by its hash; made by \`make lock\` from pyproject.toml."
        cat "$work/$file"
    } > "requirements/$file"
}

if [ -z "${UPGRADE:-}" ]; then
    cat requirements/*.txt > "$all"
fi
resolve --all-extras --group dev --output-file "$all" > /dev/null

pin run.txt "run winback" --group build
pin test.txt "run and test winback" --group test
pin dev.txt "run, test and develop winback" --group dev
pin spark.txt "run winback with the extra spark" --group build --extra spark
pin postgres.txt "run winback with the extra postgres" --group build --extra postgres
