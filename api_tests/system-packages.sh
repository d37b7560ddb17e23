#!/bin/sh
# What the tests need beyond Python: Chromium. As root on Debian it is installed; else it is said which tests are skipped.
set -eu
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing Chromium for the browser tests"
  export DEBIAN_FRONTEND=noninteractive
  if apt-get install -y -qq chromium >/dev/null 2>&1; then exit 0; fi
  apt-get update -qq >/dev/null && apt-get install -y -qq chromium >/dev/null && exit 0
fi
echo "Chromium is missing: the tests in api_tests/browser are skipped (on Debian: apt install chromium)" >&2
