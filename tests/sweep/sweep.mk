# SPDX-License-Identifier: Apache-2.0
# make sweeps: what can go wrong in the actor and its files, each point of it, one after the other.
# SWEEP_LONG=1: all points (an hour); else samples of those that are many.

SWEEP_ENV := $(if $(SWEEP_LONG),KMEND_LONG=1)
SWEEPS    := $(patsubst tests/sweep/%.c,%,$(wildcard tests/sweep/*.c))

## sweeps: failing calls, damage, reuse and rights, point by point (root; SWEEP_LONG=1: all points)
sweeps: all tests
	$(Q)$(SWEEP_ENV) LIMIT=$(if $(SWEEP_LONG),7200,300) JOBS=1 \
		tests/run $(O) sweep/ scenario/act_kill $(if $(SWEEP_LONG),scenario/failover)

## sweep-NAME: one of them: $(SWEEPS)
$(SWEEPS:%=sweep-%): sweep-%: all $(O)/tests/sweep/%
	$(Q)$(SWEEP_ENV) $(O)/tests/sweep/$*

.PHONY: sweeps $(SWEEPS:%=sweep-%)
