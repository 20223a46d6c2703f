# Measuring tools of the tests, the demo and the benchmark: no library but libc and libm; what speaks TLS has OpenSSL.
TOOL_rtpload := rtpload rtpload_options rtpload_report rtpload_flood rtpload_tally rtpload_socket rtpload_send rtpload_receive rtpload_cpu tool
TOOL_linkem := linkem linkem_params linkem_queue linkem_link linkem_end tool
TOOL_cutter := cutter tool
TOOL_turnclient := turnclient turn tlslink udpport tool
TOOL_tlspipe := tlspipe tlslink udpport tool
TOOLS := $(O)/tests/tools/rtpload $(O)/tests/tools/linkem $(O)/tests/tools/cutter \
	$(O)/tests/tools/alloccount.so
# Speaks with WebSockets that are not ours; from the project's own engines.
TOOL_wsecho := wsecho wspeer tool
TOOLS += $(O)/tests/tools/wsecho
# What the benchmark measures beside Culvert.
BENCH_TOOLS := $(O)/tests/tools/turnclient $(O)/tests/tools/tlspipe

define tool_rule
$(O)/tests/tools/$(1): $(TOOL_$(1):%=$(O)/tests/tools/%.o)
	$$(call say,LD)
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -pthread -o $$@ $$^ $(2) -lm
endef
$(foreach t,rtpload linkem cutter,$(eval $(call tool_rule,$(t))))
$(foreach t,turnclient tlspipe,$(eval $(call tool_rule,$(t),-lssl -lcrypto)))

$(eval $(call tool_rule,wsecho,$$(LDLIBS_MAIN)))
$(O)/tests/tools/wsecho: $(call obj,$(COMMON))

# Without the sanitizers' allocator: it takes that place itself.
$(O)/tests/tools/alloccount.so: tests/tools/alloccount.c
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -std=c11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -shared -fPIC -o $@ $<

tools: $(TOOLS) $(BENCH_TOOLS)
.PHONY: tools
