// SPDX-License-Identifier: Apache-2.0
/* What a replayed row brought: one JSON object each, or for people only what changed. */
#include <inttypes.h>
#include <math.h>
#include <time.h>

#include "base/text.h"
#include "replay_csv.h"

/* Earlier times are seconds since the beginning of something, not dates. */
#define DATES_FROM_NS (100000000 * KM_NS_PER_S)
/* Columns that say less of an anomaly are not named to people. */
#define SHARE_SAID 0.05F

const struct km_forecast *km_csv_forecast(const struct km_csv_run *run, size_t i)
{
	const struct km_forecast *f;

	if (!run->column[i].series)
		return NULL;
	f = km_predict_get(run->predict, i + 1, KM_EXHAUSTION, KM_MEMORY);
	return f && f->why == KM_WHY_NONE ? f : NULL;
}

/* A forecast is of the time it was made at; rows without evidence let time pass. */
static double left(const struct km_csv_run *run, const struct km_forecast *f, double eta_s)
{
	return fmax(eta_s - (double)(run->t_ns - f->t_ns) / (double)KM_NS_PER_S, 0);
}

static void write_forecasts(struct km_csv_run *run, struct km_json_writer *w)
{
	const struct km_forecast *f;

	km_jw_key(w, "forecasts");
	km_jw_array(w);
	for (size_t i = 0; i < run->columns; i++) {
		f = km_csv_forecast(run, i);
		if (!f)
			continue;
		km_jw_object(w);
		km_jw_kstring(w, "metric", run->column[i].name);
		km_jw_kdouble(w, "eta_s", left(run, f, f->eta_s));
		km_jw_kdouble(w, "eta_lo_s", left(run, f, f->eta_lo_s));
		km_jw_kdouble(w, "eta_hi_s", left(run, f, f->eta_hi_s));
		km_jw_kdouble(w, "p", f->p);
		km_jw_end_object(w);
	}
	km_jw_end_array(w);
}

/* Which columns an alarm is about. */
static void write_parts(struct km_csv_run *run, struct km_json_writer *w)
{
	const struct km_anomaly_verdict *v = run->judgement;

	km_jw_key(w, "contributions");
	km_jw_array(w);
	for (uint32_t i = 0; i < v->parts; i++) {
		km_jw_object(w);
		km_jw_kstring(w, "metric", run->column[v->part[i].metric].name);
		km_jw_kdouble(w, "share", floor((double)v->part[i].share * 1000 + 0.5) / 1000);
		km_jw_end_object(w);
	}
	km_jw_end_array(w);
}

static int write_row(struct km_csv_run *run)
{
	struct km_json_writer w;

	km_buf_reset(run->line);
	km_jw_init(&w, run->line, run->cli->format == KM_PRETTY);
	km_jw_object(&w);
	km_jw_ku64(&w, "row", run->rows);
	km_jw_kdouble(&w, "score", run->judgement->score);
	km_jw_kbool(&w, "alarm", run->judgement->alarm);
	if (run->judgement->alarm)
		write_parts(run, &w);
	write_forecasts(run, &w);
	km_jw_end_object(&w);
	km_buf_add(run->line, "\n", 1);
	if (km_buf_error(run->line) < 0)
		return km_buf_error(run->line);
	return fwrite(run->line->data, 1, run->line->len, run->cli->out) == run->line->len ? 0
	                                                                                   : -EIO;
}

static void say_time(struct km_csv_run *run)
{
	char text[32];
	time_t t = (time_t)(run->t_ns / KM_NS_PER_S);
	struct tm tm;

	if (run->t_ns < DATES_FROM_NS) {
		fprintf(run->cli->out, "%14.3f s     ", (double)run->t_ns / (double)KM_NS_PER_S);
		return;
	}
	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(run->cli->out, "%s  ", text);
}

static const char *duration(double s, char *out, size_t size)
{
	return km_text_duration((uint64_t)(s * (double)KM_NS_PER_S), out, size);
}

static void say_forecast(struct km_csv_run *run, size_t i, const struct km_forecast *f)
{
	char name[KM_NAME_MAX * 2], in[32], lo[32], hi[32];

	km_text_escape(run->column[i].name, name, sizeof(name));
	say_time(run);
	if (f->why != KM_WHY_NONE) {
		fprintf(run->cli->out, "%s: taken back: %s\n", name, km_no_forecast_names[f->why]);
		return;
	}
	fprintf(run->cli->out, "%s: %.4g, meets %.4g in %s (%s to %s), p %.2f\n", name, f->level,
	        f->limit, duration(f->eta_s, in, sizeof(in)), duration(f->eta_lo_s, lo, sizeof(lo)),
	        duration(f->eta_hi_s, hi, sizeof(hi)), f->p);
}

static void say_parts(struct km_csv_run *run)
{
	const struct km_anomaly_verdict *v = run->judgement;
	char name[KM_NAME_MAX * 2];

	for (uint32_t i = 0; i < v->parts && v->part[i].share >= SHARE_SAID; i++) {
		km_text_escape(run->column[v->part[i].metric].name, name, sizeof(name));
		fprintf(run->cli->out, "%s %s %.0f %%", i ? "," : ":", name,
		        (double)v->part[i].share * 100);
	}
	fputs("\n", run->cli->out);
}

static void say_alarm(struct km_csv_run *run)
{
	if (run->judgement->alarm == run->in_alarm)
		return;
	say_time(run);
	if (!run->judgement->alarm) {
		fputs("anomaly is over\n", run->cli->out);
		return;
	}
	fprintf(run->cli->out, "anomaly, score %.2f", run->judgement->score);
	say_parts(run);
}

int km_csv_say_row(struct km_csv_run *run)
{
	for (size_t i = 0; i < run->columns; i++) {
		const struct km_forecast *f;

		if (!run->column[i].series)
			continue;
		f = km_predict_get(run->predict, i + 1, KM_EXHAUSTION, KM_MEMORY);
		if (!f || f->change == KM_SAME)
			continue;
		run->forecasts += f->change == KM_APPEARED;
		if (run->cli->format == KM_PLAIN)
			say_forecast(run, i, f);
	}
	if (run->cli->format == KM_PLAIN)
		say_alarm(run);
	run->alarms += run->judgement->alarm && !run->in_alarm;
	run->in_alarm = run->judgement->alarm;
	return run->cli->format == KM_PLAIN ? 0 : write_row(run);
}

static void note(struct km_csv_run *run, uint64_t count, const char *what)
{
	if (count)
		fprintf(run->cli->err, "note: %" PRIu64 " %s\n", count, what);
}

void km_csv_say_end(struct km_csv_run *run)
{
	const struct km_csv_notes *n = &run->notes;
	size_t used = 0, limited = 0;
	char span[32];

	for (size_t i = 0; i < run->columns; i++) {
		used += run->column[i].used;
		limited += run->column[i].series != NULL;
	}
	if (run->cli->format == KM_PLAIN)
		fprintf(run->cli->out,
		        "%" PRIu64 " rows over %s, %zu columns, %zu with a limit: %" PRIu64
		        " forecasts, %" PRIu64 " anomalies\n",
		        run->rows, km_text_duration(run->t_ns - run->first_ns, span, sizeof(span)),
		        used, limited, run->forecasts, run->alarms);
	note(run, n->duplicates, "rows have the time of the row before and do not count");
	note(run, n->infinite, "cells are infinite and count as missing");
	note(run, n->over, "columns reach the limit that was given");
	if (n->back)
		fprintf(run->cli->err,
		        "note: the clock goes back %" PRIu64 " times, first in line %" PRIu64
		        "; time goes on from there\n",
		        n->back, n->back_line);
}
