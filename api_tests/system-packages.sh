#!/bin/sh
# What the tests need beyond Python. As root on Debian it is installed; else it is said what is missing and which tests that skips.
set -u

# need WHAT PACKAGE TESTS COMMAND...: any of the commands will do
need() {
  what=$1 package=$2 tests=$3
  shift 3
  for name in "$@"; do
    command -v "$name" >/dev/null 2>&1 && return
  done
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing $what"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq "$package" >/dev/null 2>&1 && return
    apt-get update -qq >/dev/null && apt-get install -y -qq "$package" >/dev/null && return
  fi
  echo "$what is missing: $tests are skipped (on Debian: apt install $package)" >&2
}

need Chromium chromium "the tests in api_tests/browser" chromium chromium-browser google-chrome
need Redis redis-server "the tests of clusters" redis-server valkey-server
need faketime faketime "the test of a clock that jumps" faketime
need iproute2 iproute2 "the test of pages that vanish" ip
# Debian keeps the server's programs out of the PATH.
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' ':')
need npm npm "the tests with axe, TypeScript, htmx and Turbo" npm
need PostgreSQL postgresql "the tests of PostgreSQL" initdb
need Prometheus prometheus "the tests of alerts and of the dashboard" promtool
