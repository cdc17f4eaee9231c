// SPDX-License-Identifier: Apache-2.0
#include "base/urgency.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>

#include "base/base.h"

/* The least that can be asked for. From 6.12 on (857b158dc5e8 "sched/eevdf: Use sched_attr::
 * sched_runtime to set request/slice suggestion") who wakes up with a shorter slice than what runs
 * takes the CPU at once, whereas even nice -20 waits up to 3 ms for the end of that slice. Older
 * kernels ignore it. */
#define SLICE_NS (100 * KM_NS_PER_US)

static void ask(int nice, uint64_t slice_ns, uint64_t flags)
{
	struct sched_attr a = {
		.size = sizeof(a),
		.sched_policy = SCHED_NORMAL,
		.sched_flags = flags,
		.sched_nice = nice,
		.sched_runtime = slice_ns,
	};

	(void)!syscall(SYS_sched_setattr, 0, &a, 0);
}

/* Nice is reset at the fork, not by the child: from -15 to 0 the scheduler multiplies what the
 * child has run by 28, and lets it wait for that. */
void km_urgency_raise(int nice)
{
	ask(0, SLICE_NS, 0);
	if (nice)
		ask(nice, SLICE_NS, SCHED_FLAG_RESET_ON_FORK);
}

void km_urgency_reset(void)
{
	ask(0, 0, 0);
}
