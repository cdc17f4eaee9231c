// SPDX-License-Identifier: Apache-2.0
/* All of a cgroup at once. cgroup.kill (5.14) does that in the kernel; before it what is frozen
 * does not fork away, and dies all the same. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/cgroup.h"
#include "repair/effect.h"

/* Cgroups within each other: more than anything nests, and few enough descriptors to be open. */
#define DEPTH_MAX 64

static int write_one(int dir, const char *file, const char *text)
{
	km_autoclose int fd = openat(dir, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Those of this cgroup alone. */
static int take(int fd, bool kills)
{
	uint32_t pids[KM_CGROUP_PIDS_MAX];
	int n = km_cgroup_pids(fd, pids);

	if (kills && n > 0)
		km_cgroup_kill(fd);
	return n;
}

static int visit(int parent, const char *name, bool kills, unsigned int depth);

/* All cgroups in D: how many processes, or a negative errno: some were not seen. */
static int visit_all(DIR *d, bool kills, unsigned int depth)
{
	struct dirent *e;
	int n = 0, r = 0;

	while (r >= 0 && (errno = 0, e = readdir(d))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		r = visit(dirfd(d), e->d_name, kills, depth + 1);
		n += r;
	}
	return r < 0 ? r : errno ? -errno : n;
}

/* How many processes are in it and below it; each one gets SIGKILL if KILLS. One that is gone by
 * now has none. */
static int visit(int parent, const char *name, bool kills, unsigned int depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), n, below;
	DIR *d;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	n = depth < DEPTH_MAX ? take(fd, kills) : -ELOOP;
	d = n < 0 ? NULL : fdopendir(fd);
	if (!d) {
		n = n < 0 ? n : -errno;
		close(fd);
		return n == -ENODEV ? 0 : n;
	}
	below = visit_all(d, kills, depth);
	closedir(d);
	return below == -ENODEV || below == -ENOENT ? n : below < 0 ? below : n + below;
}

int km_effect_kill(int dir)
{
	int n = visit(dir, ".", false, 0), r, killed;

	if (write_one(dir, "cgroup.kill", "1") == 0)
		return n < 0 ? 0 : n; /* done, even where nobody could count */
	r = write_one(dir, "cgroup.freeze", "1");
	killed = visit(dir, ".", true, 0);
	if (r == 0)
		r = write_one(dir, "cgroup.freeze", "0");
	return r < 0 ? r : killed < 0 ? killed : n;
}

int km_effect_strike(const struct km_target *t, int signal, char *out, size_t size)
{
	int r = t->dir >= 0 ? km_effect_kill(t->dir) : km_effect_signal(t, signal);

	if (t->dir < 0)
		snprintf(out, size, "signal %d", signal);
	else if (r > 0)
		snprintf(out, size, "SIGKILL to %d processes", r);
	else
		snprintf(out, size, "SIGKILL to all processes");
	return r < 0 ? r : 0;
}
