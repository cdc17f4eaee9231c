# SPDX-License-Identifier: Apache-2.0
# make eval: how good the predictions are, on recorded hosts and benchmarks.
# EVAL_DIR: the scorers (score_leak.py, score_nab.py, score_multi.py, common.py).
# KMEND_DATA: their data (host-memory/, nab/, smd/). Neither is part of this repository.

EVAL_DIR   ?= ../shared/eval
KMEND_DATA ?= ../shared/data

## eval: every figure of the predictors, scored on recorded data; writes tests/eval/RESULTS.md
eval: $(O)/kmend $(O)/tests/bench/series
	$(Q)tests/eval/eval.py --out $(O) --scorers $(EVAL_DIR) --data $(KMEND_DATA)

.PHONY: eval
