// SPDX-License-Identifier: Apache-2.0
#include "past.h"

#include <time.h>

#include "base/text.h"

#define PROGRESS_NS (100 * KM_NS_PER_MS)

int km_past_take(int argc, char **argv, struct km_past *ret)
{
	int from = 0, to, n;

	while (from < argc && strcmp(argv[from], "--trace") != 0)
		from++;
	for (to = from + 1; to < argc && strncmp(argv[to], "--", 2) != 0;)
		to++;
	if (from == argc)
		return argc;
	n = to - from - 1;
	ret->count = (size_t)n;
	ret->traces = calloc((size_t)n + 1, sizeof(*ret->traces));
	for (int i = 0; ret->traces && i < n; i++)
		ret->traces[i] = argv[from + 1 + i];
	memmove(&argv[from], &argv[to], (size_t)(argc - to) * sizeof(*argv));
	return argc - (to - from);
}

void km_past_clear(struct km_past *p)
{
	km_source_free(p->source);
	km_since_clear(&p->own);
	free(p->traces);
}

bool km_past_is_said(const struct km_past *p, const struct km_word *words)
{
	return !p->count != !km_word(words, "--since");
}

int km_past_open(struct km_past *p, const struct km_word *words, struct km_error *err)
{
	const char *since = km_word(words, "--since");
	int r = since ? km_since_find(since, km_word(words, "--state"), err, &p->own) : 0;

	if (r < 0)
		return r;
	return km_source_new_traces(since ? p->own.path : p->traces,
	                            since ? p->own.count : p->count, &p->source);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * KM_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* "[####      ]  42 %"; over: the line is left empty. */
static void show(struct km_cli *cli, const struct km_source *s, bool over)
{
	static const char full[] = "##############################";
	double done = km_source_progress(s);

	if (over)
		fprintf(cli->err, "\r%40s\r", "");
	else
		fprintf(cli->err, "\r[%-30.*s] %3.0f %%", (int)(done * (double)(sizeof(full) - 1)),
		        full, 100 * done);
}

ssize_t km_past_next(struct km_past *p, struct km_cli *cli, struct km_error *err, const void **ret,
                     bool *begins)
{
	ssize_t n = km_source_next(p->source, err, ret, begins);

	if (!isatty(fileno(cli->err)))
		return n;
	if (n <= 0) {
		show(cli, p->source, true);
	} else if (p->records++ % 4096 == 0 && now_ns() - p->shown_ns > PROGRESS_NS) {
		p->shown_ns = now_ns();
		show(cli, p->source, false);
	}
	return n;
}

static uint64_t covered_ns(const struct km_past *p)
{
	uint64_t ns = km_source_covered_ns(p->source);

	return ns < p->own.asked_ns ? ns : p->own.asked_ns;
}

void km_past_print(const struct km_past *p, struct km_cli *cli)
{
	char covered[32], asked[32];

	if (p->own.asked_ns)
		fprintf(cli->out, "%s of the last %s was recorded: nothing is known of the rest\n",
		        km_text_duration(covered_ns(p), covered, sizeof(covered)),
		        km_text_duration(p->own.asked_ns, asked, sizeof(asked)));
}

void km_past_write(const struct km_past *p, struct km_json_writer *w)
{
	if (!p->own.asked_ns)
		return;
	km_jw_ku64(w, "asked_ns", p->own.asked_ns);
	km_jw_ku64(w, "covered_ns", covered_ns(p));
}
