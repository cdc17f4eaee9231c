# SPDX-License-Identifier: Apache-2.0
# kmend: make help

O       ?= build
V       ?= 0
OPT     ?= -O2
SAN     ?=
CC      := gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PREFIX  ?= /usr
DESTDIR ?=

ARCH    := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
Q       := $(if $(filter 1,$(V)),,@)
QUIET   := $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
say      = $(if $(or $(filter 1,$(V)),$(QUIET)),,@printf '  %-7s %s\n' $(1) $(2))

LIBS    := libbpf libelf zlib libcjson sqlite3 libsystemd libcap-ng libseccomp nettle \
	   libcurl libpcre2-8
FOLDERS := base loop collect health decode attribute measure predict match decide repair act \
	   verify record report pipeline review daemon

CFLAGS  := -std=gnu11 $(OPT) -g -ffp-contract=off -fno-strict-aliasing -fstack-protector-strong \
	   -D_GNU_SOURCE -D_FORTIFY_SOURCE=$(if $(filter -O0,$(OPT)),0,2) -fPIE \
	   -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Werror \
	   -Iuserspace -Ibpf -I$(O) \
	   $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -U_FORTIFY_SOURCE) \
	   $(CFLAGS_EXTRA)
LDFLAGS := -pie -Wl,-z,relro,-z,now,--as-needed $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS_EXTRA)
LDLIBS   = $(shell pkg-config --libs $(LIBS)) -lm

BPF_CC    = $(CLANG) -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Werror \
	   -Ivmlinux/$(ARCH) -Ibpf -c
BPF_DEPS := bpf/event.h $(wildcard bpf/lib/*.h vmlinux/*/vmlinux.h)
BPF_SRC  := $(wildcard bpf/*.bpf.c)
SKELS    := $(BPF_SRC:bpf/%.bpf.c=$(O)/bpf/%.skel.h)
LIB_SRC  := $(filter-out userspace/daemon/main.c,\
	      $(foreach f,$(FOLDERS),$(wildcard userspace/$(f)/*.c)))
LIB_OBJ  := $(LIB_SRC:%.c=$(O)/%.o)
CLI_OBJ  := $(patsubst %.c,$(O)/%.o,$(wildcard tools/kmend/*.c))
TEST_SRC := $(wildcard tests/unit/*/*.c tests/replay/*.c tests/bpf/*.c tests/scenario/*.c \
	      tests/sweep/*.c)
TESTS    := $(TEST_SRC:%.c=$(O)/%)
HELP_SRC := $(wildcard tests/lib/*.c)
HELPERS  := $(HELP_SRC:%.c=$(O)/%)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

## all: kmendd, kmend
all: $(O)/kmendd $(O)/kmend

## help: what can be made
help:
	@sed -n 's/^## //p' Makefile tests/bench/bench.mk tests/fuzz/fuzz.mk \
		tests/coverage/coverage.mk tests/valgrind/valgrind.mk tests/mutation/mutation.mk \
		tests/vm/vm.mk tests/eval/eval.mk tests/campaign/campaign.mk tests/sweep/sweep.mk \
		tests/flood/flood.mk tools/packaging/install.mk tools/lint/lint.mk 2>/dev/null | \
		awk -F': ' '{ printf "  %-14s %s\n", $$1, $$2 }'

## deps: install what is missing from Debian's packages (root)
deps:
	$(Q)tools/packaging/deps

$(O)/kmendd: $(O)/userspace/daemon/main.o $(O)/libkmend.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(O)/kmend: $(CLI_OBJ) $(O)/libkmend.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(O)/libkmend.a: $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcsD $@ $^

$(O)/%.o: %.c | $(SKELS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(O)/%.bpf.o: %.bpf.c $(BPF_DEPS)
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(BPF_CC) -o $@ $<

$(O)/%.skel.h: $(O)/%.bpf.o
	$(Q)$(BPFTOOL) gen skeleton $< name $(*F)_bpf > $@

$(O)/tests/%.o: CFLAGS += -Itests
$(O)/tests/%: $(O)/tests/%.o $(O)/libkmend.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(O)/tests/demo/demo: $(wildcard tests/demo/*.c tests/demo/*.h) $(O)/libkmend.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Itests/demo -o $@ $(filter %.c,$^) $(O)/libkmend.a $(LDLIBS)

## test: every test that a development machine can run (under 5 minutes)
test:
	$(Q)tools/packaging/deps --test
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)tests/run $(O)

tests: $(TESTS) $(HELPERS) $(O)/tests/demo/demo

## replay-builds: recorded runs through -O0, -O2 and sanitizer builds, byte for byte
replay-builds:
	$(Q)tests/replay/builds $(O)

## run: kmendd in the foreground with a live view, observing only (root)
run: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tools/run $(O)

## demo: leaks, a crash loop, a kill and a noisy neighbour, for real (root, 90 s)
demo: deps
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)tests/scenario/demo $(O)

## signals-page: makes the table in bpf/README.md anew from the catalogue
signals-page: $(O)/tests/lib/catalogue_page
	$(Q)$< bpf/README.md > $(O)/signals-page && cp $(O)/signals-page bpf/README.md

## clean: remove what was built
clean:
	rm -rf $(O)

-include tests/bench/bench.mk tests/fuzz/fuzz.mk tests/coverage/coverage.mk \
	tests/mutation/mutation.mk tests/valgrind/valgrind.mk tests/vm/vm.mk tests/eval/eval.mk \
	tests/campaign/campaign.mk tests/sweep/sweep.mk tests/flood/flood.mk
-include tools/packaging/install.mk tools/lint/lint.mk
-include $(shell find $(O) -name '*.d' 2>/dev/null)

.PHONY: signals-page all help deps test tests replay-builds run demo clean
