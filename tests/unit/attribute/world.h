/* SPDX-License-Identifier: Apache-2.0 */
/* A small host for the tests of phase 3: records by hand, events counted. */
#ifndef KM_TEST_WORLD_H
#define KM_TEST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attribute/attribute.h"

#define SECOND KM_NS_PER_S

struct world {
	struct km_attribute *a;
	struct km_config config;
	struct km_service_def defs[8];
	uint64_t now_ns;
	uint32_t events[KM_EV_MAX]; /* of all services since the last clear */
	enum km_event order[64];
	uint32_t count;
};

static inline void world_define(struct world *w, const char *name, enum km_service_kind kind,
                                const char *match)
{
	struct km_service_def *d = &w->defs[w->config.service_count++];

	memset(d, 0, sizeof(*d));
	km_copy(d->name, sizeof(d->name), name);
	km_copy(d->match, sizeof(d->match), match);
	d->kind = kind;
	w->config.services = w->defs;
	assert_int_equal(km_attribute_configure(w->a, &w->config, w->now_ns), 0);
}

static inline int world_begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->now_ns = 1000 * SECOND;
	assert_int_equal(km_attribute_new(&w->a), 0);
	assert_int_equal(km_attribute_configure(w->a, &w->config, 0), 0);
	*state = w;
	return 0;
}

static inline int world_end(void **state)
{
	struct world *w = *state;

	km_attribute_free(w->a);
	free(w);
	return 0;
}

static inline void world_note(struct world *w, enum km_event event)
{
	if (event == KM_EV_NONE)
		return;
	w->events[event]++;
	if (w->count < KM_ARRAY_SIZE(w->order))
		w->order[w->count++] = event;
}

static inline void world_clear(struct world *w)
{
	memset(w->events, 0, sizeof(w->events));
	w->count = 0;
}

/* Whose it was. */
static inline struct km_service *world_feed(struct world *w, struct km_signal *s)
{
	struct km_subject first, more;

	if (s->t_ns == 0)
		s->t_ns = w->now_ns;
	assert_int_equal(km_attribute_signal(w->a, s, &first), 0);
	world_note(w, first.event);
	while (km_attribute_more(w->a, &more) == 1)
		world_note(w, more.event);
	return first.service;
}

static inline struct km_service *world_cgroup(struct world *w, uint64_t id, const char *path)
{
	struct km_signal s = { .type = KM_RAW_CGROUP, .cgroup_id = id };

	km_copy(s.cgroup.path, sizeof(s.cgroup.path), path);
	return world_feed(w, &s);
}

static inline void world_cgroup_gone(struct world *w, uint64_t id)
{
	struct km_signal s = { .type = KM_RAW_CGROUP, .cgroup_id = id };

	s.cgroup.gone = 1;
	world_feed(w, &s);
}

static inline struct km_service *world_fork(struct world *w, uint64_t cgroup, uint32_t tgid,
                                            uint32_t ppid)
{
	struct km_signal s = { .type = KMEND_FORK, .cgroup_id = cgroup };

	s.fork.tgid = tgid;
	s.fork.ppid = ppid;
	s.fork.start_ns = w->now_ns;
	return world_feed(w, &s);
}

static inline struct km_service *world_exec(struct world *w, uint64_t cgroup, uint32_t tgid,
                                            uint64_t start_ns, const char *path)
{
	struct km_signal s = { .type = KMEND_EXEC, .cgroup_id = cgroup };

	s.exec.tgid = tgid;
	s.exec.start_ns = start_ns;
	km_copy(s.exec.path, sizeof(s.exec.path), path);
	return world_feed(w, &s);
}

static inline struct km_service *world_task(struct world *w, uint64_t cgroup, uint32_t tgid,
                                            uint32_t ppid, uint64_t start_ns)
{
	struct km_signal s = { .type = KMEND_TASK, .cgroup_id = cgroup };

	s.task.tgid = tgid;
	s.task.ppid = ppid;
	s.task.start_ns = start_ns;
	s.task.state = 'S';
	return world_feed(w, &s);
}

static inline struct km_service *world_exit(struct world *w, uint32_t tgid, uint64_t start_ns,
                                            uint32_t code)
{
	struct km_signal s = { .type = KMEND_EXIT };

	s.exit.tgid = tgid;
	s.exit.start_ns = start_ns;
	s.exit.exit_code = code;
	return world_feed(w, &s);
}

static inline struct km_service *world_watch(struct world *w, uint32_t tgid, uint64_t start_ns,
                                             int status)
{
	struct km_signal s = { .type = KM_RAW_PROCESS };

	s.process.tgid = tgid;
	s.process.start_ns = start_ns;
	s.process.source = KM_FROM_EXIT_WATCH;
	s.process.wait_status = status;
	return world_feed(w, &s);
}

static inline struct km_service *world_scan(struct world *w, uint64_t cgroup, uint32_t tgid,
                                            uint32_t ppid, uint64_t start_ns)
{
	struct km_signal s = { .type = KM_RAW_PROCESS, .cgroup_id = cgroup };

	s.process.tgid = tgid;
	s.process.ppid = ppid;
	s.process.start_ns = start_ns;
	s.process.wait_status = -1;
	return world_feed(w, &s);
}

static inline struct km_service *world_pidfile(struct world *w, uint64_t cgroup, uint32_t tgid,
                                               uint64_t start_ns, const char *service)
{
	struct km_signal s = { .type = KM_RAW_PROCESS, .cgroup_id = cgroup };

	s.process.tgid = tgid;
	s.process.start_ns = start_ns;
	s.process.wait_status = -1;
	s.process.source = KM_FROM_PIDFILE;
	km_copy(s.process.service, sizeof(s.process.service), service);
	return world_feed(w, &s);
}

struct world_outcome {
	uint64_t cgroup;
	enum km_outcome_state state;
	enum km_verb verb;
	uint32_t tgid;
	uint64_t start_ns;
};

static inline struct km_service *world_outcome(struct world *w, const char *service,
                                               const struct world_outcome *o)
{
	struct km_signal s = { .type = KM_RAW_OUTCOME, .cgroup_id = o->cgroup };

	s.outcome.state = o->state;
	s.outcome.verb = o->verb;
	s.outcome.tgid = o->tgid;
	s.outcome.start_ns = o->start_ns;
	km_copy(s.outcome.service, sizeof(s.outcome.service), service);
	return world_feed(w, &s);
}

static inline struct km_service *world_kill(struct world *w, uint32_t tgid, uint64_t start_ns,
                                            uint32_t signal, uint32_t sender)
{
	struct km_signal s = { .type = KMEND_SIGNAL };

	s.signal.tgid = tgid;
	s.signal.start_ns = start_ns;
	s.signal.signal = signal;
	s.signal.sender_tgid = sender;
	s.signal.sender_uid = 1000;
	km_copy(s.signal.sender_comm, sizeof(s.signal.sender_comm), "bash");
	return world_feed(w, &s);
}

static inline void world_tick(struct world *w)
{
	struct km_signal s = { .type = KM_RAW_TICK };

	w->now_ns += SECOND;
	world_feed(w, &s);
}

static inline struct km_service *world_named(struct world *w, const char *name)
{
	return km_attribute_service_by_name(w->a, name);
}

#endif
