# Calls through Culvert and its peers, side by side over emulated links; BENCH_PROFILE=must or full for more, see bench.sh.
bench: all deps-bench $(TOOLS) $(BENCH_TOOLS)
	@BUILD=$(abspath $(O)) tests/bench/bench.sh build/bench.json
.PHONY: bench
