# Fuzzing. A target tests/fuzz/fuzz_X.c names what it is linked with like a unit test
# does; its seeds are in tests/fuzz/corpus/X. `make fuzz` runs each target for
# FUZZ_SECONDS and keeps findings and new inputs below build/fuzz; `make fuzz-replay`
# feeds the seeds to the targets built with $(CC), as part of the tests.
FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang
FUZZ_CFLAGS = -std=c11 -O1 -g -fno-strict-aliasing -fno-omit-frame-pointer -fno-sanitize-recover=all
FUZZ_DIR := build/fuzz
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_REPLAY := $(FUZZ:%=$(O)/tests/fuzz/replay_%)
fuzz_sources = $(wildcard $(shell sed -n -e 's,^/\* links: \(.*\) \*/,\1,p' -e 's,^// links: ,,p' tests/fuzz/fuzz_$(1).c))

$(FUZZ_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

define fuzz_rule
$(FUZZ_DIR)/fuzz_$(1): $(patsubst %.c,$(FUZZ_DIR)/%.o,tests/fuzz/fuzz_$(1).c $(call fuzz_sources,$(1)))
	$$(call say,LD)
	$$(Q)$$(FUZZ_CC) $$(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined -o $$@ $$^ $(call libs,tests/fuzz/fuzz_$(1).c)
$(O)/tests/fuzz/replay_$(1): $(call obj,tests/fuzz/fuzz_$(1).c tests/fuzz/replay.c $(call fuzz_sources,$(1)))
	$$(call say,LD)
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $(call libs,tests/fuzz/fuzz_$(1).c)
endef
$(foreach t,$(FUZZ),$(eval $(call fuzz_rule,$(t))))

fuzz: deps-test $(FUZZ:%=$(FUZZ_DIR)/fuzz_%)
	@for t in $(FUZZ); do \
		mkdir -p $(FUZZ_DIR)/corpus/$$t; \
		if $(FUZZ_DIR)/fuzz_$$t -max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=8192 -print_final_stats=1 \
			-artifact_prefix=$(FUZZ_DIR)/$$t- $(FUZZ_DIR)/corpus/$$t tests/fuzz/corpus/$$t >$(FUZZ_DIR)/$$t.log 2>&1; then \
			echo "  ok   fuzz_$$t ($$(sed -n 's/^stat::number_of_executed_units: *//p' $(FUZZ_DIR)/$$t.log) runs)"; \
		else \
			tail -n 60 $(FUZZ_DIR)/$$t.log; echo "  FAIL fuzz_$$t, see $(FUZZ_DIR)/$$t-*"; exit 1; \
		fi; \
	done

fuzz-replay: $(FUZZ_REPLAY)
	@for t in $(FUZZ); do \
		if out=$$($(O)/tests/fuzz/replay_$$t tests/fuzz/corpus/$$t 2>&1); then echo "  ok   fuzz_$$t ($$out)"; \
		else echo "$$out"; echo "  FAIL fuzz_$$t"; exit 1; fi; \
	done

.PHONY: fuzz fuzz-replay
