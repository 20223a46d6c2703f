# Culvert. Targets: all check test test-all demo zoo bench bench-web fuzz install uninstall clean deps.
# Variables: V=1 (show commands), SAN=address,undefined, CC, CFLAGS, PREFIX, DESTDIR.
.DEFAULT_GOAL := all

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
USERUNITDIR ?= $(PREFIX)/lib/systemd/user
DOCDIR ?= $(PREFIX)/share/doc/culvert
CC = gcc
PKG_CONFIG ?= pkg-config
VERSION := 0.1.0

# What `make deps` looks for: a header or program, and the Debian package that has it.
include tests/lib/deps.mk

PKGS = openssl libconfuse libcares jansson krb5-gssapi libnghttp2
CFLAGS ?= -O2 -g
override CPPFLAGS += -I. -D_GNU_SOURCE -DCULVERT_VERSION='"$(VERSION)"'
override CFLAGS += -std=c11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -fno-strict-aliasing
ifneq ($(filter-out deps clean uninstall,$(or $(MAKECMDGOALS),all)),)
override CFLAGS += $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
LDLIBS_MAIN = $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) -lev -lhttp_parser -lwslay -lm
# What finds proxies (libproxy, libcurl, libpacparser) is loaded by the child processes that use it, at run time.
LDLIBS_CLIENT = -lseccomp
endif
ifdef SAN
override CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
override LDFLAGS += -fsanitize=$(SAN)
endif
O ?= build/$(CC)$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(VARIANT)
comma := ,
ifndef V
Q = @
say = @echo "  $(1)" $(patsubst $(O)/%,%,$@)
endif

src = $(sort $(wildcard $(1)/*.c))
obj = $(patsubst %.c,$(O)/%.o,$(1))
COMMON := $(call src,framing) $(call src,tunnel)
CLIENT := $(call src,client)
SERVER := $(call src,server)

all: $(O)/culvert $(O)/culvertd
	@mkdir -p bin && ln -sf $(abspath $(O))/culvert $(abspath $(O))/culvertd bin/

$(O)/culvert: $(call obj,$(COMMON) $(CLIENT))
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS_MAIN) $(LDLIBS_CLIENT)
$(O)/culvertd: $(call obj,$(COMMON) $(SERVER))
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS_MAIN)

$(O)/%.o: %.c | deps-check
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

include client/web/web.mk tests/tests.mk

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(USERUNITDIR) $(DESTDIR)$(DOCDIR)
	install -m 755 $(O)/culvert $(DESTDIR)$(BINDIR)/culvert
	install -m 755 $(O)/culvertd $(DESTDIR)$(SBINDIR)/culvertd
	install -m 644 client/culvert.1 client/culvert-doctor.1 $(DESTDIR)$(MANDIR)/man1/
	install -m 644 client/culvert.conf.5 server/culvertd.conf.5 $(DESTDIR)$(MANDIR)/man5/
	install -m 644 server/culvertd.8 $(DESTDIR)$(MANDIR)/man8/
	sed 's,@SBINDIR@,$(SBINDIR),g' systemd/culvertd.service.in > $(DESTDIR)$(UNITDIR)/culvertd.service
	install -m 644 systemd/culvertd.socket $(DESTDIR)$(UNITDIR)/
	sed 's,@BINDIR@,$(BINDIR),g' systemd/culvert.service.in > $(DESTDIR)$(USERUNITDIR)/culvert.service
	install -m 644 README.md framing/PROTOCOL.md tunnel/DESIGN.md client/PROXY-ADMINS.md server/REVERSE-PROXIES.md framing/REST.md server/openapi.yaml server/PAGES.md client/culvert.conf.example server/culvertd.conf.example $(DESTDIR)$(DOCDIR)/

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/culvert $(DESTDIR)$(SBINDIR)/culvertd
	rm -f $(DESTDIR)$(MANDIR)/man1/culvert.1 $(DESTDIR)$(MANDIR)/man1/culvert-doctor.1 $(DESTDIR)$(MANDIR)/man5/culvert.conf.5
	rm -f $(DESTDIR)$(MANDIR)/man5/culvertd.conf.5 $(DESTDIR)$(MANDIR)/man8/culvertd.8
	rm -f $(DESTDIR)$(UNITDIR)/culvertd.service $(DESTDIR)$(UNITDIR)/culvertd.socket $(DESTDIR)$(USERUNITDIR)/culvert.service
	rm -rf $(DESTDIR)$(DOCDIR)

clean:
	rm -rf build bin client/web/dist

.PHONY: all install uninstall clean
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)
