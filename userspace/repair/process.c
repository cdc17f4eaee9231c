// SPDX-License-Identifier: Apache-2.0
/* One process, held by its pidfd: a signal, its soft limit of descriptors, its niceness. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/identity.h"
#include "base/text.h"
#include "repair/effect.h"

/* A thread is born with the niceness of the one that made it: passes until none is left behind. */
#define PASSES_MAX 8

int km_effect_signal(const struct km_target *t, int signal)
{
	return km_pidfd_kill(t->pidfd, signal);
}

/* What was done by number is of that process only while the pidfd says that it is there. */
static int still_there(const struct km_target *t)
{
	return km_pidfd_kill(t->pidfd, 0);
}

static int read_files(const struct km_target *t, uint64_t now[2])
{
	struct rlimit l;

	if (prlimit((pid_t)t->tgid, RLIMIT_NOFILE, NULL, &l) < 0)
		return -errno;
	now[0] = l.rlim_cur;
	now[1] = l.rlim_max;
	return still_there(t);
}

/* Up to the hard limit. */
static int want_files(const struct km_verb_args *args, uint64_t ret[2])
{
	uint64_t want = args->amount < ret[1] ? args->amount : ret[1];

	if (want <= ret[0])
		return -ENOSPC;
	ret[0] = want;
	return 0;
}

static int write_files(const struct km_target *t, const uint64_t v[2])
{
	struct rlimit l = { v[0], v[1] };
	int r = still_there(t);

	return r < 0 ? r : prlimit((pid_t)t->tgid, RLIMIT_NOFILE, &l, NULL) < 0 ? -errno : 0;
}

/* Nicenesses are -20 to 19; from -1 on up they would look like an error. */
static int read_nice(const struct km_target *t, uint64_t now[2])
{
	int n;

	errno = 0;
	n = getpriority(PRIO_PROCESS, t->tgid);
	if (n == -1 && errno)
		return -errno;
	now[0] = (uint64_t)n + 20;
	now[1] = 0;
	return still_there(t);
}

static int want_nice(const struct km_verb_args *args, uint64_t ret[2])
{
	if (args->amount + 20 <= ret[0])
		return -ENOSPC;
	ret[0] = args->amount + 20;
	return 0;
}

/* How many threads were not that nice yet; negative errno. */
static int renice_once(const struct km_target *t, int nice)
{
	char path[32];
	struct dirent *e;
	int changed = 0, r = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%u/task", t->tgid);
	d = opendir(path);
	if (!d)
		return -errno;
	while (r == 0 && (errno = 0, e = readdir(d))) {
		const char *p = e->d_name;
		uint64_t tid;

		if (km_text_u64(&p, &tid) < 0 || getpriority(PRIO_PROCESS, (id_t)tid) == nice)
			continue;
		if (setpriority(PRIO_PROCESS, (id_t)tid, nice) == 0)
			changed++;
		else if (errno != ESRCH)
			r = -errno;
	}
	/* A list that was not read to its end must not look as if nobody were left. */
	if (r == 0)
		r = -errno;
	closedir(d);
	return r < 0 ? r : changed;
}

static int write_nice(const struct km_target *t, const uint64_t v[2])
{
	int r = still_there(t), changed = 1;

	for (int pass = 0; r == 0 && changed > 0 && pass < PASSES_MAX; pass++)
		changed = renice_once(t, (int)v[0] - 20);
	return r < 0 ? r : changed < 0 ? changed : 0;
}

const struct km_effect km_effects_process[] = {
	{ KM_RAISE_LIMIT, "descriptors", NULL, "descriptors", read_files, want_files, write_files },
	{ KM_RENICE, "", NULL, "niceness (and 20)", read_nice, want_nice, write_nice },
	{ 0 },
};
