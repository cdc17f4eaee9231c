/* SPDX-License-Identifier: Apache-2.0 */
/* What became of each rule on this host, as far as the history goes back. */
#include <math.h>

#include "record/history_db.h"

/* 95 %, two-sided. */
#define Z 1.959964

/* The share that helped lies in here, by Wilson's score (1927): it holds for few cases too. */
static void write_share(struct km_json_writer *w, double helped, double judged)
{
	double p = helped / judged, z2 = Z * Z / judged;
	double middle = (p + z2 / 2) / (1 + z2);
	double half = Z * sqrt(p * (1 - p) / judged + z2 / (4 * judged)) / (1 + z2);

	km_jw_key(w, "helped_share");
	if (judged < 1) {
		km_jw_null(w);
		return;
	}
	km_jw_object(w);
	km_jw_kdouble(w, "share", p);
	km_jw_kdouble(w, "low", fmax(0, middle - half));
	km_jw_kdouble(w, "high", fmin(1, middle + half));
	km_jw_end_object(w);
}

/* NULL where there is none. */
static void kmaybe(struct km_json_writer *w, const char *key, sqlite3_stmt *st, int col)
{
	km_jw_key(w, key);
	if (sqlite3_column_type(st, col) == SQLITE_NULL)
		km_jw_null(w);
	else
		km_jw_u64(w, (uint64_t)sqlite3_column_int64(st, col));
}

/* Columns as in rules_sql. */
static void write_rule(struct km_json_writer *w, sqlite3_stmt *st)
{
	static const char *const counts[] = {
		"decisions", "observed",    "suggested", "asked",        "acted",        "refused",
		"escalated", "quarantined", "helped",    "did_not_help", "not_measured",
	};
	int col = 1;

	km_jw_object(w);
	km_jw_kstring(w, "rule", (const char *)sqlite3_column_text(st, 0));
	for (size_t i = 0; i < KM_ARRAY_SIZE(counts); i++, col++)
		km_jw_ku64(w, counts[i], (uint64_t)sqlite3_column_int64(st, col));
	write_share(w, sqlite3_column_double(st, 9),
	            sqlite3_column_double(st, 9) + sqlite3_column_double(st, 10));
	kmaybe(w, "last_spoke_ms", st, col);
	kmaybe(w, "to_act_ns", st, col + 1);
	kmaybe(w, "to_help_ns", st, col + 2);
	km_jw_end_object(w);
}

static const char rules_sql[] =
	"SELECT d.rule, count(*), sum(d.answer='observe'), sum(d.answer='suggest'),"
	" sum(d.answer='ask'), sum(d.answer='act'), sum(d.answer='no'),"
	" sum(d.answer='escalate'), sum(d.answer='quarantine'), sum(v.kind IS 'helped'),"
	" sum(v.kind IS 'did_not_help'), sum(v.kind IS 'not_measured'),"
	" max(d.realtime_ns)/1000000,"
	" CAST(avg(CASE WHEN d.answer='act' THEN d.realtime_ns-i.opened_ns END) AS INTEGER),"
	" CAST(avg(CASE WHEN v.kind='helped' THEN v.realtime_ns-d.realtime_ns END) AS INTEGER)"
	" FROM decision d"
	" LEFT JOIN verdict v ON v.n=(SELECT max(n) FROM verdict WHERE decision_id=d.id)"
	" LEFT JOIN incident i ON i.id=d.incident_id"
	" WHERE ?1 IS NULL OR d.rule=?1 GROUP BY d.rule ORDER BY d.rule LIMIT ?2";

int km_history_rules(struct km_history *h, const char *rule, struct km_json_writer *w)
{
	sqlite3_stmt *st = km_db_query(h, rules_sql, "si", rule, (uint64_t)KM_HISTORY_ROWS);

	km_jw_array(w);
	while (km_db_row(h, st))
		write_rule(w, st);
	km_jw_end_array(w);
	sqlite3_finalize(st);
	return 0;
}

int km_history_refusals(struct km_history *h, const char *rule, struct km_json_writer *w)
{
	sqlite3_stmt *st = km_db_query(
		h,
		"SELECT CASE WHEN json_valid(text) THEN json_extract(text, '$.decision.guard') END"
		" AS g, count(*) FROM decision WHERE answer='no' AND rule=?1"
		" GROUP BY g ORDER BY count(*) DESC LIMIT ?2",
		"si", rule, (uint64_t)KM_GUARD_MAX + 1);

	km_jw_array(w);
	while (km_db_row(h, st)) {
		km_jw_object(w);
		km_jw_kstring(w, "guard", (const char *)sqlite3_column_text(st, 0));
		km_jw_ku64(w, "count", (uint64_t)sqlite3_column_int64(st, 1));
		km_jw_end_object(w);
	}
	km_jw_end_array(w);
	sqlite3_finalize(st);
	return 0;
}
