#!/bin/sh
# Installs Debian's chromium where no browser of its kind is there: as root, or by a sudo that asks
# for no password. Else it says what to install.
set -eu
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if command -v apt-get >/dev/null; then
    as_root=none
    if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2>/dev/null; then as_root="sudo -n"; fi
    if [ "$as_root" != none ]; then
        echo "installing chromium, in which the tests look at the report"
        install="env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends"
        $as_root apt-get update -qq && $as_root $install chromium fonts-dejavu-core >/dev/null && exit 0
    fi
fi
echo "error: no chromium, in which the tests look at the report" >&2
echo "to do: install it (Debian: sudo apt-get install chromium), then make test again" >&2
exit 1
