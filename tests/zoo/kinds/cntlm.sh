# cntlm in front of a proxy that wants NTLM, as people use it today: it logs in as SAMBA_USER, NTLMv2. CNTLM_UPSTREAM: that proxy's port.

_start_cntlm() { # NAME KIND PORTS CA DIR PORT
	cat >"$5/cntlm.conf" <<-CONF
		Username ${SAMBA_USER#*\\}
		Domain ${SAMBA_USER%\\*}
		Password secret
		Auth NTLMv2
		Proxy 127.0.0.1:$CNTLM_UPSTREAM
		Listen 127.0.0.1:$6
	CONF
	chmod 600 "$5/cntlm.conf"
	PROXY_LOG[$1]=$W/$1.err
	_own "$5"
	AS=nobody launch "$1" cntlm -f -c "$5/cntlm.conf"
}

_count_cntlm() { # KIND: it does not say what became of a CONNECT
	awk -v tunnel="$([ "$1" = cntlm ] && echo 1 || echo 0)" '/cntlm\[[0-9]+\]: [0-9.]+ [A-Z]+ / { if ($3 == "CONNECT") connects++; else exchanges++ }
		END { print connects + 0, connects * tunnel, exchanges + 0 }'
}
