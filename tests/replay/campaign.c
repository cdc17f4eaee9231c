// SPDX-License-Identifier: Apache-2.0
/* Real faults in real services, recorded (tests/campaign): what the predictors make of them today.
 * Beside each trace stands what happened: a line an entity, with the clock of the trace. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/fs.h"
#include "campaign/scale.h"
#include "pipeline/pipeline.h"
#include "record/trace.h"

#define DIR_PATH "tests/fixtures/campaign"
/* A minute of the recording is an hour. */
#define FACTOR   60
#define LEAD_S   15.0
#define ROWS_MAX 256

struct fact {
	char entity[KM_NAME_MAX], resource[32];
	double healthy_s;  /* until then nothing was wrong with it */
	double failed_s;   /* 0: it never failed */
	double first_s[2]; /* likely exhaustion was said: of RESOURCE, of anything while healthy */
};

struct facts {
	struct fact row[ROWS_MAX];
	size_t count;
	uint64_t base_ns;
};

/* "entity resource healthy_s failed_s" */
static void read_fact(char *line, struct fact *ret)
{
	char *save = NULL, *word[4], *end;

	for (size_t i = 0; i < KM_ARRAY_SIZE(word); i++) {
		word[i] = strtok_r(i ? NULL : line, " \n", &save);
		assert_non_null(word[i]);
	}
	memset(ret, 0, sizeof(*ret));
	km_copy(ret->entity, sizeof(ret->entity), word[0]);
	km_copy(ret->resource, sizeof(ret->resource), word[1]);
	ret->healthy_s = strtod(word[2], &end);
	assert_string_equal(end, "");
	ret->failed_s = strtod(word[3], &end);
	assert_string_equal(end, "");
}

/* TRACE: the name of the file that they stand beside. */
static void read_facts(const char *trace, struct facts *ret)
{
	char path[512], line[512];
	FILE *f;

	snprintf(path, sizeof(path), DIR_PATH "/%.*s.facts", (int)strlen(trace) - 6, trace);
	f = fopen(path, "re");
	assert_non_null(f);
	ret->count = 0;
	while (fgets(line, sizeof(line), f)) {
		if (*line == '#')
			continue;
		assert_true(ret->count < ROWS_MAX);
		read_fact(line, &ret->row[ret->count++]);
	}
	fclose(f);
}

static void note(struct facts *facts, const struct km_output *o)
{
	const struct km_forecast *f = o->kind == KM_OUT_FORECAST ? o->forecast : NULL;
	double t_s = ((double)facts->base_ns + (double)(o->t_ns - facts->base_ns) / FACTOR) / 1e9;

	if (!f || f->kind != KM_EXHAUSTION || f->why || f->p < 0.5 || !o->service)
		return;
	for (size_t i = 0; i < facts->count; i++) {
		struct fact *r = &facts->row[i];

		if (strcmp(r->entity, o->service->name) != 0)
			continue;
		if (t_s < r->healthy_s && !r->first_s[1])
			r->first_s[1] = t_s;
		if (!strcmp(r->resource, km_resource_names[f->resource]) && !r->first_s[0])
			r->first_s[0] = t_s;
	}
}

static void replay(const char *path, struct facts *facts)
{
	km_autofree(km_trace_reader_freep) struct km_trace_reader *r = NULL;
	km_autofree(km_pipeline_freep) struct km_pipeline *p = NULL;
	km_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	static uint64_t room[KM_RAW_MAX / 8];
	const struct km_output *o;
	const void *raw;
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_equal(km_trace_reader_new(fd, &r), 0);
	assert_int_equal(km_pipeline_new(&p), 0);
	facts->base_ns = 0;
	while ((n = km_trace_next(r, &raw)) > 0) {
		if (((const struct kmend_hdr *)raw)->type == KM_RAW_SAID)
			continue;
		memcpy(room, raw, (size_t)n);
		campaign_scale(room, &facts->base_ns, FACTOR);
		km_pipeline_feed(p, room, (size_t)n);
		while ((o = km_pipeline_next(p)))
			note(facts, o);
	}
	assert_int_equal(n, 0);
}

static void each(void (*look)(const struct fact *r))
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	km_autoclose int dir = open(DIR_PATH, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static struct facts facts;

	assert_true(dir >= 0);
	assert_int_equal(km_fs_list(dir, ".trace", 1000, &names), 0);
	assert_non_null(names[0]);
	for (size_t i = 0; names[i]; i++) {
		char path[512];

		snprintf(path, sizeof(path), DIR_PATH "/%s", names[i]);
		read_facts(names[i], &facts);
		replay(path, &facts);
		for (size_t k = 0; k < facts.count; k++)
			look(&facts.row[k]);
	}
}

static void in_time(const struct fact *r)
{
	if (!r->failed_s)
		return;
	if (r->first_s[0] && r->first_s[0] <= r->failed_s - LEAD_S)
		return;
	fail_msg("%s: %s failed at %.1f, was forecast at %.1f", r->entity, r->resource, r->failed_s,
	         r->first_s[0]);
}

static void silent(const struct fact *r)
{
	if (r->first_s[1])
		fail_msg("%s: a forecast at %.1f, it was well until %.1f", r->entity, r->first_s[1],
		         r->healthy_s);
}

static void every_recorded_leak_is_forecast_a_quarter_of_an_hour_before(void **state)
{
	(void)state;
	each(in_time);
}

static void nothing_is_forecast_while_nothing_is_wrong(void **state)
{
	(void)state;
	each(silent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_recorded_leak_is_forecast_a_quarter_of_an_hour_before),
		cmocka_unit_test(nothing_is_forecast_while_nothing_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
