// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/identity.h"

/* include/linux/sched.h: what /proc/PID/stat shows as flags. */
#define PF_EXITING    0x00000004
#define PF_FORKNOEXEC 0x00000040

static uint64_t tick_ns(void)
{
	return KM_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
}

bool km_identity_same(uint64_t start_ns, uint64_t other_ns)
{
	/* The kernel cuts to ticks downwards: one process is always equal to itself. */
	return start_ns / tick_ns() == other_ns / tick_ns();
}

int km_identity_read(uint32_t tgid, struct km_identity *ret)
{
	/* state, flags and starttime: fields 3, 9 and 22 of proc(5) */
	static const char fields[] = " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d"
				     " %*d %*d %*d %*d %llu";
	char path[32], text[1024], state;
	unsigned long long ticks;
	unsigned int flags;
	const char *p;
	int n;

	snprintf(path, sizeof(path), "/proc/%u/stat", tgid);
	n = km_fs_read_small(AT_FDCWD, path, text, sizeof(text));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : n;
	p = strrchr(text, ')'); /* the name may hold anything, also ')' */
	if (!p || sscanf(p + 1, fields, &state, &flags, &ticks) != 3)
		return -EBADMSG;
	ret->tgid = tgid;
	ret->start_ns = ticks * tick_ns();
	ret->dying = (flags & PF_EXITING) || state == 'Z' || state == 'X';
	ret->before_exec = flags & PF_FORKNOEXEC;
	return 0;
}

int km_pidfd_kill(int pidfd, int signal)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int km_identity_open(uint32_t tgid, uint64_t start_ns, int *ret_pidfd)
{
	km_autoclose int fd = (int)syscall(SYS_pidfd_open, tgid, 0);
	struct km_identity id;
	int r;

	if (fd < 0)
		return -errno;
	r = km_identity_read(tgid, &id);
	if (r < 0)
		return r;
	/* Still there after its file was read: then the file was its own. A look that failed is
	 * not one that found it gone. */
	r = poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0);
	if (r < 0)
		return -errno;
	if (r > 0 || (start_ns && !km_identity_same(start_ns, id.start_ns)))
		return -ESRCH;
	*ret_pidfd = km_take_fd(&fd);
	return 0;
}
