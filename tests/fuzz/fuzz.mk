# SPDX-License-Identifier: Apache-2.0
# make fuzz: every tests/fuzz/NAME.c with libFuzzer, ASan and UBSan over the whole library, from the
# seeds in tests/fuzz/seeds/NAME and from what earlier runs found ($(O)/fuzz/corpus/NAME).
# FUZZ_SECONDS: for each target. FUZZ_ONLY: names, all by default.

FUZZ_SECONDS ?= 60
FUZZ_ONLY    ?= $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_SAN     := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
FUZZ_CFLAGS   = $(filter-out -Werror -D_FORTIFY_SOURCE%,$(CFLAGS)) \
		-fno-omit-frame-pointer $(FUZZ_SAN)
FUZZ_OBJ     := $(LIB_SRC:%.c=$(O)/fuzz/%.o)

## fuzz: libFuzzer on each target of tests/fuzz for FUZZ_SECONDS (60)
fuzz:
	$(Q)tools/packaging/deps --lint
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) $(FUZZ_ONLY:%=$(O)/fuzz/%)
	$(Q)$(MAKE) --no-print-directory -k -j2 --output-sync=target $(FUZZ_ONLY:%=fuzz-run-%)
	@echo "fuzz: $(words $(FUZZ_ONLY)) targets, $(FUZZ_SECONDS) s each, no finding"

fuzz-run-%: $(O)/fuzz/%
	$(Q)tests/fuzz/run $(O) $* $(FUZZ_SECONDS)

$(O)/fuzz/%.o: %.c | $(SKELS)
	$(call say,CLANG,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/fuzz/libkmend.a: $(FUZZ_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcsD $@ $^

$(FUZZ_ONLY:%=$(O)/fuzz/%): $(O)/fuzz/%: $(O)/fuzz/tests/fuzz/%.o $(O)/fuzz/libkmend.a
	$(call say,LD,$@)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer -pie -o $@ $^ $(LDLIBS)

.PHONY: fuzz
