/* SPDX-License-Identifier: Apache-2.0 */
/* What is written: one call a fact, one transaction a pass. */
#include "record/history_db.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/text.h"

/* A chunk that fills slowly is written after so long: what a crash may cost. */
#define CHUNK_AGE_MS 300000
#define TRIM_NS      (60 * KM_NS_PER_S)
#define FORECAST_MAX 4096 /* bytes of one forecast as JSON */

/* Until the first commit says it, for chunks that close before. */
static uint64_t wall_offset_ns(void)
{
	struct timespec wall = { 0 }, boot = { 0 };

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return (uint64_t)(wall.tv_sec - boot.tv_sec) * KM_NS_PER_S;
}

static int history_new(struct km_history **ret)
{
	static const struct km_table_opts chunks = {
		.name = "chunks",
		.rows_max = KM_SERVICES_MAX * KM_RESOURCE_MAX,
		.row_size = sizeof(struct km_chunk),
		.key_size = 16,
	};
	km_autofree(km_history_closep) struct km_history *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	h->dir_fd = -1;
	h->offset_ns = wall_offset_ns();
	r = km_table_new(&chunks, &h->chunks);
	if (r == 0)
		r = km_db_register(h);
	if (r < 0)
		return r;
	*ret = km_take(h);
	return 0;
}

int km_history_open(const char *dir, struct km_history **ret)
{
	km_autofree(km_history_closep) struct km_history *h = NULL;
	int r;

	r = history_new(&h);
	if (r < 0)
		return r;
	if (!km_copy(h->dir, sizeof(h->dir), dir))
		return -ENAMETOOLONG;
	km_db_open(h);
	*ret = km_take(h);
	return 0;
}

int km_history_open_at(int dir_fd, struct km_history **ret)
{
	km_autofree(km_history_closep) struct km_history *h = NULL;
	int r;

	r = history_new(&h);
	if (r < 0)
		return r;
	h->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	snprintf(h->dir, sizeof(h->dir), "/proc/self/fd/%d", h->dir_fd);
	km_db_open(h);
	*ret = km_take(h);
	return 0;
}

static void write_chunk(struct km_history *h, struct km_chunk *c)
{
	uint64_t offset_ms = h->offset_ns / KM_NS_PER_MS;

	km_db_write(h, KM_ST_SERVICE, "is", c->service_id, c->service);
	km_db_write(h, KM_ST_CHUNK, "iiiiiiib", (c->last_ms + offset_ms) * KM_NS_PER_MS,
	            c->start_ms + offset_ms, c->service_id, c->resource, c->start_level, c->limit,
	            (uint64_t)c->count, c->data, (size_t)c->len);
	km_chunk_reset(c);
}

struct km_history *km_history_close(struct km_history *h)
{
	struct km_chunk *c;
	uint32_t slot = 0;

	if (!h)
		return NULL;
	while (h->chunks && (c = km_table_next(h->chunks, &slot)))
		if (c->count)
			write_chunk(h, c);
	km_db_commit(h);
	km_db_close(h);
	km_db_unregister(h);
	km_close(&h->dir_fd);
	km_table_free(h->chunks);
	free(h);
	return NULL;
}

const char *km_history_trouble(const struct km_history *h)
{
	if (!h)
		return "no history is kept: the state directory cannot be used";
	return h->trouble[0] ? h->trouble : NULL;
}

uint64_t km_history_lost(const struct km_history *h)
{
	return h ? h->lost : 0;
}

int km_history_decision(struct km_history *h, const struct km_decision *d, const char *text,
                        uint64_t realtime_ns)
{
	const char *answer = km_answer_names[d->answer];

	if (h)
		h->offset_ns = realtime_ns - d->t_ns;
	km_db_write(h, KM_ST_DECISION, "iiiissssss", realtime_ns, d->t_ns, d->id, d->incident_id,
	            d->service, d->rule, answer, km_verb_names[d->verb], d->reason, text);
	if (d->incident_id)
		km_db_write(h, KM_ST_INCIDENT, "iississ", realtime_ns, d->incident_id, d->service,
		            d->rule, (uint64_t)(d->answer == KM_ANSWER_ACT), answer, d->reason);
	return 0;
}

int km_history_outcome(struct km_history *h, const struct km_raw_outcome *o, uint64_t realtime_ns)
{
	const char *verb = o->verb < KM_VERB_MAX ? km_verb_names[o->verb] : "unknown";

	return km_db_write(h, KM_ST_OUTCOME, "iiisisiiis", realtime_ns, o->hdr.ktime_ns,
	                   o->intent_id, o->service, (uint64_t)o->state, verb, (int64_t)o->error,
	                   (uint64_t)o->recovered, (uint64_t)o->tgid, o->detail);
}

int km_history_verdict(struct km_history *h, const struct km_verdict *v, const char *text,
                       uint64_t realtime_ns)
{
	const char *kind = km_verdict_names[v->kind];

	km_db_write(h, KM_ST_VERDICT, "iiiisss", realtime_ns, v->t_ns, v->decision_id,
	            v->incident_id, kind, v->reason, text);
	return km_db_write(h, KM_ST_INCIDENT_VERDICT, "isi", realtime_ns, kind, v->incident_id);
}

int km_history_forecast(struct km_history *h, const struct km_forecast *f, const char *service,
                        uint64_t realtime_ns)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_json_writer w;
	int r;

	r = km_buf_new(FORECAST_MAX, &text);
	if (r < 0)
		return r;
	km_jw_init(&w, text, false);
	km_forecast_write(f, service, &w);
	r = km_buf_error(text);
	if (r < 0)
		return r;
	return km_db_write(h, KM_ST_FORECAST, "iiss", realtime_ns, f->t_ns, service,
	                   km_buf_text(text));
}

int km_history_evidence(struct km_history *h, uint64_t incident_id, uint64_t t_ns, const char *text)
{
	uint64_t offset_ns = h ? h->offset_ns : 0;

	return km_db_write(h, KM_ST_EVIDENCE, "iiis", t_ns + offset_ns, t_ns, incident_id, text);
}

int km_history_down(struct km_history *h, const char *service, uint64_t from_ns,
                    uint64_t realtime_ns)
{
	return km_db_write(h, KM_ST_DOWN, "iis", realtime_ns, from_ns, service);
}

int km_history_audit(struct km_history *h, const char *what, uint32_t uid, uint32_t tgid,
                     uint64_t realtime_ns)
{
	if (!h)
		return 0;
	if (h->audits >= KM_HISTORY_AUDITS) {
		h->lost++;
		return 0;
	}
	h->audits++;
	return km_db_write(h, KM_ST_AUDIT, "isii", realtime_ns, what, (uint64_t)uid,
	                   (uint64_t)tgid);
}

int km_history_sample(struct km_history *h, uint64_t service_id, const char *service,
                      enum km_resource r, uint64_t t_ns, double level, double limit)
{
	const uint64_t key[2] = { service_id, r };
	struct km_chunk *c;
	int rc;

	if (!h)
		return 0;
	rc = km_table_put(h->chunks, key, &c);
	if (rc < 0) {
		h->lost++;
		return rc;
	}
	if (rc == 1) {
		km_copy(c->service, sizeof(c->service), service);
		c->full_at = KM_CHUNK_SAMPLES / 2 +
		             (uint32_t)(km_hash(key, sizeof(key)) % (KM_CHUNK_SAMPLES / 2));
	}
	rc = km_chunk_add(c, t_ns, level, limit);
	if (rc == 1) {
		write_chunk(h, c);
		rc = km_chunk_add(c, t_ns, level, limit);
	}
	return rc;
}

/* Chunks whose series went quiet. */
static void write_old_chunks(struct km_history *h, uint64_t now_ms)
{
	struct km_chunk *c;
	uint32_t slot = 0;

	while ((c = km_table_next(h->chunks, &slot)))
		if (!c->count)
			km_table_drop(h->chunks, c);
		else if (c->start_ms + CHUNK_AGE_MS < now_ms)
			write_chunk(h, c);
}

static uint64_t pages_in_use(struct km_history *h)
{
	sqlite3_stmt *st = km_db_query(h,
	                               "SELECT page_count - freelist_count FROM"
	                               " pragma_page_count, pragma_freelist_count",
	                               "");
	uint64_t pages = km_db_row(h, st) ? (uint64_t)sqlite3_column_int64(st, 0) : 0;

	sqlite3_finalize(st);
	return pages;
}

/* Deletes at most MAX of the oldest rows that are older than BEFORE_NS. */
static void trim_table(struct km_history *h, const char *table, uint64_t max, uint64_t before_ns)
{
	char query[256];
	sqlite3_stmt *st;

	snprintf(query, sizeof(query),
	         "DELETE FROM %s WHERE n IN (SELECT n FROM %s ORDER BY n LIMIT ?1)"
	         " AND realtime_ns < ?2",
	         table, table);
	st = km_db_query(h, query, "ii", max, before_ns);
	km_db_row(h, st);
	sqlite3_finalize(st);
}

/* Never much more work than what was written since: retention follows writing, in small steps. */
static void trim(struct km_history *h, uint64_t realtime_ns, uint64_t keep_days)
{
	static const char *const tables[] = { "chunk",    "decision", "incident",
		                              "outcome",  "verdict",  "forecast",
		                              "evidence", "audit",    "down" };
	uint64_t max = 64 + 2 * h->rows_since_trim;
	uint64_t keep_ns = keep_days * 86400 * KM_NS_PER_S;
	uint64_t before_ns = realtime_ns > keep_ns ? realtime_ns - keep_ns : 0;

	for (size_t i = 0; i < KM_ARRAY_SIZE(tables) && h->db; i++)
		trim_table(h, tables[i], max, before_ns);
	if (h->db && pages_in_use(h) > KM_HISTORY_PAGES_MAX / 8 * 7)
		trim_table(h, "chunk", max, realtime_ns);
	h->rows_since_trim = 0;
}

int km_history_commit(struct km_history *h, uint64_t now_ns, uint64_t realtime_ns,
                      uint64_t keep_days)
{
	if (!h)
		return 0;
	h->offset_ns = realtime_ns - now_ns;
	if (!h->db && now_ns >= h->retry_ns) {
		h->retry_ns = now_ns + KM_HISTORY_RETRY_NS;
		km_db_open(h);
	}
	if (now_ns >= h->trim_ns) {
		h->trim_ns = now_ns + TRIM_NS;
		write_old_chunks(h, now_ns / KM_NS_PER_MS);
		trim(h, realtime_ns, keep_days);
	}
	h->audits = 0;
	if (!h->urgent && now_ns < h->commit_ns)
		return 0;
	h->commit_ns = now_ns + KM_HISTORY_LAZY_NS;
	return km_db_commit(h);
}
