# SPDX-License-Identifier: Apache-2.0
# make floods: FLOODS of each kind, KILLS of the reader.

FLOODS ?= 200
KILLS  ?= 200

flood-build: $(O)/tests/flood/flood

## floods: fork bombs, exec and connect floods, kill -9 under load, storms against the budget (root)
floods: flood-build
	$(Q)FLOODS=$(FLOODS) KILLS=$(KILLS) $(O)/tests/flood/flood

## floods-short: the same, a few of each (2 minutes)
floods-short: flood-build
	$(Q)FLOODS=2 KILLS=5 $(O)/tests/flood/flood

.PHONY: flood-build floods floods-short
