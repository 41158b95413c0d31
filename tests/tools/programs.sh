#!/bin/sh
# The programs that tests/clients drives: install what is missing when that is possible, else say loudly what is not
# going to be tested. With CI=true a missing program is a failure.
set -eu

missing() {
    for pair in swaks:swaks mbsync:isync curl:curl openssl:openssl sqlite3:sqlite3 slapd:slapd ip:iproute2 \
        fail2ban-regex:fail2ban postfix:postfix unbound:unbound faketime:faketime dovecot:dovecot-core \
        testssl:testssl.sh litmus:litmus cadaver:cadaver script:bsdutils gsasl:gsasl chromium:chromium \
        chromedriver:chromium-driver rsvg-convert:librsvg2-bin zbarimg:zbar-tools \
        debootstrap:debootstrap lintian:lintian dpkg-buildpackage:dpkg-dev dh:debhelper dh_python3:dh-python; do
        PATH="$PATH:/usr/sbin" command -v "${pair%%:*}" >/dev/null || echo "${pair##*:}"
    done
    # Building the package needs this, which has no program to look for.
    ! command -v dpkg-query >/dev/null || dpkg-query -W pybuild-plugin-pyproject python3-all >/dev/null 2>&1 ||
        echo pybuild-plugin-pyproject python3-all python3-setuptools
    # swaks needs these for TLS and says so only when it is too late.
    if command -v perl >/dev/null; then
        perl -MNet::SSLeay -e 1 2>/dev/null || echo libnet-ssleay-perl
        perl -MIO::Socket::SSL -e 1 2>/dev/null || echo libio-socket-ssl-perl
    else
        echo libnet-ssleay-perl libio-socket-ssl-perl
    fi
}

packages=$(missing | tr '\n' ' ')
[ -n "$packages" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >/dev/null
    # Without a configuration of its own it is not started; the tests start instances of theirs.
    echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
    # shellcheck disable=SC2086  # a list of words
    apt-get install -q -y --no-install-recommends $packages >/dev/null
    packages=$(missing | tr '\n' ' ')
    [ -n "$packages" ] || exit 0
fi
echo "**************************************************************************" >&2
echo "MISSING: $packages" >&2
echo "Tests that need them are SKIPPED. On Debian, as root: apt install $packages" >&2
echo "**************************************************************************" >&2
[ "${CI:-}" != true ] || exit 1
