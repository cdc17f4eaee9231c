/* SPDX-License-Identifier: Apache-2.0 */
/* What is read: each query writes one JSON value. Stored texts are parsed strictly before they are
 * written out again: what was changed on disk cannot change an answer's structure. */
#include "record/history_db.h"

#include <stdio.h>

#define ROWS_DEFAULT 100
/* Forecasts of the incident's service that belong to its chain: made from so long before it. */
#define CHAIN_BEFORE_NS (600 * KM_NS_PER_S)

static const char *const outcome_names[KM_OUT_STATE_MAX + 1] = {
	[KM_OUT_REFUSED] = "refused", [KM_OUT_DONE] = "done",         [KM_OUT_FAILED] = "failed",
	[KM_OUT_UNKNOWN] = "unknown", [KM_OUT_NOT_DONE] = "not_done", [KM_OUT_ADOPTED] = "adopted",
	[KM_OUT_ABSENT] = "absent",   [KM_OUT_RETURNED] = "returned",
};

static void ktext(struct km_json_writer *w, const char *key, sqlite3_stmt *st, int col)
{
	km_jw_kstring(w, key, (const char *)sqlite3_column_text(st, col));
}

static void ku64(struct km_json_writer *w, const char *key, sqlite3_stmt *st, int col)
{
	km_jw_ku64(w, key, (uint64_t)sqlite3_column_int64(st, col));
}

static void kms(struct km_json_writer *w, const char *key, sqlite3_stmt *st, int col)
{
	km_jw_ku64(w, key, (uint64_t)sqlite3_column_int64(st, col) / KM_NS_PER_MS);
}

static void kjson(struct km_json_writer *w, const char *key, sqlite3_stmt *st, int col)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	const char *text = (const char *)sqlite3_column_text(st, col);
	struct km_error err = { 0 };

	km_jw_key(w, key);
	if (!text || km_json_parse(text, strlen(text), "history", &err, &doc) < 0)
		km_jw_string(w, text);
	else
		km_jw_node(w, km_json_root(doc));
}

static uint64_t rows_of(const struct km_history_filter *f)
{
	uint64_t n = f->limit ? f->limit : ROWS_DEFAULT;

	return n < KM_HISTORY_ROWS ? n : KM_HISTORY_ROWS;
}

uint64_t km_history_last_id(struct km_history *h)
{
	sqlite3_stmt *st = km_db_query(h, "SELECT max(id) FROM decision", "");
	uint64_t id = km_db_row(h, st) ? (uint64_t)sqlite3_column_int64(st, 0) : 0;

	sqlite3_finalize(st);
	return id;
}

static void outcome_members(struct km_json_writer *w, sqlite3_stmt *st, int col)
{
	unsigned int state = (unsigned int)sqlite3_column_int(st, col);

	km_jw_kstring(w, "state", state < KM_OUT_STATE_MAX ? outcome_names[state] : "unknown");
	km_jw_ki64(w, "error", sqlite3_column_int64(st, col + 1));
	km_jw_kbool(w, "recovered", sqlite3_column_int(st, col + 2));
	ku64(w, "tgid", st, col + 3);
	ktext(w, "detail", st, col + 4);
}

static void write_action(struct km_json_writer *w, sqlite3_stmt *st, bool whole)
{
	km_jw_object(w);
	ku64(w, "id", st, 0);
	ku64(w, "incident", st, 1);
	kms(w, "realtime_ms", st, 2);
	ku64(w, "t_ns", st, 3);
	ktext(w, "service", st, 4);
	ktext(w, "rule", st, 5);
	ktext(w, "answer", st, 6);
	ktext(w, "verb", st, 7);
	ktext(w, "reason", st, 8);
	km_jw_key(w, "outcome");
	if (sqlite3_column_type(st, 10) == SQLITE_NULL) {
		km_jw_null(w);
	} else {
		km_jw_object(w);
		outcome_members(w, st, 10);
		km_jw_end_object(w);
	}
	ktext(w, "verdict", st, 15);
	ktext(w, "verdict_reason", st, 16);
	if (whole)
		kjson(w, "decision", st, 9);
	km_jw_end_object(w);
}

#define ACTIONS                                                                           \
	"SELECT d.id, d.incident_id, d.realtime_ns, d.t_ns, d.service, d.rule, d.answer," \
	" d.verb, d.reason, d.text, o.state, o.error, o.recovered, o.tgid, o.detail,"     \
	" v.kind, v.reason FROM decision d"                                               \
	" LEFT JOIN outcome o ON o.n=(SELECT max(n) FROM outcome WHERE decision_id=d.id)" \
	" LEFT JOIN verdict v ON v.n=(SELECT max(n) FROM verdict WHERE decision_id=d.id) "

int km_history_actions(struct km_history *h, const struct km_history_filter *f,
                       struct km_json_writer *w)
{
	uint64_t max = rows_of(f);
	sqlite3_stmt *st;

	if (f->decision_id)
		st = km_db_query(h, ACTIONS "WHERE d.id=?1 ORDER BY d.n DESC LIMIT ?2", "ii",
		                 f->decision_id, max);
	else if (f->incident_id)
		st = km_db_query(h, ACTIONS "WHERE d.incident_id=?1 ORDER BY d.n DESC LIMIT ?2",
		                 "ii", f->incident_id, max);
	else if (f->service)
		st = km_db_query(h, ACTIONS "WHERE d.service=?1 ORDER BY d.n DESC LIMIT ?2", "si",
		                 f->service, max);
	else
		st = km_db_query(h, ACTIONS "ORDER BY d.n DESC LIMIT ?1", "i", max);
	km_jw_array(w);
	while (km_db_row(h, st))
		write_action(w, st, f->decision_id != 0);
	km_jw_end_array(w);
	sqlite3_finalize(st);
	return 0;
}

#define INCIDENTS                                                                    \
	"SELECT id, service, opened_ns, realtime_ns, rule, decisions, acts, answer," \
	" reason, verdict FROM incident "

static void incident_members(struct km_json_writer *w, sqlite3_stmt *st)
{
	ku64(w, "id", st, 0);
	ktext(w, "service", st, 1);
	kms(w, "opened_ms", st, 2);
	kms(w, "changed_ms", st, 3);
	ktext(w, "rule", st, 4);
	ku64(w, "decisions", st, 5);
	ku64(w, "acts", st, 6);
	ktext(w, "answer", st, 7);
	ktext(w, "reason", st, 8);
	ktext(w, "verdict", st, 9);
}

int km_history_incidents(struct km_history *h, const struct km_history_filter *f,
                         struct km_json_writer *w)
{
	uint64_t max = rows_of(f);
	sqlite3_stmt *st;

	if (f->incident_id)
		st = km_db_query(h, INCIDENTS "WHERE id=?1 LIMIT ?2", "ii", f->incident_id, max);
	else if (f->service)
		st = km_db_query(h, INCIDENTS "WHERE service=?1 ORDER BY n DESC LIMIT ?2", "si",
		                 f->service, max);
	else
		st = km_db_query(h, INCIDENTS "ORDER BY n DESC LIMIT ?1", "i", max);
	km_jw_array(w);
	while (km_db_row(h, st)) {
		km_jw_object(w);
		incident_members(w, st);
		km_jw_end_object(w);
	}
	km_jw_end_array(w);
	sqlite3_finalize(st);
	return 0;
}

/* kind, realtime_ns, t_ns, text, outcome's state to detail, verb; ordered as things happened. */
static const char chain_sql[] =
	"SELECT 0 AS k, realtime_ns, t_ns, text, 0, 0, 0, 0, '', '', n FROM evidence"
	" WHERE incident_id=?1 UNION ALL "
	"SELECT 1, realtime_ns, t_ns, text, 0, 0, 0, 0, '', '', n FROM forecast"
	" WHERE service=?2 AND realtime_ns BETWEEN ?3 AND ?4 UNION ALL "
	"SELECT 2, realtime_ns, t_ns, text, 0, 0, 0, 0, '', '', n FROM decision"
	" WHERE incident_id=?1 UNION ALL "
	"SELECT 3, realtime_ns, t_ns, NULL, state, error, recovered, tgid, detail, verb, n"
	" FROM outcome WHERE decision_id IN (SELECT id FROM decision WHERE incident_id=?1)"
	" UNION ALL "
	"SELECT 4, realtime_ns, t_ns, text, 0, 0, 0, 0, '', '', n FROM verdict"
	" WHERE incident_id=?1 ORDER BY realtime_ns, k, n LIMIT ?5";

static void write_link(struct km_json_writer *w, sqlite3_stmt *st)
{
	static const char *const kinds[] = { "evidence", "forecast", "decision", "outcome",
		                             "verdict" };
	int kind = sqlite3_column_int(st, 0);

	km_jw_object(w);
	km_jw_kstring(w, "what", kinds[kind]);
	kms(w, "realtime_ms", st, 1);
	ku64(w, "t_ns", st, 2);
	if (kind == 3) {
		ktext(w, "verb", st, 9);
		outcome_members(w, st, 4);
	} else {
		kjson(w, "data", st, 3);
	}
	km_jw_end_object(w);
}

int km_history_incident(struct km_history *h, uint64_t incident_id, struct km_json_writer *w)
{
	sqlite3_stmt *st = km_db_query(h, INCIDENTS "WHERE id=?1", "i", incident_id);
	uint64_t opened, changed;
	char service[KM_NAME_MAX];

	if (!km_db_row(h, st)) {
		sqlite3_finalize(st);
		return -ENOENT;
	}
	km_jw_object(w);
	incident_members(w, st);
	km_copy(service, sizeof(service), (const char *)sqlite3_column_text(st, 1));
	opened = (uint64_t)sqlite3_column_int64(st, 2);
	changed = (uint64_t)sqlite3_column_int64(st, 3);
	sqlite3_finalize(st);

	km_jw_key(w, "chain");
	km_jw_array(w);
	st = km_db_query(h, chain_sql, "isiii", incident_id, service,
	                 opened > CHAIN_BEFORE_NS ? opened - CHAIN_BEFORE_NS : 0, changed,
	                 (uint64_t)KM_HISTORY_ROWS);
	while (km_db_row(h, st))
		write_link(w, st);
	sqlite3_finalize(st);
	km_jw_end_array(w);
	km_jw_end_object(w);
	return 0;
}

int km_history_audits(struct km_history *h, uint64_t limit, struct km_json_writer *w)
{
	const struct km_history_filter f = { .limit = limit };
	sqlite3_stmt *st = km_db_query(
		h, "SELECT realtime_ns, what, uid, tgid FROM audit ORDER BY n DESC LIMIT ?1", "i",
		rows_of(&f));

	km_jw_array(w);
	while (km_db_row(h, st)) {
		km_jw_object(w);
		kms(w, "realtime_ms", st, 0);
		ktext(w, "what", st, 1);
		ku64(w, "uid", st, 2);
		ku64(w, "tgid", st, 3);
		km_jw_end_object(w);
	}
	km_jw_end_array(w);
	sqlite3_finalize(st);
	return 0;
}

struct sample_walk {
	struct km_json_writer *w;
	uint64_t skip;
};

static int write_sample(void *userdata, uint64_t t_ms, int64_t level)
{
	struct sample_walk *walk = userdata;

	if (walk->skip) {
		walk->skip--;
		return 0;
	}
	km_jw_array(walk->w);
	km_jw_u64(walk->w, t_ms);
	km_jw_i64(walk->w, level);
	km_jw_end_array(walk->w);
	return 0;
}

static void read_row(sqlite3_stmt *st, struct km_chunk_stored *ret)
{
	ret->start_ms = (uint64_t)sqlite3_column_int64(st, 0);
	ret->start_level = sqlite3_column_int64(st, 1);
	ret->count = (uint32_t)sqlite3_column_int(st, 2);
	ret->data = sqlite3_column_blob(st, 3);
	ret->len = (size_t)sqlite3_column_bytes(st, 3);
	if (ret->count > KM_CHUNK_SAMPLES)
		ret->count = 0;
}

int km_history_samples(struct km_history *h, uint64_t service_id, enum km_resource r,
                       uint64_t limit, struct km_json_writer *w)
{
	const uint64_t key[2] = { service_id, r };
	const struct km_chunk *open = h ? km_table_get(h->chunks, key) : NULL;
	const uint64_t pending = open ? open->count : 0;
	struct sample_walk walk = { w, 0 };
	struct km_chunk_stored s;
	uint64_t stored = 0, chunks = 0;
	sqlite3_stmt *st;

	limit = limit < KM_HISTORY_ROWS ? limit : KM_HISTORY_ROWS;
	st = km_db_query(h,
	                 "SELECT count FROM chunk WHERE service_id=?1 AND resource=?2"
	                 " ORDER BY start_ms DESC",
	                 "ii", service_id, (uint64_t)r);
	for (; stored + pending < limit && km_db_row(h, st); chunks++)
		stored += (uint64_t)sqlite3_column_int(st, 0);
	sqlite3_finalize(st);

	walk.skip = stored + pending > limit ? stored + pending - limit : 0;
	km_jw_array(w);
	st = km_db_query(h,
	                 "SELECT * FROM (SELECT start_ms, start_level, count, data FROM chunk"
	                 " WHERE service_id=?1 AND resource=?2 ORDER BY start_ms DESC LIMIT ?3)"
	                 " ORDER BY start_ms",
	                 "iii", service_id, (uint64_t)r, chunks);
	while (km_db_row(h, st)) {
		read_row(st, &s);
		km_chunk_read(&s, write_sample, &walk);
	}
	sqlite3_finalize(st);
	if (pending) {
		s = (struct km_chunk_stored){ open->start_ms + h->offset_ns / KM_NS_PER_MS,
			                      open->start_level, open->count, open->data,
			                      open->len };
		km_chunk_read(&s, write_sample, &walk);
	}
	km_jw_end_array(w);
	return 0;
}
