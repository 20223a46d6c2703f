# What Squid asks credentials with, for squid.sh: user alice, password secret (the domain user of samba.sh for NTLM proper).
#   basic       basic_ncsa_auth
#   digest      digest_file_auth, MD5; DIGEST_NONCE="nonce_max_count 20", "nonce_max_duration 5 seconds"
#   ntlm        Squid's ntlm_fake_auth: the real dialogue, any password
#   samba       NTLM, verified by Samba (samba_start first)
#   spnego      Negotiate with NTLM inside, verified by Samba
#   negotiate   Kerberos, verified by negotiate_kerberos_auth (realm_start first)
#   all         Negotiate, NTLM, Digest and Basic are offered

SQUID_LIB=/usr/lib/squid

_squid_wants_basic() { # DIR
	printf 'alice:%s\n' "$(openssl passwd -apr1 secret)" >"$1/passwords"
	cat <<-CONF
		auth_param basic program $SQUID_LIB/basic_ncsa_auth $1/passwords
		auth_param basic children 1
		auth_param basic realm test
	CONF
}

_squid_wants_digest() { # DIR
	printf 'alice:test:%s\n' "$(printf 'alice:test:secret' | md5sum | cut -d ' ' -f 1)" >"$1/digests"
	cat <<-CONF
		auth_param digest program $SQUID_LIB/digest_file_auth -c $1/digests
		auth_param digest children 1
		auth_param digest realm test
		auth_param digest ${DIGEST_NONCE:-nonce_max_count 50}
		auth_param digest nonce_garbage_interval 1 seconds
	CONF
}

_squid_helper() { # SCHEME PROGRAM...
	cat <<-CONF
		auth_param $1 program ${*:2}
		auth_param $1 children 8 startup=2 idle=2
		auth_param $1 keep_alive on
	CONF
}

_squid_wants_ntlm() { _squid_helper ntlm $SQUID_LIB/ntlm_fake_auth; }
_squid_wants_samba() { _squid_helper ntlm /usr/bin/ntlm_auth "--configfile=$SAMBA_CONF" --helper-protocol=squid-2.5-ntlmssp --domain=ZOO; }
_squid_wants_spnego() { _squid_helper negotiate /usr/bin/ntlm_auth "--configfile=$SAMBA_CONF" --helper-protocol=gss-spnego --domain=ZOO; }
_squid_wants_negotiate() {
	_squid_helper negotiate /usr/bin/env "KRB5_CONFIG=$KRB5_CONFIG" KRB5RCACHETYPE=none $SQUID_LIB/negotiate_kerberos_auth \
		-k "$REALM_KEYTAB" -s HTTP/localhost@PROXY.TEST
}
_squid_wants_all() { # DIR
	_squid_wants_negotiate && _squid_wants_ntlm && _squid_wants_digest "$1" && _squid_wants_basic "$1"
}

_squid_auth() { # WHAT DIR
	"_squid_wants_$1" "$2"
	cat <<-CONF
		acl known proxy_auth REQUIRED
		http_access deny !known
	CONF
}

# A line for each request in its log since the mark: method, status, user, what it sent (Basic, Digest, NTLM1, NTLM3, Negotiate, -).
squid_auth_log() { # NAME
	_log_lines "$1" | awk '$7 !~ /^error:/ {
		sent = $11
		gsub(/"/, "", sent)
		if (sent == "NTLM")
			sent = $12 ~ /^TlRMTVNTUAAB/ ? "NTLM1" : "NTLM3"
		sub(/.*\//, "", $4)
		print $6, $4, $8, sent
	}'
}
