# SPDX-License-Identifier: Apache-2.0
# make vmtest: the collector on kernels of Debian's suites, each in a guest of its own, emulated.
# VM_CACHE: kernels and packages are kept there, outside of the tree (~/.cache/kmend-vm).
# VM_KERNELS: "ARCH-SUITE ...".

VM_KERNELS ?= amd64-bullseye amd64-bookworm amd64-trixie amd64-sid
VM_GUEST   := $(O)/tests/vm/guest/guest
VM_SRC     := $(wildcard tests/vm/guest/*.c)

# guest.o is one of many here, so the rule for tests of one file each does not fit.
$(VM_GUEST): $(VM_SRC:%.c=$(O)/%.o) $(O)/libkmend.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

vm-build:
	$(Q)tools/packaging/deps --vm
	$(Q)$(MAKE) --no-print-directory $(VM_GUEST) $(filter $(O)/tests/bpf/%,$(TESTS))

## vmtest: every signal made to happen on kernels 5.10 to 7.x, emulated (fetches them; 6 minutes)
vmtest: vm-build
	$(Q)tests/vm/run $(O) $(VM_KERNELS)

## vmtest-short: the same on one kernel, signals only (1 minute)
vmtest-short: vm-build
	$(Q)VM_SHORT=1 tests/vm/run $(O) amd64-bookworm

.PHONY: vm-build vmtest vmtest-short
