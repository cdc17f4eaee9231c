# SPDX-License-Identifier: Apache-2.0
# make campaign: real faults in stock Debian programs (tests/campaign/README.md).

CAMPAIGN_DIR     ?= $(O)/campaign
CAMPAIGN_BATCHES ?= 8
# Worlds at a time: they mostly wait, but noise would starve what meets faults beside it.
CAMPAIGN_JOBS    ?= 2
CAMPAIGN_SEED    ?= 2
# Noisy but healthy, in two worlds: 48 minutes together are two days of stretched time.
CAMPAIGN_QUIET_S ?= 1440

CAMPAIGN_RUN := tests/campaign/run --out $(O)
CAMPAIGN_FOR := $(O)/kmendd $(O)/kmend $(O)/tests/lib/enclose $(O)/tests/campaign/scaled

# What uses something up takes long: it gets batches of its own beside those of all classes.
CAMPAIGN_GRADUAL := --classes "memory leak" "descriptor leak" "thread leak" "connection leak" \
		    "disk filling" "inode filling" "log flood" "CPU starvation" "retransmit storm"

## campaign: 370 real faults in real services, and two days of noise; writes its RESULTS.md (1 h)
campaign: $(CAMPAIGN_FOR)
	$(Q)tools/packaging/deps --campaign
	$(Q)rm -rf $(CAMPAIGN_DIR)/faults $(CAMPAIGN_DIR)/gradual $(CAMPAIGN_DIR)/noise
	$(Q)$(CAMPAIGN_RUN) --to $(CAMPAIGN_DIR)/faults --batches $(CAMPAIGN_BATCHES) \
		--jobs $(CAMPAIGN_JOBS) --seed $(CAMPAIGN_SEED)
	$(Q)$(CAMPAIGN_RUN) --to $(CAMPAIGN_DIR)/gradual --batches 6 \
		--jobs $(CAMPAIGN_JOBS) --seed $(CAMPAIGN_SEED)00 $(CAMPAIGN_GRADUAL)
	$(Q)$(CAMPAIGN_RUN) --to $(CAMPAIGN_DIR)/noise --batches 2 --jobs $(CAMPAIGN_JOBS) \
		--seed $(CAMPAIGN_SEED) --services 0 --noise 99 --seconds $(CAMPAIGN_QUIET_S)
	$(Q)tests/campaign/score.py --out $(O) --write $(CAMPAIGN_DIR)/faults \
		$(CAMPAIGN_DIR)/gradual $(CAMPAIGN_DIR)/noise

## campaign-short: a few of them (100 s); fails only where a fact or a replay is missing
campaign-short: $(CAMPAIGN_FOR)
	$(Q)tools/packaging/deps --campaign
	$(Q)rm -rf $(CAMPAIGN_DIR)/short
	$(Q)$(CAMPAIGN_RUN) --to $(CAMPAIGN_DIR)/short --batches 1 --services 12 --seconds 70 \
		--quiet 5 --noise 2
	$(Q)tests/campaign/score.py --out $(O) $(CAMPAIGN_DIR)/short

## campaign-score: the recordings of the last campaign once more, with the predictors of today
campaign-score: $(O)/kmend $(O)/tests/campaign/scaled
	$(Q)tests/campaign/score.py --out $(O) --write $(wildcard $(CAMPAIGN_DIR)/faults \
		$(CAMPAIGN_DIR)/gradual $(CAMPAIGN_DIR)/noise)

.PHONY: campaign campaign-short campaign-score
