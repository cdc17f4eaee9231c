/* SPDX-License-Identifier: Apache-2.0 */
/* Who a process is: its number with the time it began, held by a pidfd. */
#ifndef KM_IDENTITY_H
#define KM_IDENTITY_H

#include "base/base.h"

struct km_identity {
	uint32_t tgid;
	uint64_t start_ns; /* boot time, cut to clock ticks (10 ms) as /proc shows it */
	bool dying;        /* in do_exit() or a zombie: its ports may still be taken */
	bool before_exec;  /* forked and did not execve() yet */
};

/* -ESRCH: no such process. */
int km_identity_read(uint32_t tgid, struct km_identity *ret);
/* Whether two start times are of one process, as far as clock ticks tell. */
bool km_identity_same(uint64_t start_ns, uint64_t other_ns);
/* A pidfd of exactly the process TGID that began at START_NS (0: whoever it is). -ESRCH:
 * another. */
int km_identity_open(uint32_t tgid, uint64_t start_ns, int *ret_pidfd);
int km_pidfd_kill(int pidfd, int signal);

#endif
