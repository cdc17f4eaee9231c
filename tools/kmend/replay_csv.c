// SPDX-License-Identifier: Apache-2.0
/* kmend replay --csv: any exported history through phases 4 and 5, row by row, as it would have
 * been seen: nothing that is said of a row knows a later one. */
#include "replay_csv.h"

#include <fcntl.h>
#include <math.h>

/* One row said: a forecast for each column that may have a limit. */
#define LINE_MAX_BYTES (256 * 1024)
/* A clock that was set back is a matter of once or twice a year; a file that is not in order goes
 * back all the time. */
#define BACK_MAX 16
/* Exhaustion further away than this is not forecast, as in the daemon. */
#define HORIZON_NS (24 * 3600 * KM_NS_PER_S)

static void run_clear(struct km_csv_run *run)
{
	for (size_t i = 0; i < run->columns && run->column; i++) {
		free(run->column[i].series);
		free(run->column[i].kept);
	}
	free(run->column);
	free(run->value);
	free(run->metric);
	km_csv_free(run->csv);
	km_predict_free(run->predict);
	km_buf_free(run->line);
}

static int bad_record(struct km_csv_run *run, int r)
{
	const char *what = r == -EBADMSG ? "a quote that does not end, or a NUL"
	                   : r == -E2BIG ? "a longer line or more columns than kmend reads"
	                                 : strerror(-r);

	return km_say(run->cli, KM_EXIT_FAILED, NULL, "%s:%llu: %s", run->file,
	              (unsigned long long)km_csv_line(run->csv), what);
}

static int bad_cell(struct km_csv_run *run, size_t i, const char *cell, const char *what)
{
	return km_say(run->cli, KM_EXIT_FAILED, NULL, "%s:%llu: column %s: %.40s: %s", run->file,
	              (unsigned long long)run->line_no, run->column[i].name, cell, what);
}

/* Without a name that says so, a first column of dates is the time. One without a name and of
 * numbers is an index. */
static int learn_time(struct km_csv_run *run, const struct km_csv_record *r)
{
	struct km_csv_column *first = &run->column[0];
	double v;
	uint64_t t;

	if (run->time_column < 0 && km_csv_number(r->cell[0], &v) == KM_CSV_TEXT &&
	    km_csv_time(r->cell[0], &t) == 0) {
		run->time_column = 0;
		first->used = false;
	}
	if (!first->name[0])
		first->used = false;
	if (run->time_column >= 0 || run->interval_ns)
		return 0;
	return km_say(run->cli, KM_EXIT_USAGE,
	              "say how many seconds lie between rows: --interval S",
	              "%s has no column of times", run->file);
}

/* The clock was set back: time goes on from the row before. */
static int gone_back(struct km_csv_run *run, uint64_t t_ns)
{
	if (!run->notes.back++)
		run->notes.back_line = run->line_no;
	if (run->notes.back > BACK_MAX)
		return km_say(run->cli, KM_EXIT_FAILED, "sort it by time",
		              "%s:%llu: time goes back, as %u times before", run->file,
		              (unsigned long long)run->line_no, BACK_MAX);
	run->back_ns = run->t_ns + run->step_ns - t_ns;
	return 0;
}

static int row_time(struct km_csv_run *run, const struct km_csv_record *r)
{
	size_t i = (size_t)run->time_column;
	uint64_t t_ns;
	int k;

	if (run->time_column < 0) {
		run->t_ns = run->rows * run->interval_ns;
		return 0;
	}
	k = km_csv_time(r->cell[i], &t_ns);
	if (k < 0)
		return bad_cell(run, i, r->cell[i],
		                k == -EINVAL ? "no time" : "a time before 0 or too far off");
	if (run->rows && t_ns + run->back_ns < run->t_ns) {
		k = gone_back(run, t_ns);
		if (k)
			return k;
	}
	t_ns += run->back_ns;
	if (run->rows && t_ns == run->t_ns)
		run->notes.duplicates++;
	else if (run->rows)
		run->step_ns = t_ns - run->t_ns;
	run->t_ns = t_ns;
	return 0;
}

static int row_value(struct km_csv_run *run, const struct km_csv_record *r, size_t i)
{
	struct km_csv_column *c = &run->column[i];
	enum km_csv_kind kind;

	run->value[i] = NAN;
	if (!c->used)
		return 0;
	kind = km_csv_number(r->cell[i], &run->value[i]);
	if (kind == KM_CSV_TEXT && c->seen)
		return bad_cell(run, i, r->cell[i], "no number, as there were before");
	if (kind == KM_CSV_TEXT && c->series)
		return bad_cell(run, i, r->cell[i], "no number, and only numbers have a limit");
	if (kind == KM_CSV_TEXT)
		c->used = false;
	c->seen |= kind != KM_CSV_MISSING;
	run->notes.infinite += kind == KM_CSV_INFINITE;
	return 0;
}

static int read_row(struct km_csv_run *run, const struct km_csv_record *r)
{
	int k = 0;

	run->line_no = r->line;
	if (r->count != run->columns)
		return km_say(run->cli, KM_EXIT_FAILED, NULL,
		              "%s:%llu: %zu cells, the first line has %zu", run->file,
		              (unsigned long long)r->line, r->count, run->columns);
	if (run->rows == 0)
		k = learn_time(run, r);
	if (k == 0)
		k = row_time(run, r);
	if (run->rows == 0)
		run->first_ns = run->t_ns;
	for (size_t i = 0; i < run->columns && k == 0; i++)
		k = row_value(run, r, i);
	return k;
}

/* A column with a limit is a resource of an entity of its own: what one of them says does not
 * depend on which others are there. */
static int forecast_column(struct km_csv_run *run, size_t i)
{
	const struct km_service entity = { .id = i + 1, .state = KM_SERVICE_UP };
	struct km_csv_column *c = &run->column[i];
	struct km_features features = { .service_id = entity.id, .limit = -1 };
	struct km_predict_input in = {
		.now_ns = run->t_ns,
		.horizon_ns = HORIZON_NS,
		.service = &entity,
		.features[KM_MEMORY] = &features,
	};
	int r;

	if (!isnan(run->value[i])) {
		r = km_series_add(c->series, run->t_ns, run->value[i], c->limit);
		if (r < 0)
			return r;
		run->notes.over += !c->over && run->value[i] >= c->limit;
		c->over |= run->value[i] >= c->limit;
	}
	km_series_features(c->series, &features);
	r = km_predict_service(run->predict, &in);
	return r < 0 ? r : 0;
}

static void judge_row(struct km_csv_run *run)
{
	for (size_t i = 0; i < run->columns; i++)
		km_anomaly_metric_add(&run->metric[i], run->value[i]);
	run->judgement = km_anomaly_judge(&run->anomaly, run->t_ns, run->t_ns / KM_NS_PER_S,
	                                  run->metric, (uint32_t)run->columns);
}

static int on_row(struct km_csv_run *run, const struct km_csv_record *record)
{
	int k = read_row(run, record), r = 0;

	if (k)
		return k;
	for (size_t i = 0; i < run->columns && r == 0; i++)
		if (run->column[i].series)
			r = forecast_column(run, i);
	if (r == 0) {
		judge_row(run);
		r = run->explain ? km_csv_keep_row(run) : km_csv_say_row(run);
	}
	if (r < 0)
		return km_say(run->cli, KM_EXIT_FAILED, NULL, "%s:%llu: %s", run->file,
		              (unsigned long long)run->line_no, strerror(-r));
	run->rows++;
	return 0;
}

static int read_all(struct km_csv_run *run)
{
	struct km_csv_record record;
	bool data = false;
	int r = km_csv_next(run->csv, &record), k = 0;

	if (r == 0)
		return km_say(run->cli, KM_EXIT_FAILED, NULL, "%s is empty", run->file);
	if (r > 0)
		k = km_csv_head(run, &record, &data);
	if (r > 0 && k == 0 && data)
		k = on_row(run, &record);
	while (r > 0 && k == 0 && run->rows <= run->last_row &&
	       (r = km_csv_next(run->csv, &record)) > 0)
		k = on_row(run, &record);
	return r < 0 ? bad_record(run, r) : k;
}

/* "10", "0.5": seconds above 0 and no longer than a day. */
static int interval(struct km_csv_run *run, const char *text)
{
	double s;

	if (!text)
		return 0;
	if (km_csv_number(text, &s) != KM_CSV_NUMBER || !(s >= 1e-3 && s <= 86400))
		return km_say(run->cli, KM_EXIT_USAGE, NULL,
		              "--interval %s is not a number of seconds from 0.001 to 86400", text);
	run->interval_ns = (uint64_t)(s * (double)KM_NS_PER_S + 0.5);
	return 0;
}

/* WORDS are parsed. Exit code. */
static int replay_file(struct km_csv_run *run, const struct km_word *words)
{
	km_autoclose int fd = -1;
	int k = interval(run, km_word(words, "--interval"));

	if (k)
		return k;
	run->file = km_word(words, "--csv");
	run->step_ns = KM_NS_PER_S;
	fd = open(run->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return km_say(run->cli, KM_EXIT_FAILED, NULL, "cannot open %s: %s", run->file,
		              strerror(errno));
	if (km_csv_new(fd, &run->csv) < 0 || km_predict_new(&run->predict) < 0 ||
	    km_buf_new(LINE_MAX_BYTES, &run->line) < 0)
		return km_say(run->cli, KM_EXIT_FAILED, NULL, "out of memory");
	return read_all(run);
}

int km_cmd_replay_csv(struct km_cli *cli, int argc, char **argv)
{
	struct km_word_list limits = { 0 };
	struct km_word words[] = {
		{ .name = "--csv", .required = true },
		{ .name = "--interval" },
		{ .name = "--limit", .kind = KM_WORD_LIST, .list = &limits },
		{ 0 },
	};
	km_autofree(run_clear) struct km_csv_run run = { .cli = cli,
		                                         .limits = &limits,
		                                         .last_row = UINT64_MAX };
	int k = km_words(cli, argc, argv, words);

	if (k == 0)
		k = replay_file(&run, words);
	if (k == 0)
		km_csv_say_end(&run);
	return k;
}

int km_cmd_explain_csv(struct km_cli *cli, int argc, char **argv)
{
	struct km_word_list limits = { 0 };
	struct km_word words[] = {
		{ .name = "--csv", .required = true },
		{ .name = "--interval" },
		{ .name = "--limit", .kind = KM_WORD_LIST, .required = true, .list = &limits },
		{ .name = "--row", .kind = KM_WORD_COUNT },
		{ 0 },
	};
	km_autofree(run_clear) struct km_csv_run run = {
		.cli = cli, .limits = &limits, .explain = true, .last_row = UINT64_MAX
	};
	int k = km_words(cli, argc, argv, words);

	if (k)
		return k;
	if (km_word(words, "--row"))
		km_word_u64(km_word(words, "--row"), &run.last_row);
	k = replay_file(&run, words);
	return k ? k : km_csv_explain(&run);
}
