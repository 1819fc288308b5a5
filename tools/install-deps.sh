#!/bin/sh
# Installs what is needed on Debian 12; nothing where all is there already. With --site: only what a real site needs.
# Needs root or sudo only if something is missing. Services of the packages are kept from starting.
set -eu

# What builds the edge and runs it at a site.
PACKAGES="
  gcc libc6-dev pkg-config make
  libpcap-dev libssl-dev libsqlite3-dev libsrtp2-dev libspandsp-dev liburing-dev libgoogle-perftools-dev
  openssl asterisk-core-sounds-en-wav asterisk-core-sounds-en-g722
"
# What the demo, the tests and the benchmarks need besides.
PEERS="
  kamailio kamailio-tls-modules kamailio-outbound-modules kamailio-presence-modules
  baresip-core linphone-cli twinkle-console sip-tester stunnel4 tshark
  rtpengine-daemon
  dnsmasq-base kea-dhcp4-server
  sox python3 procps iproute2 nftables util-linux
"

case "${1:-}" in
    --site) ;;
    --list) printf '%s\n' $PACKAGES $PEERS; exit 0 ;;
    "") PACKAGES="$PACKAGES $PEERS" ;;
    *) echo "usage: install-deps.sh [--site | --list]" >&2; exit 64 ;;
esac

missing=""
for package in $PACKAGES; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "install-deps: missing:$missing; there is no apt-get here to install them with" >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "install-deps: missing:$missing; run this as root" >&2
        exit 1
    fi
    as_root=sudo
fi

echo "install-deps: installing$missing"
policy=/usr/sbin/policy-rc.d
restore() {
    [ -z "${made:-}" ] || $as_root rm -f "$policy"
}
made=""
if [ ! -e "$policy" ]; then
    trap restore EXIT
    trap 'exit 130' INT TERM
    made=yes
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
