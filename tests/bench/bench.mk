# SPDX-License-Identifier: Apache-2.0
# make bench: what kmend costs, against doing without it, on this machine now.
# BENCH_ROUNDS: of each pair and hook. BENCH_IDLE: seconds. BENCH_EXITS: ends. RESTART_ROUNDS:
# kills.

BENCH_ROUNDS   ?= 11
BENCH_IDLE     ?= 60
BENCH_EXITS    ?= 2000
RESTART_ROUNDS ?= 200
BENCHES        := $(patsubst %.c,$(O)/%,$(filter-out %.bpf.c,$(wildcard tests/bench/*.c)))

$(O)/tests/bench/ring.o: $(O)/tests/bench/ring.skel.h

bench-build:
	$(Q)tools/packaging/deps --bench
	$(Q)$(MAKE) --no-print-directory all $(O)/tests/lib/enclose $(O)/tests/lib/demo_service \
		$(BENCHES)

## bench: cost for others (paired runs beside an A/A row), idle, restart, series, rules (root)
bench: bench-build
	$(Q)tests/bench/run $(O) pairs $(BENCH_ROUNDS)
	$(Q)tests/bench/run $(O) hooks $(BENCH_ROUNDS)
	$(Q)tests/bench/run $(O) ring $(BENCH_ROUNDS)
	$(Q)tests/bench/run $(O) exits $(BENCH_EXITS)
	$(Q)tests/bench/run $(O) exits $(BENCH_EXITS) 4
	$(Q)tests/bench/run $(O) tasks $(BENCH_ROUNDS)
	$(Q)tests/bench/run $(O) idle $(BENCH_IDLE)
	$(Q)tests/bench/run $(O) idle $(BENCH_IDLE) 1000 1
	$(Q)tests/bench/run $(O) restart $(RESTART_ROUNDS)
	$(Q)$(O)/tests/bench/series
	$(Q)$(O)/tests/bench/rules
	$(Q)$(O)/tests/bench/backtest $(O)/kmend

## bench-restart: from the death of a supervised command to its replacement's main() (root)
bench-restart: bench-build
	$(Q)tests/bench/run $(O) restart $(RESTART_ROUNDS)

.PHONY: bench bench-build bench-restart
