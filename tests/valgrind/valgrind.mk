# SPDX-License-Identifier: Apache-2.0
# make valgrind: what the unit tests do to memory. What the whole daemon does to it is seen by
#     make O=build-san SAN=address,undefined OPT=-O1 all tests && tests/run build-san

VALGRIND_RUNS := $(patsubst %.c,valgrind-%,$(wildcard tests/unit/*/*.c))

## valgrind: all unit tests under valgrind; no findings (6 minutes)
valgrind:
	$(Q)tools/packaging/deps --test --lint
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) all tests
	$(Q)$(MAKE) --no-print-directory -k -j$(shell nproc) --output-sync=target $(VALGRIND_RUNS)
	@echo "valgrind: $(words $(VALGRIND_RUNS)) programs, no finding"

$(VALGRIND_RUNS): valgrind-%: $(O)/%
	$(Q)tests/valgrind/run $<

.PHONY: valgrind $(VALGRIND_RUNS)
