# SPDX-License-Identifier: Apache-2.0
# make coverage: what of userspace/ all tests run through, by lines. COVERAGE_MIN: percent to reach.

COVERAGE_MIN ?= 85
COV          := $(O)/coverage
COV_MAKE      = $(MAKE) --no-print-directory O=$(COV) OPT=-O0 \
	        CFLAGS_EXTRA="--coverage -fprofile-update=atomic" \
	        LDFLAGS_EXTRA="--coverage -Wl,--wrap=_exit $(abspath $(COV))/dump.o"

## coverage: all tests in a build with gcov; fails below COVERAGE_MIN (85) percent of lines
coverage:
	$(Q)tools/packaging/deps --test --lint
	@mkdir -p $(COV)
	$(Q)$(CC) -O2 -c -o $(COV)/dump.o tests/coverage/dump.c
	$(Q)$(COV_MAKE) all tests
	$(Q)tests/coverage/run $(COV) $(COVERAGE_MIN)

.PHONY: coverage
