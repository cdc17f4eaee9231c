# SPDX-License-Identifier: Apache-2.0
# make lint: zero findings. The slow checkers leave a stamp a file in $(O)/lint, so that only what
# changed (or whose headers did) is looked at again.

LINT_SRC    := $(filter %.c,$(LIB_SRC) userspace/daemon/main.c $(wildcard tools/kmend/*.c) \
	       $(TEST_SRC) $(HELP_SRC) \
	       $(filter-out %.bpf.c,$(wildcard tests/bench/*.c tests/fuzz/*.c)))
LINT_STAMPS := $(patsubst %,$(O)/lint/%.ok,$(wildcard $(LINT_SRC)))
LINT_FORMAT := $(filter-out vmlinux/%,$(wildcard bpf/*.[ch] bpf/lib/*.h userspace/*/*.[ch] \
	       tools/*/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch]))
LINT_SHELL   = $(shell grep -rlIE '^\#!.*sh$$' tools tests .ci)
LINT_MAN    := $(wildcard tools/man/*.[1-8])
# ipa=none, one function at a time: followed into its callees, "return -errno" may be positive for
# all that the analyzer knows, and every failure may look like success.
LINT_FLAGS  := -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Iuserspace -Ibpf -Itests -I$(O) \
	       -Wno-gnu-variable-sized-type-not-at-end \
	       -Xclang -analyzer-config -Xclang ipa=none

# missingInclude: it reads no system headers and does not miss them. unmatchedSuppression: a file
# may do without one. memleak, resourceLeak: it does not know the cleanup attribute; the tests run
# under LeakSanitizer and valgrind. shiftTooManyBitsSigned: gcc and clang define it, zigzag uses it.
# legacyUninitvar: does not know that sd_bus_message_read() writes.
CPPCHECK := cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --error-exitcode=1 --suppress=missingInclude --suppress=missingIncludeSystem \
	    --suppress=unmatchedSuppression --suppress=memleak --suppress=resourceLeak \
	    --suppress=shiftTooManyBitsSigned --suppress=legacyUninitvar \
	    -D_GNU_SOURCE -Iuserspace -Ibpf -Itests

## lint: format, clang-tidy, cppcheck, shellcheck, layers, lengths, licences; zero findings
lint:
	$(Q)tools/packaging/deps --lint
	$(Q)$(MAKE) --no-print-directory -k -j$(shell nproc) --output-sync=target lint-all

lint-all: lint-format lint-style lint-shell lint-json lint-man lint-help lint-globals \
	  $(LINT_STAMPS)

$(O)/lint/tests/bench/ring.c.ok: | $(O)/tests/bench/ring.skel.h

$(O)/lint/%.ok: % .clang-tidy tests/.clang-tidy | $(SKELS)
	$(call say,LINT,$<)
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- $(LINT_FLAGS) >$@.log 2>&1 || { cat $@.log; exit 1; }
	$(Q)$(CPPCHECK) $<
	$(Q)$(CC) $(CFLAGS) -Itests -MM -MP -MT $@ -MF $(@:.ok=.d) $<
	@rm -f $@.log && touch $@

lint-format:
	$(call say,LINT,format)
	$(Q)clang-format --dry-run -Werror $(LINT_FORMAT)

lint-style:
	$(call say,LINT,"layers and style")
	$(Q)tools/lint/layers
	$(Q)tools/lint/style

lint-shell:
	$(call say,LINT,scripts)
	$(Q)shellcheck $(LINT_SHELL)

# Whatever else a rule is, it is JSON; what it means is for `kmend rule check`, in the tests.
lint-json:
	$(call say,LINT,JSON)
	$(Q)tools/lint/json

lint-man:
	$(call say,LINT,"man pages")
	$(Q)$(if $(LINT_MAN),mandoc -T lint -W warning $(LINT_MAN))
	$(Q)tools/lint/man

# Help, man page and completion say the same.
lint-help: $(O)/kmend $(O)/tests/unit/kmend/help
	$(call say,LINT,help)
	@mkdir -p $(O)/lint
	$(Q)$(O)/tests/unit/kmend/help >$(O)/lint/help.log 2>&1 || \
		{ cat $(O)/lint/help.log; exit 1; }

# No mutable globals: nothing of ours is in a section that can be written to.
lint-globals: $(if $(SAN),,$(LIB_OBJ))
	$(call say,LINT,globals)
	$(Q)tools/lint/globals $^

.PHONY: lint lint-all lint-format lint-style lint-shell lint-json lint-man lint-help lint-globals
