// SPDX-License-Identifier: Apache-2.0
/* kmend history import: what other tools have recorded, as a file for `kmend replay --csv`. */
#include <fcntl.h>
#include <time.h>

#include "base/fs.h"
#include "base/text.h"
#include "cli.h"
#include "prometheus.h"

/* What one answer may hold is bytes; with fewer series more points of each fit. */
#define POINTS_FIRST 2000
#define SINCE        "1d"
#define STEP         "15s"
#define TOKEN_MAX    4096

struct import {
	struct km_cli *cli;
	struct km_matrix m;
	struct km_prometheus *server;
	const char *output;
	struct km_buf *token; /* owned; NULL: none */
};

static void import_clear(struct import *im)
{
	km_matrix_clear(&im->m);
	km_prometheus_free(im->server);
	km_buf_free(im->token);
}

/* The grid from --since, --until and --step. Exit code. */
static int make_grid(struct import *im, const struct km_word *words)
{
	const char *since = km_word(words, "--since"), *until = km_word(words, "--until");
	const char *step = km_word(words, "--step");
	uint64_t since_ns, until_ns, step_ns;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	until_ns = (uint64_t)now.tv_sec * KM_NS_PER_S;
	if (until && km_csv_time(until, &until_ns) < 0)
		return km_say(im->cli, KM_EXIT_USAGE, "as in 2026-05-01T00:00:00Z",
		              "--until %s is no time", until);
	if (km_parse_duration(since ? since : SINCE, &since_ns) < 0 || since_ns > until_ns)
		return km_say(im->cli, KM_EXIT_USAGE, "as in --since 7d",
		              "--since %s is no duration", since);
	if (km_parse_duration(step ? step : STEP, &step_ns) < 0 || step_ns < KM_NS_PER_MS)
		return km_say(im->cli, KM_EXIT_USAGE, "as in --step 15s",
		              "--step %s is no duration of at least 1ms", step);
	im->m.step_ms = (int64_t)(step_ns / KM_NS_PER_MS);
	im->m.from_ms = (int64_t)((until_ns - since_ns) / KM_NS_PER_MS);
	im->m.rows = since_ns / step_ns + 1;
	if (im->m.rows > KM_MATRIX_CELLS_MAX)
		return km_say(im->cli, KM_EXIT_USAGE, "take a larger --step",
		              "%zu steps are more than kmend keeps", im->m.rows);
	return 0;
}

static int read_token(struct import *im, const char *path)
{
	struct km_error err;
	char line[2048];
	int r = path ? km_fs_read_trusted(AT_FDCWD, path, TOKEN_MAX, &err, &im->token) : 0;

	if (r < 0)
		return km_say(im->cli, KM_EXIT_FAILED, NULL, "%s",
		              km_error_format(&err, line, sizeof(line)));
	if (im->token)
		im->token->data[strcspn(km_buf_text(im->token), "\r\n")] = '\0';
	return 0;
}

static void progress(const struct import *im, double done)
{
	if (isatty(fileno(im->cli->err)))
		fprintf(im->cli->err, "\r%3.0f %%%s", 100 * done, done < 1 ? "" : "\r     \r");
}

static int refused(struct import *im, int r, const struct km_error *err)
{
	char line[2048];

	if (r == -EBADMSG || r == -EIO)
		return km_say(im->cli, KM_EXIT_FAILED, NULL, "%s",
		              km_error_format(err, line, sizeof(line)));
	if (r == -E2BIG || r == -EFBIG)
		return km_say(im->cli, KM_EXIT_FAILED, "select fewer series, or take a larger step",
		              "the query has more series than kmend reads");
	return km_say(im->cli, KM_EXIT_FAILED, NULL, "%s", strerror(-r));
}

/* All rows of one query, so many at a time as fit into an answer. DONE is the share of the queries
 * before this one, SHARE that of one. */
static int import_query(struct import *im, const char *query, double done, double share)
{
	size_t points = POINTS_FIRST, n;
	struct km_error err;
	int r;

	for (size_t row = 0; row < im->m.rows; row += n) {
		n = im->m.rows - row < points ? im->m.rows - row : points;
		r = km_prometheus_get(im->server, query, row, n, &im->m, &err);
		if (r == -EFBIG && n > 1) {
			points = n / 2;
			n = 0;
		} else if (r < 0) {
			return refused(im, r, &err);
		} else if (points < KM_PROMETHEUS_POINTS_MAX / 2) {
			points += points / 4;
		}
		progress(im, done + share * (double)(row + n) / (double)im->m.rows);
	}
	return 0;
}

static int write_file(struct import *im)
{
	FILE *out = im->output ? fopen(im->output, "wxe") : im->cli->out;
	int r = out ? km_matrix_write(&im->m, out) : -errno;

	if (out && im->output && fclose(out) != 0 && r == 0)
		r = -errno;
	if (r < 0)
		return km_say(im->cli, KM_EXIT_FAILED, NULL, "cannot write %s: %s",
		              im->output ? im->output : "the history", strerror(-r));
	if (im->output)
		fprintf(im->cli->err, "%zu series of up to %zu rows in %s\n", im->m.count,
		        im->m.rows, im->output);
	return 0;
}

static int import(struct km_cli *cli, int argc, char **argv)
{
	struct km_word_list queries = { 0 };
	struct km_word words[] = {
		{ .name = "--url", .required = true },
		{ .name = "--query", .kind = KM_WORD_LIST, .required = true, .list = &queries },
		{ .name = "--since" },
		{ .name = "--until" },
		{ .name = "--step" },
		{ .name = "--token-file" },
		{ .name = "--output" },
		{ 0 },
	};
	km_autofree(import_clear) struct import im = { .cli = cli };
	int k = km_words(cli, argc, argv, words), r;

	if (k == 0)
		k = make_grid(&im, words);
	if (k == 0)
		k = read_token(&im, km_word(words, "--token-file"));
	if (k)
		return k;
	im.output = km_word(words, "--output");
	r = km_prometheus_new(km_word(words, "--url"), im.token ? km_buf_text(im.token) : NULL,
	                      &im.server);
	if (r < 0)
		return km_say(cli, KM_EXIT_FAILED, r == -ENOENT ? "install libcurl4" : NULL,
		              "no HTTP: %s", strerror(-r));
	for (size_t i = 0; i < queries.count && k == 0; i++)
		k = import_query(&im, queries.value[i], (double)i / (double)queries.count,
		                 1 / (double)queries.count);
	progress(&im, 1);
	if (k == 0 && im.m.count == 0)
		return km_say(cli, KM_EXIT_FAILED, "try the query in the server's own page",
		              "the server has nothing for that time");
	return k ? k : write_file(&im);
}

const struct km_cmd km_history_cmds[] = {
	{ "import", import,
	  "--url URL --query PROMQL... [--since 1d] [--until TIME] [--step 15s] [--token-file "
	  "FILE] "
	  "[--output FILE]",
	  "a Prometheus server's history as CSV, for kmend replay --csv" },
	{ 0 },
};
