#!/bin/sh
# make install into a directory of its own: everything is there, units name the right paths, the
# programs run from there, and uninstall leaves nothing behind.
cd "$(dirname "$0")/.." || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

check() { # what command...
	what=$1
	shift
	if "$@" >"$dir/said" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "  FAIL $what"
		sed 's/^/    /' "$dir/said"
	fi
}

empty() { [ -z "$(find "$1" -type f)" ]; }
root=$dir/root
check "make install" make --no-print-directory install DESTDIR="$root" PREFIX=/usr
for file in bin/culvert sbin/culvertd share/man/man1/culvert.1 share/man/man1/culvert-doctor.1 share/man/man5/culvert.conf.5 share/man/man5/culvertd.conf.5 \
	share/man/man8/culvertd.8 lib/systemd/system/culvertd.service lib/systemd/system/culvertd.socket lib/systemd/user/culvert.service share/doc/culvert/README.md \
	share/doc/culvert/PROTOCOL.md share/doc/culvert/PROXY-ADMINS.md share/doc/culvert/REVERSE-PROXIES.md share/doc/culvert/REST.md share/doc/culvert/openapi.yaml share/doc/culvert/PAGES.md share/doc/culvert/culvertd.conf.example share/doc/culvert/culvert.conf.example; do
	check "$file is installed" test -s "$root/usr/$file"
done
check "culvert runs" "$root/usr/bin/culvert" --version
check "culvertd runs" "$root/usr/sbin/culvertd" --help
check "the server's unit names the program" grep -q '^ExecStart=/usr/sbin/culvertd' "$root/usr/lib/systemd/system/culvertd.service"
check "the helper's unit names the program" grep -q '^ExecStart=/usr/bin/culvert' "$root/usr/lib/systemd/user/culvert.service"
for manual in "$root"/usr/share/man/man*/*; do
	check "$(basename "$manual") is formatted without errors" sh -c "mandoc -Tlint -Werror '$manual'"
done
check "make uninstall" make --no-print-directory uninstall DESTDIR="$root" PREFIX=/usr
check "uninstall leaves nothing" empty "$root"
echo "install: $passed passed, $failed failed"
[ $failed -eq 0 ]
