// SPDX-License-Identifier: Apache-2.0
/* make_history FILE SECONDS: a trace of 20 services, each told of by 16 signals a second: nine
 * levels with limits (with descriptors from the task), four parts of memory, three counts. One of
 * them leaks and is ended by the OOM killer each ten minutes. For measuring how fast history is
 * replayed. */
#include <fcntl.h>
#include <stdio.h>

#include "record/trace.h"
#include "review/world.h"

#define SERVICES 20
#define LEAKS_S  600

struct making {
	struct km_trace_writer *trace;
	struct km_world world;
	uint64_t seed;
};

static int add(void *userdata, const void *raw, size_t len)
{
	struct making *m = userdata;

	(void)len;
	return km_trace_add(m->trace, raw);
}

static uint64_t chance(struct making *m, uint64_t below)
{
	m->seed = m->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (m->seed >> 33) % below;
}

static int tell_parts(struct making *m, const struct km_world_service *s)
{
	struct kmend_task t = {
		.hdr = { .type = KMEND_TASK,
		         .size = sizeof(t),
		         .ktime_ns = KM_WORLD_BEGIN_NS + m->world.t_ns,
		         .cgroup_id = s->cgroup_id },
		.tgid = s->tgid,
		.ppid = 1,
		.start_ns = s->start_ns,
		.anon_bytes = (50 << 20) + chance(m, 1 << 20),
		.file_bytes = 10 << 20,
		.shmem_bytes = 1 << 20,
		.fds = 100 + (uint32_t)chance(m, 10),
		.fds_limit = 1024,
		.has = KMEND_HAS_FDS | KMEND_HAS_LIMITS | KMEND_HAS_RSS,
		.state = 'S',
		.comm = "history",
	};

	return add(m, &t, sizeof(t));
}

static int tell(struct making *m, struct km_world_service *s, bool leaks, uint64_t second)
{
	static const enum km_resource plain[] = { KM_THREADS,      KM_DISK,      KM_INODES,
		                                  KM_ACCEPT_QUEUE, KM_CONNTRACK, KM_PORTS,
		                                  KM_HOST_FILES };
	uint64_t limit = 512ULL << 20, used = 100ULL << 20;
	int r = tell_parts(m, s);

	if (leaks)
		used += (limit - used) * (second % LEAKS_S) / LEAKS_S;
	if (r == 0)
		r = km_world_level(&m->world, s, KM_MEMORY, used + chance(m, 1 << 18), limit);
	for (size_t i = 0; i < KM_ARRAY_SIZE(plain) && r == 0; i++)
		r = km_world_level(&m->world, s, plain[i], 1000 + chance(m, 50), 5000);
	if (r == 0 && leaks && second && second % LEAKS_S == 0) {
		r = km_world_oom(&m->world, s);
		r = r < 0 ? r : km_world_end(&m->world, s, 9);
		m->world.t_ns += 30 * KM_NS_PER_MS;
		r = r < 0 ? r : km_world_start(&m->world, s);
	}
	return r;
}

static int begin(struct making *m)
{
	int r = km_world_text(&m->world, KM_TEXT_CONFIG, "kmend.json",
	                      "{\"version\":1,\"services\":[]}");

	if (r >= 0)
		r = km_world_text(&m->world, KM_TEXT_POLICY, "policy/guardrails.json",
		                  "{\"version\":1,\"verbs\":[\"restart\",\"start\"],"
		                  "\"services\":[\"*\"]}");
	if (r >= 0)
		r = km_world_text(&m->world, KM_TEXT_COMMIT, "commit", "");
	for (int i = 0; i < SERVICES && r >= 0; i++) {
		struct km_world_service *s = &m->world.service[i];

		*s = (struct km_world_service){ .kind = KM_BY_UNIT,
			                        .cgroup_id = 1000 + (uint64_t)i,
			                        .fds = KM_UNKNOWN };
		snprintf(s->name, sizeof(s->name), "unit-%d.service", i);
		km_copy(s->match, sizeof(s->match), s->name);
		r = km_world_start(&m->world, s);
	}
	return r;
}

static int make(struct making *m, struct km_buf *out, int fd, uint64_t seconds)
{
	int r = begin(m);

	for (uint64_t second = 1; second <= seconds && r >= 0; second++) {
		struct km_raw_tick t = { .hdr = { .type = KM_RAW_TICK, .size = sizeof(t) } };

		m->world.t_ns = second * KM_NS_PER_S;
		for (int i = 0; i < SERVICES && r >= 0; i++)
			r = tell(m, &m->world.service[i], i == 0, second);
		t.hdr.ktime_ns = KM_WORLD_BEGIN_NS + m->world.t_ns;
		if (r >= 0)
			r = add(m, &t, sizeof(t));
		if (r >= 0 && second % 60 == 0 && out->len) {
			r = write(fd, out->data, out->len) == (ssize_t)out->len ? 0 : -EIO;
			km_buf_reset(out);
		}
	}
	if (r >= 0)
		r = km_trace_flush(m->trace);
	return r < 0 || write(fd, out->data, out->len) == (ssize_t)out->len ? r : -EIO;
}

int main(int argc, char **argv)
{
	static struct making m;
	struct km_buf *out = NULL;
	int fd = argc == 3 ? open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	int r;

	if (fd < 0)
		return 2;
	r = km_buf_new(1 << 30, &out);
	if (r == 0)
		r = km_trace_writer_new(out, &m.trace);
	if (r == 0) {
		km_world_init(&m.world, add, &m);
		r = make(&m, out, fd, strtoull(argv[2], NULL, 10));
	}
	km_trace_writer_free(m.trace);
	km_buf_free(out);
	close(fd);
	return r < 0;
}
