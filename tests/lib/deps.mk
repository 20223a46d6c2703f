# What the build, the tests and the demo need, as "probe package" pairs: a probe
# is a header below /usr/include, a program on PATH (bin:NAME), a python3 module of
# the system's interpreter (py:NAME), a GStreamer element (gst:NAME) or a file (file:PATTERN).
DEPS_BUILD = openssl/ssl.h=libssl-dev ev.h=libev-dev http_parser.h=libhttp-parser-dev \
	confuse.h=libconfuse-dev ares.h=libc-ares-dev jansson.h=libjansson-dev gssapi/gssapi.h=libkrb5-dev pacparser.h=libpacparser-dev proxy.h=libproxy-dev \
	nghttp2/nghttp2.h=libnghttp2-dev wslay/wslay.h=libwslay-dev seccomp.h=libseccomp-dev 'file:/usr/include/*/curl/curl.h'=libcurl4-openssl-dev bin:pkg-config=pkg-config bin:gcc=gcc stdio.h=libc6-dev
DEPS_TEST = cmocka.h=libcmocka-dev bin:clang=clang bin:valgrind=valgrind bin:ip=iproute2 bin:curl=curl bin:openssl=openssl py:ssl=python3 bin:mandoc=mandoc bin:setpriv=util-linux \
	bin:python3=python3 'file:/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a=libclang-rt-dev'
DEPS_REAL = bin:squid=squid-openssl bin:mitmdump=mitmproxy bin:tinyproxy=tinyproxy bin:privoxy=privoxy \
	bin:apache2=apache2-bin bin:haproxy=haproxy bin:nginx=nginx-light bin:gst-launch-1.0=gstreamer1.0-tools \
	bin:krb5kdc=krb5-kdc bin:kadmin.local=krb5-admin-server bin:kinit=krb5-user 'file:/usr/lib/*/gssntlmssp/gssntlmssp.so'=gss-ntlmssp \
	'file:/usr/lib/*/libproxy/*/modules/config_gnome3.so'=libproxy1-plugin-gsettings bin:cntlm=cntlm bin:winbindd=winbind bin:ntlm_auth=winbind bin:smbpasswd=samba-common-bin bin:danted=dante-server bin:microsocks=microsocks bin:nghttp=nghttp2-client bin:h2load=nghttp2-client bin:systemd-socket-activate=systemd bin:nghttpx=nghttp2-proxy py:websockets=python3-websockets py:h2=python3-h2 bin:janus=janus bin:turnserver=coturn bin:node=nodejs bin:npm=npm bin:kamailio=kamailio 'file:/usr/lib/*/kamailio/modules/websocket.so'=kamailio-websocket-modules py:yaml=python3-yaml py:jsonschema=python3-jsonschema bin:chromium=chromium gst:opusenc=gstreamer1.0-plugins-base gst:rtpopuspay=gstreamer1.0-plugins-good

# What `make zoo` measures beside Culvert.
DEPS_ZOO = py:engineio=python3-engineio py:aiohttp=python3-aiohttp
# What `make bench` measures beside Culvert; it goes through squid, too.
DEPS_BENCH = bin:turnserver=coturn bin:openvpn=openvpn bin:squid=squid-openssl bin:ip=iproute2 bin:openssl=openssl bin:python3=python3

deps:
	@tests/lib/deps.sh $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_REAL) $(DEPS_ZOO) $(DEPS_BENCH)
deps-check:
	@tests/lib/deps.sh $(DEPS_BUILD)
deps-test:
	@tests/lib/deps.sh $(DEPS_BUILD) $(DEPS_TEST)
deps-real:
	@tests/lib/deps.sh $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_REAL)
deps-zoo:
	@tests/lib/deps.sh $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_REAL) $(DEPS_ZOO)
deps-bench:
	@tests/lib/deps.sh $(DEPS_BUILD) $(DEPS_BENCH)
.PHONY: deps deps-check deps-test deps-real deps-zoo deps-bench
