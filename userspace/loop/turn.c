// SPDX-License-Identifier: Apache-2.0
/* How soon a process that wakes has its turn on a CPU that others keep busy. */
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>

#include "loop/loop.h"

/* The least that a kernel takes. */
#define TURN_NS (100 * KM_NS_PER_US)

int km_loop_short_turns(void)
{
	struct sched_attr a = { .size = sizeof(a) };

	if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) < 0)
		return -errno;
	a.sched_flags = SCHED_FLAG_RESET_ON_FORK;
	a.sched_runtime = TURN_NS;
	return syscall(SYS_sched_setattr, 0, &a, 0) < 0 ? -errno : 0;
}
