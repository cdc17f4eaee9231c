/* SPDX-License-Identifier: Apache-2.0 */
/* What runs inside a guest: a collector on that kernel, whose records a case makes happen and then
 * checks, value by value. */
#ifndef KM_VM_GUEST_H
#define KM_VM_GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "collect/internal.h"

#define GUEST_GROUP       "/sys/fs/cgroup/case"
#define GUEST_BYTES_MAX   (64UL << 20)       /* memory.max of it */
#define GUEST_TASKS_MAX   40                 /* pids.max */
#define GUEST_BULK_BYTES  65536              /* of a bulk ring: small, so that it can be filled */
#define GUEST_PATIENCE_NS (30 * KM_NS_PER_S) /* emulation is slow, and two guests run at once */

struct guest {
	struct km_loop *loop;
	struct km_collect *collect;
	void **records; /* since the case began */
	size_t count, size;
	uint32_t early; /* a child from before the collector's start */
	uint64_t group; /* id of GUEST_GROUP, which is watched */
	char why[256];  /* what was not as it should be */
};

struct guest_case {
	const char *name; /* of a signal, or of something else that is checked */
	/* Makes it happen; false: G->why. NULL: no guest can; `holes` says for want of what. */
	bool (*check)(struct guest *g);
};

/* Each ends with a row without a name. */
extern const struct guest_case guest_process[], guest_memory[], guest_network[], guest_peers[],
	guest_storage[], guest_host[], guest_pressure[], guest_sched[], guest_windows[],
	guest_honesty[], guest_demand[], guest_drops[];

typedef bool (*guest_match)(const void *raw, uint64_t key);

/* The first record of TYPE that MATCH accepts (NULL: any); NULL: none came, and G->why says so. */
const void *guest_wait(struct guest *g, uint16_t type, guest_match match, uint64_t key);
/* As guest_wait(), of a record whose time is at least 2 s after the call: what was before the case
 * does not count. */
const void *guest_wait_settled(struct guest *g, uint16_t type, guest_match match, uint64_t key);
/* A value of the signal NAME that a later pass measures, between FROM and TO; of the service whose
 * cgroup is G->group (WHERE is NULL), or of the filesystem, device, ... WHERE ("" is the host). */
const struct km_raw_value *guest_value(struct guest *g, const char *name, const char *where,
                                       double from, double to);
/* The same of something that is counted: at least FROM in a record since the case began. */
const struct km_raw_value *guest_count(struct guest *g, const char *name, const char *where,
                                       double from);
bool guest_write(const char *path, const char *text);
/* Into the watched cgroup. */
void guest_enter_group(void);
void guest_leave_group(void);

/* A bound TCP socket of the loopback device; *A is where. -1: none. */
struct sockaddr_in;
int guest_bound(struct sockaddr_in *a);
/* In a child: as the service, connects N times to A without waiting, and stays. */
void guest_connect(const struct sockaddr_in *a, int n);

/* A child that does BODY and exits with 0; it dies with its parent. */
#define GUEST_CHILD(body)                  \
	({                                 \
		pid_t pid_ = guest_fork(); \
		if (!pid_) {               \
			body;              \
			_exit(0);          \
		}                          \
		(uint32_t) pid_;           \
	})
pid_t guest_fork(void);
/* A child that does nothing; it is in the watched cgroup when this returns. */
uint32_t guest_idle(void);
int guest_reap(uint32_t pid);
/* Ends and reaps it. */
void guest_end(uint32_t pid);

/* In a case: the value is as it must be, or the case ends here with the words. */
#define WANT(g, condition)                                                                    \
	do {                                                                                  \
		if (!(condition)) {                                                           \
			snprintf((g)->why, sizeof((g)->why), "%s:%d: %s", __func__, __LINE__, \
			         #condition);                                                 \
			return false;                                                         \
		}                                                                             \
	} while (0)
#define WANT_IS(g, value, wanted)                                                           \
	do {                                                                                \
		unsigned long long value_ = (unsigned long long)(value);                    \
		unsigned long long wanted_ = (unsigned long long)(wanted);                  \
		if (value_ != wanted_) {                                                    \
			snprintf((g)->why, sizeof((g)->why), "%s:%d: %s is %llu, not %llu", \
			         __func__, __LINE__, #value, value_, wanted_);              \
			return false;                                                       \
		}                                                                           \
	} while (0)
/* A record that must come. */
#define WANT_RECORD(g, record)        \
	do {                          \
		if (!(record))        \
			return false; \
	} while (0)

#endif
