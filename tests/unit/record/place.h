/* SPDX-License-Identifier: Apache-2.0 */
/* A history in a directory of its own, and facts to put into it. */
#ifndef KM_TEST_PLACE_H
#define KM_TEST_PLACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <math.h>
#include <time.h>
#include <cmocka.h>

#include "base/buf.h"
#include "record/history_db.h"

#define DAY_NS  (86400 * KM_NS_PER_S)
#define WALL_NS (20000 * DAY_NS)

struct place {
	char dir[64];
	struct km_history *h;
	struct km_buf *out;
};

static inline int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/kmend-history-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(km_history_open(p->dir, &p->h), 0);
	assert_int_equal(km_buf_new(4 * 1024 * 1024, &p->out), 0);
	assert_int_equal(km_history_commit(p->h, 0, WALL_NS, 14), 0);
	*state = p;
	return 0;
}

static inline int teardown(void **state)
{
	static const char *const names[] = { "",           "-wal",           "-shm",
		                             ".damaged-1", ".damaged-1-wal", ".damaged-1-shm",
		                             ".damaged-2", "-journal" };
	struct place *p = *state;
	char path[128];

	km_history_close(p->h);
	chmod(p->dir, 0700);
	for (size_t i = 0; i < KM_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/history.db%s", p->dir, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(p->dir), 0);
	km_buf_free(p->out);
	free(p);
	return 0;
}

static inline void reopen(struct place *p)
{
	p->h = km_history_close(p->h);
	assert_int_equal(km_history_open(p->dir, &p->h), 0);
}

static inline void decide(struct place *p, uint64_t id, uint64_t incident, const char *service)
{
	struct km_decision d = { .id = id,
		                 .incident_id = incident,
		                 .t_ns = id * KM_NS_PER_S,
		                 .answer = KM_ANSWER_ACT,
		                 .verb = KM_RESTART };

	km_copy(d.service, sizeof(d.service), service);
	km_copy(d.rule, sizeof(d.rule), "memory-leak");
	km_copy(d.reason, sizeof(d.reason), "forecast");
	assert_int_equal(km_history_decision(p->h, &d, "{\"id\":1,\"x\":[1,2.5]}",
	                                     WALL_NS + d.t_ns),
	                 0);
}

static inline void outcome(struct place *p, uint64_t id)
{
	struct km_raw_outcome o = { .hdr = { .ktime_ns = id * KM_NS_PER_S + 1 },
		                    .intent_id = id,
		                    .state = KM_OUT_DONE,
		                    .verb = KM_RESTART,
		                    .tgid = 77,
		                    .service = "web",
		                    .detail = "restarted" };

	assert_int_equal(km_history_outcome(p->h, &o, WALL_NS + o.hdr.ktime_ns), 0);
}

static inline void verdict(struct place *p, uint64_t id, uint64_t incident)
{
	struct km_verdict v = { .decision_id = id,
		                .incident_id = incident,
		                .t_ns = id * KM_NS_PER_S + 2,
		                .kind = KM_HELPED,
		                .reason = "up for 10s" };

	assert_int_equal(km_history_verdict(p->h, &v, "{\"verdict\":\"helped\"}", WALL_NS + v.t_ns),
	                 0);
}

static inline void commit(struct place *p, uint64_t now_ns)
{
	assert_int_equal(km_history_commit(p->h, now_ns, WALL_NS + now_ns, 14), 0);
}

static inline const char *text_of(struct place *p,
                                  int (*query)(struct km_history *,
                                               const struct km_history_filter *,
                                               struct km_json_writer *),
                                  const struct km_history_filter *f)
{
	struct km_json_writer w;

	km_buf_reset(p->out);
	km_jw_init(&w, p->out, false);
	assert_int_equal(query(p->h, f, &w), 0);
	return km_buf_text(p->out);
}

static inline const char *chain_of(struct place *p, uint64_t incident)
{
	struct km_json_writer w;

	km_buf_reset(p->out);
	km_jw_init(&w, p->out, false);
	assert_int_equal(km_history_incident(p->h, incident, &w), 0);
	return km_buf_text(p->out);
}

static inline uint64_t samples_of(struct place *p, uint64_t service, uint64_t limit)
{
	struct km_error err;
	struct km_json *doc;
	struct km_json_writer w;
	uint64_t n;

	km_buf_reset(p->out);
	km_jw_init(&w, p->out, false);
	assert_int_equal(km_history_samples(p->h, service, KM_MEMORY, limit, &w), 0);
	assert_int_equal(km_json_parse(km_buf_text(p->out), p->out->len, "samples", &err, &doc), 0);
	n = (uint64_t)cJSON_GetArraySize(km_json_root(doc));
	km_json_free(doc);
	return n;
}

#endif
