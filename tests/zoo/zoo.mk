# ROWS="squid-bump nginx-reverse" for some rows only.
zoo: all deps-zoo $(TOOLS)
	@BUILD=$(abspath $(O)) tests/zoo/zoo.sh -o build/zoo.json $(ROWS)
.PHONY: zoo
