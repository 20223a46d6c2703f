bench: all deps-real $(TOOLS)
	@BUILD=$(abspath $(O)) tests/bench/bench.sh build/bench.json
.PHONY: bench
