#!/bin/bash
# Runs a script in a network and a mount namespace of its own, with a /run of its own, so that `ip netns` works
# there and ends with it: as root directly, else within a user namespace. IN_NAMESPACE=1 tells the script. NO_LINK=1: it emulates
# no link.
script=$1
shift
flags=-rnm
[ "$(id -u)" -ne 0 ] || flags=-nm
if ! unshare $flags true 2>/dev/null; then
	echo "this test needs network namespaces: run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)" >&2
	exit 1
fi
if [ -z "${NO_LINK:-}" ] && ! { exec 9<>/dev/net/tun; } 2>/dev/null; then
	echo "this test emulates a link by TUN devices: /dev/net/tun is missing or not accessible (modprobe tun; chmod 666 /dev/net/tun)" >&2
	exit 1
fi
exec 9>&-
exec unshare $flags bash -c 'mount -t tmpfs none /run && ip link set lo up && exec bash "$@"' namespace "$script" "$@"
