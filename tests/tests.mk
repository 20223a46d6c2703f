# Tests. A unit test tests/unit/test_X.c says on a line "/* links: a.c b.c */" (or
# "// links: dir/*.c") which project files it is linked with, and on "/* libs: -lx */"
# which libraries.
# The longest first, for several run at a time.
UNIT := $(sort $(wildcard tests/sim/test_*.c)) $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(UNIT:%.c=$(O)/%)
links = $(call obj,$(wildcard $(shell sed -n -e 's,^/\* links: \(.*\) \*/,\1,p' -e 's,^// links: ,,p' $(1))))
libs = $(shell sed -n 's,^/\* libs: \(.*\) \*/,\1,p' $(1))

define unit_rule
$(O)/$(basename $(1)): $(O)/$(basename $(1)).o $(call links,$(1))
	$$(call say,LD)
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ -lcmocka $(call libs,$(1))
endef
$(foreach t,$(UNIT),$(eval $(call unit_rule,$(t))))
$(UNIT:%.c=$(O)/%.o): | deps-test

unit-build: $(UNIT_BIN)
unit: $(UNIT_BIN)
	@tests/lib/run-unit.sh $(UNIT_BIN)

include tests/fuzz/fuzz.mk tests/tools/tools.mk tests/demo/demo.mk tests/zoo/zoo.mk
include tests/web/real.mk tests/web/compare/compare.mk
-include tests/bench/bench.mk

# What another compiler says, without what it would make.
ALL_C := $(sort $(wildcard framing/*.c tunnel/*.c client/*.c server/*.c $(patsubst %,tests/%/*.c,unit sim lib fuzz)))
clang-check: | deps-check
	@printf '%s\n' $(ALL_C) | xargs -P $$(nproc) -n 20 clang $(CPPFLAGS) $(CFLAGS) -fsyntax-only

check-includes:
	@tests/lib/check-includes.sh

# The quick ones, for the time between two edits.
check: check-includes unit fuzz-replay

# Everything that a change must pass; real programs included. Sums up in the last line.
test: deps-real
	@tests/run.sh $(or $(STAGES),includes gcc sanitizers clang fuzz programs web peer e2e)
# What takes longer: valgrind, sanitizers end to end, install, the matrix of calls, the whole zoo.
test-all: deps-zoo
	@tests/run.sh includes gcc sanitizers-all clang-unit fuzz programs web peer-all e2e-all e2e-sanitizers valgrind install matrix zoo web-real

.PHONY: unit unit-build check clang-check check-includes test test-all
