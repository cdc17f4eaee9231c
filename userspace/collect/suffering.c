// SPDX-License-Identifier: Apache-2.0
/* How a watched cgroup suffers: pressure, throttling, freezing, hits of its memory limit. Looked at
 * only as deep as there is a reason: pressure of a cgroup where the host has some, throttling where
 * there is a quota, in every fourth pass; in every 16th where neither is known of it. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "collect/host.h"
#include "collect/internal.h"

#define LOOK_EVERY  4  /* passes */
#define QUOTA_EVERY 64 /* passes: quotas and limits are set once */
#define STATE_EVERY 16
#define TOGETHER    64   /* cgroups looked at in the same pass: the first one warms the way */
#define SLIGHT_PPM  1000 /* of the time: as good as none */

struct km_sufferer {
	uint64_t cgroup_id;
	char *path;
	bool quota;
	bool unlimited; /* v1: nothing in it can hit a limit, nor need it be asked */
	bool looked;
	uint32_t pressed; /* bits: told as more than nothing */
	struct km_told throttled;
	struct km_told limit_hits;
};

static const struct pressure {
	enum km_sig sig;
	const char *file;
	const char *line;
} pressures[] = {
	{ KM_SIG_PSI_CPU_SOME, "cpu.pressure", "some" },
	{ KM_SIG_PSI_MEMORY_SOME, "memory.pressure", "some" },
	{ KM_SIG_PSI_MEMORY_FULL, "memory.pressure", "full" },
	{ KM_SIG_PSI_IO_SOME, "io.pressure", "some" },
	{ KM_SIG_PSI_IO_FULL, "io.pressure", "full" },
};

_Static_assert(KM_ARRAY_SIZE(pressures) == KM_PRESSURES, "one each");

int km_suffering_add(struct km_collect *c, uint64_t cgroup_id, const char *path)
{
	struct km_sufferer *s;

	for (size_t i = 0; i < c->sufferer_count; i++)
		if (c->sufferers[i].cgroup_id == cgroup_id)
			return 0;
	if (c->sufferer_count >= KM_SERVICES_MAX)
		return -ENOSPC;
	s = reallocarray(c->sufferers, c->sufferer_count + 1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	c->sufferers = s;
	s = &c->sufferers[c->sufferer_count];
	*s = (struct km_sufferer){ .cgroup_id = cgroup_id, .path = strdup(path) };
	if (!s->path)
		return -ENOMEM;
	c->sufferer_count++;
	return 0;
}

void km_suffering_drop(struct km_collect *c, uint64_t cgroup_id)
{
	for (size_t i = 0; i < c->sufferer_count; i++) {
		if (c->sufferers[i].cgroup_id != cgroup_id)
			continue;
		free(c->sufferers[i].path);
		c->sufferers[i] = c->sufferers[--c->sufferer_count];
		return;
	}
}

void km_suffering_free(struct km_collect *c)
{
	for (size_t i = 0; i < c->sufferer_count; i++)
		free(c->sufferers[i].path);
	free(c->sufferers);
	c->sufferers = NULL;
	c->sufferer_count = 0;
}

/* -ENOENT where MOUNT is empty or the cgroup went meanwhile, which is no error. */
static int read_file(const char *mount, const struct km_sufferer *s, const char *name, char *text,
                     size_t size)
{
	char file[2 * KM_PATH_MAX + 64];

	if (!mount[0])
		return -ENOENT;
	snprintf(file, sizeof(file), "%s%s/%s", mount, s->path, name);
	return km_fs_read_small(AT_FDCWD, file, text, size);
}

uint64_t km_stat_value(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; (p = strstr(p, key)); p += n)
		if ((p == text || p[-1] == '\n') && p[n] == ' ')
			return strtoull(p + n + 1, NULL, 10);
	return KM_UNKNOWN;
}

static int say(struct km_collect *c, const struct km_sufferer *s, enum km_sig sig, double value)
{
	return km_value_emit(c, &(struct km_said){ .signal = sig,
	                                           .entity = KM_ENTITY_SERVICE,
	                                           .cgroup_id = s->cgroup_id,
	                                           .every = STATE_EVERY,
	                                           .value = value });
}

/* Files that are not read stand for zero, which is said now and then, so that it is measured. */
static int say_none(struct km_collect *c, const struct km_sufferer *s, size_t turn)
{
	int r = 0;

	for (size_t i = 0; i < KM_ARRAY_SIZE(pressures) && r == 0; i++)
		if (c->host_pressure[i] < SLIGHT_PPM && !(s->pressed & 1U << i) &&
		    turn % STATE_EVERY == 0)
			r = say(c, s, pressures[i].sig, 0);
	return r;
}

/* A cgroup waits at most as the host does: where that waits for as good as nothing, so
 * does it. */
static int say_pressure(struct km_collect *c, struct km_sufferer *s)
{
	const char *have = "";
	char text[512];
	int r = 0;

	for (size_t i = 0; i < KM_ARRAY_SIZE(pressures) && r == 0; i++) {
		const struct pressure *p = &pressures[i];
		uint32_t bit = 1U << i, ppm = 0;

		if (c->host_pressure[i] < SLIGHT_PPM && !(s->pressed & bit) && s->looked)
			continue;
		if (strcmp(have, p->file) != 0 &&
		    read_file(c->mounts.unified, s, p->file, text, sizeof(text)) < 0)
			continue;
		have = p->file;
		if (km_psi_parse(text, p->line, &ppm) < 0)
			continue;
		s->pressed = ppm >= SLIGHT_PPM ? s->pressed | bit : s->pressed & ~bit;
		r = say(c, s, p->sig, ppm);
	}
	return r;
}

/* v2: "MAX PERIOD" or "max PERIOD"; v1: a file of its own, -1 without. */
static void look_for_quota(struct km_collect *c, struct km_sufferer *s)
{
	char text[64];

	s->quota = false;
	if (read_file(c->mounts.unified, s, "cpu.max", text, sizeof(text)) > 0)
		s->quota = strncmp(text, "max", 3) != 0;
	else if (read_file(c->mounts.cpu, s, "cpu.cfs_quota_us", text, sizeof(text)) > 0)
		s->quota = text[0] != '-';
}

/* v1 counts the hits of a cgroup's own limit only, v2 also of those below it. */
static void look_for_limit(struct km_collect *c, struct km_sufferer *s)
{
	char text[64];

	s->unlimited =
		read_file(c->mounts.memory, s, "memory.limit_in_bytes", text, sizeof(text)) > 0 &&
		km_limit_parse(text) == KM_UNKNOWN;
}

static int say_throttled(struct km_collect *c, struct km_sufferer *s)
{
	struct km_said said = { .signal = KM_SIG_SCHED_THROTTLED,
		                .entity = KM_ENTITY_SERVICE,
		                .cgroup_id = s->cgroup_id };
	uint64_t us = KM_UNKNOWN;
	char text[1024];

	if (read_file(c->mounts.unified, s, "cpu.stat", text, sizeof(text)) > 0)
		us = km_stat_value(text, "throttled_usec");
	if (us == KM_UNKNOWN && read_file(c->mounts.cpu, s, "cpu.stat", text, sizeof(text)) > 0) {
		us = km_stat_value(text, "throttled_time");
		us = us == KM_UNKNOWN ? us : us / 1000;
	}
	return us == KM_UNKNOWN ? 0 : km_value_delta(c, &said, &s->throttled, us);
}

static int say_state(struct km_collect *c, struct km_sufferer *s)
{
	struct km_said said = { .signal = KM_SIG_MEMORY_LIMIT_HITS,
		                .entity = KM_ENTITY_SERVICE,
		                .cgroup_id = s->cgroup_id };
	uint64_t hits = KM_UNKNOWN, frozen = KM_UNKNOWN;
	char text[512];
	int r = 0;

	if (s->unlimited && s->limit_hits.t_ns)
		hits = s->limit_hits.value;
	else if (read_file(c->mounts.unified, s, "memory.events", text, sizeof(text)) > 0)
		hits = km_stat_value(text, "max");
	else if (read_file(c->mounts.memory, s, "memory.failcnt", text, sizeof(text)) > 0)
		hits = strtoull(text, NULL, 10);
	if (hits != KM_UNKNOWN)
		r = km_value_delta(c, &said, &s->limit_hits, hits);
	if (r == 0 && read_file(c->mounts.unified, s, "cgroup.events", text, sizeof(text)) > 0)
		frozen = km_stat_value(text, "frozen");
	return frozen == KM_UNKNOWN ? r : say(c, s, KM_SIG_SCHED_FROZEN, (double)frozen);
}

static int look(struct km_collect *c, struct km_sufferer *s, size_t turn)
{
	int r;

	if (turn % QUOTA_EVERY == 0 || !s->looked) {
		look_for_quota(c, s);
		look_for_limit(c, s);
	}
	r = say_pressure(c, s);
	if (r == 0)
		r = say_none(c, s, turn);
	if (r == 0 && s->quota)
		r = say_throttled(c, s);
	if (r == 0 && (turn % STATE_EVERY == 0 || !s->looked))
		r = say_state(c, s);
	s->looked = true;
	return r;
}

static uint32_t every(const struct km_sufferer *s)
{
	return s->pressed || s->quota || !s->looked ? LOOK_EVERY : STATE_EVERY;
}

int km_suffering_emit(struct km_collect *c)
{
	int r = 0;

	for (size_t i = 0; i < c->sufferer_count && r == 0; i++) {
		size_t turn = c->pass + i / TOGETHER;

		if (turn % every(&c->sufferers[i]) == 0)
			r = look(c, &c->sufferers[i], turn);
	}
	return r;
}
