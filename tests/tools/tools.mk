# Measuring tools of the tests, the demo and the benchmark: no library but libc and libm.
TOOL_rtpload := rtpload rtpload_tally rtpload_socket rtpload_send rtpload_receive rtpload_cpu tool
TOOL_linkem := linkem linkem_params linkem_queue linkem_link linkem_end tool
TOOL_cutter := cutter tool
TOOLS := $(O)/tests/tools/rtpload $(O)/tests/tools/linkem $(O)/tests/tools/cutter

define tool_rule
$(O)/tests/tools/$(1): $(TOOL_$(1):%=$(O)/tests/tools/%.o)
	$$(call say,LD)
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -pthread -o $$@ $$^ -lm
endef
$(foreach t,rtpload linkem cutter,$(eval $(call tool_rule,$(t))))

tools: $(TOOLS)
.PHONY: tools
