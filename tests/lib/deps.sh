#!/bin/sh
# Installs what is missing of the "probe=package" pairs given, with apt-get, as root
# or by sudo, and says so. Silent when nothing is missing.
set -u

have() {
	case $1 in
	bin:*) command -v "${1#bin:}" || test -x "/usr/sbin/${1#bin:}" ;;
	py:*) /usr/bin/python3 -c "import ${1#py:}" ;;
	gst:*) gst-inspect-1.0 --exists "${1#gst:}" ;;
	file:*) for f in ${1#file:}; do test -e "$f" && return 0; done; return 1 ;;
	*) for d in /usr/include /usr/include/"$(uname -m)"-linux-gnu; do test -e "$d/$1" && return 0; done; return 1 ;;
	esac >/dev/null 2>&1
}

missing=
for pair; do
	have "${pair%%=*}" || missing="$missing ${pair#*=}"
done
[ -n "$missing" ] || exit 0
# shellcheck disable=SC2086
set -- $(printf '%s\n' $missing | sort -u)

echo "missing Debian packages: $*"
if ! command -v apt-get >/dev/null; then
	echo "no apt-get here; please install what provides them" >&2
	exit 1
fi
sudo=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || { echo "not root and no sudo: as root, run: apt-get install $*" >&2; exit 1; }
	sudo=sudo
fi
echo "installing them with ${sudo:+sudo }apt-get; this happens once"
# Services must be started neither by the installation nor at the next boot.
policy=/usr/sbin/policy-rc.d
aside=$policy.before-culvert
restore() {
	$sudo rm -f $policy
	[ ! -e $aside ] || $sudo mv $aside $policy
}
forbids() { # is there a policy already, and does it say no?
	[ -x $policy ] || return 1
	$policy squid start >/dev/null 2>&1
	[ $? -eq 101 ]
}
if ! forbids; then
	trap restore EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	[ ! -e $policy ] || $sudo mv $policy $aside
	printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null && $sudo chmod +x $policy
fi
daemons="squid tinyproxy privoxy apache2 haproxy nginx krb5-kdc krb5-admin-server cntlm danted winbind coturn openvpn"
there=
for daemon in $daemons; do
	[ ! -e /lib/systemd/system/$daemon.service ] || there="$there $daemon"
done
log=$(mktemp)
{ $sudo apt-get -o DPkg::Lock::Timeout=300 update && $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"; } >"$log" 2>&1
rc=$?
for daemon in $daemons; do
	case " $there " in *" $daemon "*) continue ;; esac
	[ ! -e /lib/systemd/system/$daemon.service ] || $sudo systemctl disable $daemon >/dev/null 2>&1 || :
done
if [ $rc -ne 0 ]; then
	tail -n 20 "$log" >&2
	echo "installation failed; whole log: $log" >&2
	exit 1
fi
rm -f "$log"
