demo: all deps-real $(TOOLS) $(O)/tests/tools/tlspipe
	@BUILD=$(abspath $(O)) tests/demo/demo.sh
.PHONY: demo
