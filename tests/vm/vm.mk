# SPDX-License-Identifier: Apache-2.0
# make vmtest: the collector on kernels of Debian's suites, each in a guest of its own, emulated.
# VM_CACHE: kernels and packages are kept there, outside of the tree (~/.cache/kmend-vm).
# VM_KERNELS: "ARCH-SUITE ...".

VM_KERNELS ?= amd64-bullseye amd64-bookworm amd64-trixie amd64-sid arm64-bookworm arm64-trixie
VM_GUEST   := $(O)/tests/vm/guest/guest
VM_SRC     := $(wildcard tests/vm/guest/*.c)

# guest.o is one of many here, so the rule for tests of one file each does not fit.
$(VM_GUEST): $(VM_SRC:%.c=$(O)/%.o) $(O)/libkmend.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

VM_TESTS   := $(filter $(O)/tests/bpf/%,$(TESTS))

vm-build:
	$(Q)tools/packaging/deps --vm
	$(Q)$(MAKE) --no-print-directory $(VM_GUEST) $(VM_TESTS)

## cross: kmendd, kmend and tests for aarch64, in O/arm64
cross:
	$(Q)tools/packaging/deps --cross
	$(Q)tests/vm/cross $(O) all tests $(VM_GUEST:$(O)/%=$(O)/arm64/%)

## cross-test: recorded runs and unit tests on aarch64, emulated: the same, byte for byte
cross-test: all cross
	$(Q)tests/vm/cross-test $(O)

## vmtest: every signal made to happen on 5.10 to 7.x and arm64, emulated (fetches kernels)
vmtest: vm-build $(if $(findstring arm64,$(VM_KERNELS)),cross)
	$(Q)tests/vm/run $(O) $(VM_KERNELS)

## vmtest-short: signals that are always on, on one kernel (3 minutes)
vmtest-short: vm-build
	$(Q)VM_SHORT=1 tests/vm/run $(O) amd64-bookworm

VM_COST := amd64-trixie

vmcost-build:
	$(Q)tools/packaging/deps --vm
	$(Q)$(MAKE) --no-print-directory $(O)/tests/vm/cost/cost

## vmcost: instructions of each hook, counted; more than recorded is a failure (1 minute)
vmcost: vmcost-build
	$(Q)tests/vm/cost/run $(O) $(VM_COST)

## vmcost-record: writes them down anew, after a rise that is meant
vmcost-record: vmcost-build
	$(Q)tests/vm/cost/run $(O) $(VM_COST) record

## baretest: installs what is missing, builds and tests on a Debian 12 with only git and make (root)
baretest:
	$(Q)tools/packaging/deps --vm
	$(Q)tests/vm/bare

.PHONY: vmcost-build vmcost vmcost-record baretest vm-build cross cross-test vmtest vmtest-short
