# SPDX-License-Identifier: Apache-2.0
# make valgrind: what the unit tests do to memory. What the whole daemon does to it is seen by
#     make O=build-san SAN=address,undefined OPT=-O1 all tests && tests/run build-san

# A build of its own: valgrind 3.19 takes __memmove_chk for __memcpy_chk and complains of overlaps.
VALGRIND_O    := $(O)/valgrind
VALGRIND_MAKE  = $(MAKE) --no-print-directory O=$(VALGRIND_O) CFLAGS_EXTRA=-U_FORTIFY_SOURCE \
	         -j$(shell nproc)
VALGRIND_RUNS := $(patsubst %.c,valgrind-%,$(wildcard tests/unit/*/*.c))

## valgrind: all unit tests under valgrind; no findings (6 minutes)
valgrind:
	$(Q)tools/packaging/deps --test --lint
	$(Q)$(VALGRIND_MAKE) all tests
	$(Q)$(VALGRIND_MAKE) -k --output-sync=target $(VALGRIND_RUNS)
	@echo "valgrind: $(words $(VALGRIND_RUNS)) programs, no finding"

$(VALGRIND_RUNS): valgrind-%: $(O)/%
	$(Q)tests/valgrind/run $<

.PHONY: valgrind $(VALGRIND_RUNS)
