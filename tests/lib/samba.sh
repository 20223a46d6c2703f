# Sourced after harness.sh, in a mount namespace with a /run of its own (namespace.sh), where Samba's parts look for each other:
# winbindd with the passwords of a domain ZOO of its own, in $W/winbind. Its ntlm_auth really verifies.
#
#   samba_start        user $SAMBA_USER, password secret; sets SAMBA_CONF for ntlm_auth --configfile
#
# Samba wants its users to be known to the system: games is, on every Debian.

SAMBA_CONF= SAMBA_USER='ZOO\games'

samba_start() {
	local dir=$W/winbind
	mkdir -p "$dir"/{private,lock,state/winbindd_privileged,cache,pid} /run/samba/winbindd
	SAMBA_CONF=$dir/smb.conf
	cat >"$SAMBA_CONF" <<-CONF
		[global]
		server role = standalone
		workgroup = WORKGROUP
		netbios name = ZOO
		private dir = $dir/private
		lock directory = $dir/lock
		state directory = $dir/state
		cache directory = $dir/cache
		pid directory = $dir/pid
		passdb backend = tdbsam:$dir/private/passdb.tdb
		log file = $dir/log
		interfaces = lo
		bind interfaces only = yes
	CONF
	chmod 750 "$dir/state/winbindd_privileged" # for whom ntlm_auth runs as
	[ "$(id -u)" -ne 0 ] || chgrp nogroup "$dir/state/winbindd_privileged" 2>/dev/null || :
	printf 'secret\nsecret\n' | smbpasswd -c "$SAMBA_CONF" -s -a games >"$dir/smbpasswd.log" 2>&1 || fail "no user: $(tail -n 2 "$dir/smbpasswd.log")"
	# It starts helpers that outlive it, but for a PID namespace of its own.
	launch winbindd unshare --pid --fork --kill-child winbindd -F --no-process-group -s "$SAMBA_CONF" --debug-stdout
	await 15 ntlm_auth --configfile="$SAMBA_CONF" --domain=ZOO --username=games --password=secret >"$dir/try.log" 2>&1 ||
		fail "winbindd does not verify: $(tail -n 2 "$dir/try.log" "$W/winbindd.out")"
}
