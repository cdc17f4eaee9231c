// SPDX-License-Identifier: Apache-2.0
/* All of a cgroup at once. cgroup.kill (5.14) does that in the kernel; before it what is frozen
 * does not fork away, and dies all the same. */
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>

#include "base/cgroup.h"
#include "repair/effect.h"

static int write_one(int dir, const char *file, const char *text)
{
	km_autoclose int fd = openat(dir, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* How many processes are in DIR and the cgroups below it; each one gets SIGKILL if KILLS. */
static int visit(int dir, bool kills)
{
	char self[32];
	char *paths[] = { self, NULL };
	uint32_t pids[KM_CGROUP_PIDS_MAX];
	FTSENT *e;
	int n = 0;
	FTS *f;

	snprintf(self, sizeof(self), "/proc/self/fd/%d/.", dir);
	f = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	while (f && (e = fts_read(f))) {
		km_autoclose int at = -1;

		if (e->fts_info != FTS_D)
			continue;
		at = open(e->fts_accpath, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		n += km_cgroup_pids(at, pids) > 0 ? km_cgroup_pids(at, pids) : 0;
		if (kills)
			km_cgroup_kill(at);
	}
	if (f)
		fts_close(f);
	return n;
}

int km_effect_kill(int dir)
{
	int n = visit(dir, false), r;

	if (write_one(dir, "cgroup.kill", "1") == 0)
		return n;
	r = write_one(dir, "cgroup.freeze", "1");
	visit(dir, true);
	if (r == 0)
		r = write_one(dir, "cgroup.freeze", "0");
	return r < 0 ? r : n;
}

int km_effect_strike(const struct km_target *t, int signal, char *out, size_t size)
{
	int r = t->dir >= 0 ? km_effect_kill(t->dir) : km_effect_signal(t, signal);

	snprintf(out, size, t->dir >= 0 ? "SIGKILL to %d processes" : "signal %d",
	         t->dir >= 0 ? r : signal);
	return r < 0 ? r : 0;
}
