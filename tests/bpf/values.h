/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a value, and a cgroup of the test's own. */
#ifndef KM_TEST_VALUES_H
#define KM_TEST_VALUES_H

#include "bpf/world.h"

struct wanted {
	enum km_sig signal;
	const char *name;   /* NULL: any */
	uint64_t cgroup_id; /* 0: any */
	double least, most;
};

static inline bool values_match(const void *raw, const void *arg)
{
	const struct km_raw_value *v = raw;
	const struct wanted *w = arg;

	if (v->signal != (uint32_t)w->signal || v->value < w->least || v->value > w->most)
		return false;
	if (w->cgroup_id && v->hdr.cgroup_id != w->cgroup_id)
		return false;
	return !w->name || (v->len == strlen(w->name) && memcmp(v->name, w->name, v->len) == 0);
}

/* NULL: it did not come in time. */
static inline const struct km_raw_value *values_wait(struct world *w, const struct wanted *wanted)
{
	return world_wait(w, KM_RAW_VALUE, values_match, wanted);
}

struct group {
	char unified[KM_PATH_MAX + 64];
	char cpu[KM_PATH_MAX + 64]; /* of v1; empty: none */
	uint64_t id;
};

static inline bool group_put(const char *dir, const char *file, const char *text)
{
	char path[2 * KM_PATH_MAX + 128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text);
}

static inline void group_make(struct group *g, const char *name)
{
	struct km_cgroup_mounts m;
	struct stat st;

	memset(g, 0, sizeof(*g));
	assert_int_equal(km_cgroup_mounts_read(&m), 0);
	snprintf(g->unified, sizeof(g->unified), "%s/kmend-test-%s-%d", m.unified, name, getpid());
	assert_int_equal(mkdir(g->unified, 0755), 0);
	assert_int_equal(stat(g->unified, &st), 0);
	g->id = st.st_ino;
	if (!m.cpu[0])
		return;
	snprintf(g->cpu, sizeof(g->cpu), "%s/kmend-test-%s-%d", m.cpu, name, getpid());
	assert_int_equal(mkdir(g->cpu, 0755), 0);
}

static inline void group_remove(const struct group *g)
{
	rmdir(g->unified);
	if (g->cpu[0])
		rmdir(g->cpu);
}

/* The calling process goes there. */
static inline void group_enter(const struct group *g)
{
	group_put(g->unified, "cgroup.procs", "0");
	if (g->cpu[0])
		group_put(g->cpu, "cgroup.procs", "0");
}

#endif
