/* SPDX-License-Identifier: Apache-2.0 */
/* What became of each rule on this host, as far as the history goes back. */
#include <math.h>

#include "record/history_db.h"

/* 95 %, two-sided. */
#define Z 1.959964

/* Fewer cases on one side tell nothing of a difference. */
#define CASES_MIN 5
#define MEAN_MIN  3

/* A share of JUDGED cases, and between what it lies. */
struct share {
	double judged, p, low, high;
};

/* Wilson's score (1927): it holds for few cases too. */
static struct share share_of(double good, double judged)
{
	double p = good / judged, z2 = Z * Z / judged;
	double middle = (p + z2 / 2) / (1 + z2);
	double half = Z * sqrt(p * (1 - p) / judged + z2 / (4 * judged)) / (1 + z2);

	return (struct share){ judged, p, fmax(0, middle - half), fmin(1, middle + half) };
}

static void write_range(struct km_json_writer *w, const char *key, const struct share *s)
{
	km_jw_key(w, key);
	if (!(s->judged >= 1)) {
		km_jw_null(w);
		return;
	}
	km_jw_object(w);
	km_jw_kdouble(w, "share", s->p);
	km_jw_kdouble(w, "low", s->low);
	km_jw_kdouble(w, "high", s->high);
	km_jw_end_object(w);
}

/* How much oftener it was well after the act than where nothing was done, by Newcombe's hybrid of
 * two scores (1998, his method 10). */
static struct share lift_of(const struct share *act, const struct share *none)
{
	double d = act->p - none->p;

	if (!(act->judged >= CASES_MIN && none->judged >= CASES_MIN))
		return (struct share){ 0 };
	return (struct share){ act->judged + none->judged, d,
		               d - hypot(act->p - act->low, none->high - none->p),
		               d + hypot(act->high - act->p, none->p - none->low) };
}

/* HELPED of JUDGED acts, WELL of LEFT repairs that were looked at and left alone. */
static void write_shares(struct km_json_writer *w, sqlite3_stmt *st, int helped, int left)
{
	struct share act =
		share_of(sqlite3_column_double(st, helped),
	                 sqlite3_column_double(st, helped) + sqlite3_column_double(st, helped + 1));
	struct share none =
		share_of(sqlite3_column_double(st, left),
	                 sqlite3_column_double(st, left) + sqlite3_column_double(st, left + 1));
	struct share lift = lift_of(&act, &none);

	write_range(w, "helped_share", &act);
	write_range(w, "alone_share", &none);
	write_range(w, "lift", &lift);
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
	write_shares(w, st, 9, 15);
	kmaybe(w, "last_spoke_ms", st, col);
	kmaybe(w, "to_act_ns", st, col + 1);
	kmaybe(w, "to_help_ns", st, col + 2);
	km_jw_end_object(w);
}

static const char rules_sql[] =
	"SELECT d.rule, count(*), sum(d.answer='observe'), sum(d.answer='suggest'),"
	" sum(d.answer='ask'), sum(d.answer='act'), sum(d.answer='no'),"
	" sum(d.answer='escalate'), sum(d.answer='quarantine'),"
	" sum(d.answer<>'shadow' AND v.kind IS 'helped'),"
	" sum(d.answer<>'shadow' AND v.kind IS 'did_not_help'),"
	" sum(d.answer<>'shadow' AND v.kind IS 'not_measured'),"
	" max(d.realtime_ns)/1000000,"
	" CAST(avg(CASE WHEN d.answer='act' THEN d.realtime_ns-i.opened_ns END) AS INTEGER),"
	" CAST(avg(CASE WHEN d.answer<>'shadow' AND v.kind='helped'"
	"   THEN v.realtime_ns-d.realtime_ns END) AS INTEGER),"
	" sum(d.answer='shadow' AND v.kind IS 'helped'),"
	" sum(d.answer='shadow' AND v.kind IS 'did_not_help')"
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

/* Of each failure the rule's first word on it, and whether it acted. */
static const char failures_sql[] =
	"SELECT rule, service, count(*), sum(acted), avg(detect),"
	" avg(CASE WHEN acted THEN length END), avg(CASE WHEN NOT acted THEN length END)"
	" FROM (SELECT d.rule AS rule, w.service AS service, max(d.answer='act') AS acted,"
	"  w.realtime_ns-w.from_ns AS length, min(d.realtime_ns)-w.from_ns AS detect"
	"  FROM down w JOIN decision d ON d.service=w.service"
	"  AND d.realtime_ns BETWEEN w.from_ns AND w.realtime_ns AND d.rule<>'definition'"
	"  WHERE ?1 IS NULL OR d.rule=?1 GROUP BY d.rule, w.n)"
	" GROUP BY rule, service ORDER BY rule, service LIMIT ?2";

/* A mean of fewer is not told. */
static void kmean(struct km_json_writer *w, const char *key, sqlite3_stmt *st, int col, int cases)
{
	km_jw_key(w, key);
	if (cases < MEAN_MIN)
		km_jw_null(w);
	else
		km_jw_u64(w, (uint64_t)sqlite3_column_double(st, col));
}

static void write_failures(struct km_json_writer *w, sqlite3_stmt *st)
{
	int all = sqlite3_column_int(st, 2), acted = sqlite3_column_int(st, 3);

	km_jw_object(w);
	km_jw_kstring(w, "rule", (const char *)sqlite3_column_text(st, 0));
	km_jw_kstring(w, "service", (const char *)sqlite3_column_text(st, 1));
	km_jw_ku64(w, "failures", (uint64_t)all);
	km_jw_ku64(w, "acted", (uint64_t)acted);
	kmean(w, "to_detect_ns", st, 4, all);
	kmean(w, "down_acted_ns", st, 5, acted);
	kmean(w, "down_left_ns", st, 6, all - acted);
	km_jw_end_object(w);
}

int km_history_failures(struct km_history *h, const char *rule, struct km_json_writer *w)
{
	sqlite3_stmt *st = km_db_query(h, failures_sql, "si", rule, (uint64_t)KM_HISTORY_ROWS);

	km_jw_array(w);
	while (km_db_row(h, st))
		write_failures(w, st);
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
