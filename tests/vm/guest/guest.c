// SPDX-License-Identifier: Apache-2.0
#include "vm/guest/guest.h"

#include <sys/prctl.h>

static const void *wait_from(struct guest *g, uint64_t from_ns, uint16_t type, guest_match match,
                             uint64_t key)
{
	uint64_t end = km_now_ns() + GUEST_PATIENCE_NS;
	size_t seen = 0;

	for (;;) {
		for (; seen < g->count; seen++) {
			const struct kmend_hdr *h = g->records[seen];

			if (h->type == type && h->ktime_ns >= from_ns && (!match || match(h, key)))
				return h;
		}
		if (km_now_ns() > end || km_loop_once(g->loop, 100) < 0)
			break;
	}
	snprintf(g->why, sizeof(g->why), "no such record of type %u came", type);
	return NULL;
}

const void *guest_wait(struct guest *g, uint16_t type, guest_match match, uint64_t key)
{
	return wait_from(g, 0, type, match, key);
}

const void *guest_wait_settled(struct guest *g, uint16_t type, guest_match match, uint64_t key)
{
	return wait_from(g, km_now_ns() + 2 * KM_NS_PER_S, type, match, key);
}

bool guest_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text);
}

void guest_enter_group(void)
{
	if (!guest_write(GUEST_GROUP "/cgroup.procs", "0"))
		_exit(99);
}

pid_t guest_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

int guest_reap(uint32_t pid)
{
	int status = -1;

	waitpid((pid_t)pid, &status, 0);
	return status;
}

void guest_end(uint32_t pid)
{
	kill((pid_t)pid, SIGKILL);
	guest_reap(pid);
}
