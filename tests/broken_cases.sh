#!/bin/sh
# How many broken files of each format are refused with exactly the error that is written down: sh tests/broken_cases.sh
cd "$(dirname "$0")/.." || exit 1
cargo test --quiet --package fewerbits --test 'formats_*' -- --nocapture --test-threads=1 |
  grep -o 'refused: [a-z_]*' | sort | uniq -c
