demo: all deps-real $(TOOLS)
	@BUILD=$(abspath $(O)) tests/demo/demo.sh
.PHONY: demo
