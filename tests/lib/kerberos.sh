# Sourced after harness.sh: a realm of its own, PROXY.TEST, on loopback, in $W/realm; user alice, password secret. It reads neither
# /etc/krb5.conf nor the DNS.
#
#   realm_start                 starts the KDC; exports KRB5_CONFIG and KRB5CCNAME for what is launched afterwards
#   realm_ticket [SECONDS]      logs alice in, for so long (an hour)
#   realm_left                  prints the seconds until her ticket ends; below 0 afterwards
#   $REALM_KEYTAB               the key of HTTP/localhost, for the proxy

REALM_KEYTAB=

_realm_files() { # DIR PORT
	cat >"$1/krb5.conf" <<-CONF
		[libdefaults]
			default_realm = PROXY.TEST
			dns_lookup_realm = false
			dns_lookup_kdc = false
			dns_canonicalize_hostname = false
			rdns = false
			udp_preference_limit = 1
			clockskew = 2
		[realms]
			PROXY.TEST = {
				kdc = 127.0.0.1:$2
			}
		[domain_realm]
			localhost = PROXY.TEST
	CONF
	cat >"$1/kdc.conf" <<-CONF
		[kdcdefaults]
			kdc_listen = 127.0.0.1:$2
			kdc_tcp_listen = 127.0.0.1:$2
		[realms]
			PROXY.TEST = {
				database_name = $1/principal
				key_stash_file = $1/stash
				acl_file = $1/acl
				max_life = 10h
				supported_enctypes = aes256-cts:normal
			}
	CONF
}

_realm_database() { # DIR
	export KRB5_KDC_PROFILE=$1/kdc.conf
	kdb5_util create -s -r PROXY.TEST -P master &&
		kadmin.local -q "addprinc -pw secret alice" &&
		kadmin.local -q "addprinc -randkey HTTP/localhost" &&
		kadmin.local -q "ktadd -k $REALM_KEYTAB HTTP/localhost"
}

realm_start() {
	local dir=$W/realm port
	mkdir -p "$dir"
	port=$(free_port)
	REALM_KEYTAB=$dir/http.keytab
	_realm_files "$dir" "$port"
	export KRB5_CONFIG=$dir/krb5.conf KRB5CCNAME=FILE:$dir/ccache
	(_realm_database "$dir") >"$dir/database.log" 2>&1 || fail "no realm: $(tail -n 3 "$dir/database.log")"
	chmod 644 "$REALM_KEYTAB" # the proxy runs as nobody
	KRB5_KDC_PROFILE=$dir/kdc.conf launch kdc krb5kdc -n -P "$dir/kdc.pid"
	await 10 answers "$port" || fail "the KDC did not start: $(tail -n 3 "$W/kdc.err")"
}

realm_ticket() { # [SECONDS]
	kinit -l "${1:-3600}s" alice <<<secret >>"$W/realm/kinit.log" 2>&1 || fail "no ticket: $(tail -n 2 "$W/realm/kinit.log")"
	REALM_UNTIL=$((SECONDS + ${1:-3600}))
}

realm_left() {
	echo $((REALM_UNTIL - SECONDS))
}
