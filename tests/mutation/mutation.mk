# SPDX-License-Identifier: Apache-2.0
# make mutation: branch mutants of the rule evaluator, the guards, policy and budgets against
# their unit tests; at least 90 % must be killed. Ten minutes, not a part of make test.
# MUTATION_ONLY: source files.
## mutation: branch mutants of rule evaluation, guards, policy, budgets: 90 % killed (10 min)
mutation: all tests
	$(Q)tests/mutation/run $(O) $(MUTATION_ONLY)

.PHONY: mutation
