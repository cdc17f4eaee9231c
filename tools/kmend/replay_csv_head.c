// SPDX-License-Identifier: Apache-2.0
/* What the columns of a file are. */
#include <math.h>
#include <strings.h>

#include "base/text.h"
#include "replay_csv.h"

static const char *const time_names[] = { "time", "timestamp", "t",        "t_s",
	                                  "ts",   "date",      "datetime", NULL };

static bool numeric(const char *cell)
{
	double v;
	enum km_csv_kind kind = km_csv_number(cell, &v);

	return kind == KM_CSV_NUMBER || kind == KM_CSV_INFINITE;
}

/* A record of numbers only is no header. */
static bool is_data(const struct km_csv_record *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (!numeric(r->cell[i]))
			return false;
	return true;
}

static bool named_time(const char *name)
{
	for (size_t i = 0; time_names[i]; i++)
		if (strcasecmp(name, time_names[i]) == 0)
			return true;
	return false;
}

static void name_columns(struct km_csv_run *run, const struct km_csv_record *first, bool data)
{
	run->time_column = -1;
	for (size_t i = 0; i < run->columns; i++) {
		struct km_csv_column *c = &run->column[i];

		c->limit = -1;
		c->used = true;
		if (data)
			snprintf(c->name, sizeof(c->name), "c%zu", i + 1);
		else
			km_copy(c->name, sizeof(c->name), first->cell[i]);
		if (run->time_column < 0 && named_time(c->name)) {
			run->time_column = (ssize_t)i;
			c->used = false;
		}
	}
}

static struct km_csv_column *find(struct km_csv_run *run, const char *name, size_t len)
{
	for (size_t i = 0; i < run->columns; i++)
		if (strlen(run->column[i].name) == len &&
		    strncmp(run->column[i].name, name, len) == 0 && run->column[i].used)
			return &run->column[i];
	return NULL;
}

static int no_column(struct km_csv_run *run, const char *name)
{
	const char *names[KM_CSV_COLUMNS_MAX + 1] = { NULL };
	const char *near;

	for (size_t i = 0; i < run->columns; i++)
		names[i] = run->column[i].name;
	near = km_text_nearest(name, names);
	if (!near)
		near = run->columns > 1 ? names[1] : names[0];
	return km_say(run->cli, KM_EXIT_FAILED,
	              "columns are called as in the first line, or c1, c2, ...",
	              "%s has no column %s that has a limit; there is %s", run->file, name, near);
}

/* COLUMN=VALUE; a name may have a = in it, a value has none. */
static int put_limit(struct km_csv_run *run, const char *text)
{
	const char *equals = strrchr(text, '=');
	struct km_csv_column *c;
	char name[KM_NAME_MAX];
	double v;

	if (!equals || km_csv_number(equals + 1, &v) != KM_CSV_NUMBER || !(v > 0))
		return km_say(run->cli, KM_EXIT_USAGE, "as in --limit mem_pct=100",
		              "--limit %s is not COLUMN=VALUE with a value above 0", text);
	c = find(run, text, (size_t)(equals - text));
	if (!c) {
		snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
		return no_column(run, name);
	}
	if (c->series)
		return km_say(run->cli, KM_EXIT_USAGE, NULL, "column %s has two limits", c->name);
	c->series = calloc(1, km_series_size());
	if (!c->series)
		return km_say(run->cli, KM_EXIT_FAILED, NULL, "out of memory");
	c->limit = v;
	return 0;
}

int km_csv_head(struct km_csv_run *run, const struct km_csv_record *first, bool *ret_data)
{
	bool data = is_data(first);
	int r = 0;

	run->columns = first->count;
	run->column = calloc(run->columns, sizeof(*run->column));
	run->value = calloc(run->columns, sizeof(*run->value));
	run->metric = calloc(run->columns, sizeof(*run->metric));
	if (!run->column || !run->value || !run->metric)
		return km_say(run->cli, KM_EXIT_FAILED, NULL, "out of memory");
	name_columns(run, first, data);
	for (size_t i = 0; i < run->limits->count && r == 0; i++)
		r = put_limit(run, run->limits->value[i]);
	*ret_data = data;
	return r;
}
