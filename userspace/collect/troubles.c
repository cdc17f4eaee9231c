// SPDX-License-Identifier: Apache-2.0
/* What the machine and the kernel say of their own faults, without a tracepoint. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "collect/internal.h"

#define FAULTS_EVERY 4  /* passes */
#define HEAT_EVERY   32 /* a file a CPU */
/* Bit of /proc/sys/kernel/tainted; it stays set until the next boot. */
#define TAINT_SOFT_LOCKUP (1ULL << 14)

/* Of all CPUs together. */
static int say_heat(struct km_collect *c)
{
	struct km_said said = { .signal = KM_SIG_THERMAL, .entity = KM_ENTITY_HOST };
	uint64_t sum = 0;

	if (!c->sources[KM_SIG_THERMAL].available)
		return 0;
	for (uint32_t cpu = 0; cpu < c->bpf.setup.cpus; cpu++) {
		char file[128];
		uint64_t n;

		snprintf(file, sizeof(file),
		         "/sys/devices/system/cpu/cpu%u/thermal_throttle/core_throttle_count", cpu);
		if (km_fs_read_u64(AT_FDCWD, file, &n) == 0)
			sum += n;
	}
	return km_value_delta(c, &said, &c->heat, sum);
}

static int say_warnings(struct km_collect *c)
{
	struct km_said said = { .signal = KM_SIG_KERNEL_WARNINGS, .entity = KM_ENTITY_HOST };
	uint64_t n;

	if (!c->sources[KM_SIG_KERNEL_WARNINGS].available ||
	    km_fs_read_u64(AT_FDCWD, KM_WARNINGS_FILE, &n) < 0)
		return 0;
	return km_value_delta(c, &said, &c->warnings, n);
}

static int say_lockups(struct km_collect *c)
{
	uint64_t taint;

	if (km_fs_read_u64(c->proc_fd, "sys/kernel/tainted", &taint) < 0)
		return 0;
	return km_value_emit(c, &(struct km_said){ .signal = KM_SIG_SOFT_LOCKUPS,
	                                           .entity = KM_ENTITY_HOST,
	                                           .value = (taint & TAINT_SOFT_LOCKUP) != 0,
	                                           .every = FAULTS_EVERY });
}

int km_troubles_emit(struct km_collect *c)
{
	int r = c->pass % HEAT_EVERY ? 0 : say_heat(c);

	if (r == 0 && c->pass % FAULTS_EVERY == 0)
		r = say_warnings(c);
	if (r == 0 && c->pass % FAULTS_EVERY == 0)
		r = say_lockups(c);
	return r;
}
