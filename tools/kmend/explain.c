/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of one incident as text: each link with its time, and below it what it stands on. With
 * --replay the stored evidence goes through the pipeline again. */
#include <sys/mman.h>

#include "base/text.h"
#include "explain.h"
#include "replay.h"

static const struct km_column time_cell = { "", "realtime_ms", KM_CELL_TIME };
static const struct km_column whole_cell = { "", "", KM_CELL_TEXT };

static const struct km_column forecast_rows[] = {
	{ "    probability", "p", KM_CELL_PERCENT },
	{ "    calibrated", "calibrated", KM_CELL_TEXT },
	{ "    earliest", "eta_lo_s", KM_CELL_SECONDS },
	{ "    latest", "eta_hi_s", KM_CELL_SECONDS },
	{ "    level", "level", KM_CELL_TEXT },
	{ "    limit", "limit", KM_CELL_TEXT },
	{ "    process", "pid", KM_CELL_PID },
	{ "    predictor", "predictor", KM_CELL_TEXT },
	{ "    slope per second", "evidence.slope_per_s", KM_CELL_TEXT },
	{ "    standard error", "evidence.slope_error", KM_CELL_TEXT },
	{ "    noise", "evidence.noise", KM_CELL_TEXT },
	{ "    samples", "evidence.samples", KM_CELL_TEXT },
	{ "    ends counted", "evidence.ends", KM_CELL_TEXT },
	{ "    looked at", "evidence.span_s", KM_CELL_SECONDS },
	{ 0 },
};

static const struct km_column decision_rows[] = {
	{ "    rule", "rule", KM_CELL_TEXT },
	{ "    line that spoke", "line", KM_CELL_TEXT },
	{ "    event", "event", KM_CELL_TEXT },
	{ "    main process", "tgid", KM_CELL_PID },
	{ "    ended by signal of", "ending.sender_comm", KM_CELL_TEXT },
	{ "    sender", "ending.sender_tgid", KM_CELL_PID },
	{ "    guards passed", "passed", KM_CELL_LIST },
	{ "    guards failed", "failed", KM_CELL_LIST },
	{ "    step", "step", KM_CELL_TEXT },
	{ "    attempt", "attempt", KM_CELL_TEXT },
	{ "    rules", "rules", KM_CELL_TEXT },
	{ 0 },
};

static const struct km_column outcome_rows[] = {
	{ "    error", "error", KM_CELL_TEXT },
	{ "    process now", "tgid", KM_CELL_PID },
	{ "    found out later", "recovered", KM_CELL_TEXT },
	{ "    detail", "detail", KM_CELL_TEXT },
	{ 0 },
};

static const struct km_column verdict_rows[] = {
	{ "    because", "reason", KM_CELL_TEXT },
	{ "    level before", "level_before", KM_CELL_TEXT },
	{ "    level after", "level_after", KM_CELL_TEXT },
	{ 0 },
};

static const char *cell(const cJSON *node, const char *path, char *out, size_t size)
{
	const struct km_column c = { "", path, KM_CELL_TEXT };

	return km_cell(node, &c, out, size);
}

/* What the pipeline said may be wrapped: {"decision":{...}}, or stand as it is. */
static const cJSON *inner(const cJSON *link, const char *what)
{
	const cJSON *data = km_path(link, "data"), *in = km_path(data, what);

	return cJSON_IsObject(in) ? in : data;
}

static void flat(struct km_cli *cli, const cJSON *data)
{
	const cJSON *m;

	cJSON_ArrayForEach(m, data)
	{
		char key[64], text[512];

		if (!m->string || cJSON_IsObject(m) || cJSON_IsArray(m) || cJSON_IsNull(m))
			continue;
		fprintf(cli->out, " %s=%s", km_text_escape(m->string, key, sizeof(key)),
		        km_cell(m, &whole_cell, text, sizeof(text)));
	}
	fputc('\n', cli->out);
}

static void evidence(struct km_cli *cli, const cJSON *link)
{
	flat(cli, km_path(link, "data"));
}

static void forecast(struct km_cli *cli, const cJSON *link)
{
	const cJSON *data = inner(link, "forecast"), *why = km_path(data, "why");
	const struct km_column c = { "", "", KM_CELL_FORECAST };
	char text[256];

	if (cJSON_IsString(why) && strcmp(why->valuestring, "none") != 0) {
		fprintf(cli->out, " none any more: %s\n", cell(data, "why", text, sizeof(text)));
		return;
	}
	fprintf(cli->out, " %s\n", km_cell(data, &c, text, sizeof(text)));
	km_print_list(cli, data, forecast_rows);
}

static void decision(struct km_cli *cli, const cJSON *link)
{
	const cJSON *d = inner(link, "decision");
	const struct km_column c = { "", "forecast", KM_CELL_FORECAST };
	char id[32], answer[64], verb[64], text[512];

	fprintf(cli->out, " %s: %s %s: %s\n", cell(d, "id", id, sizeof(id)),
	        cell(d, "answer", answer, sizeof(answer)), cell(d, "verb", verb, sizeof(verb)),
	        cell(d, "reason", text, sizeof(text)));
	km_print_list(cli, d, decision_rows);
	if (cJSON_IsObject(km_path(d, "forecast")))
		fprintf(cli->out, "    forecast: %s\n", km_cell(d, &c, text, sizeof(text)));
}

static void outcome(struct km_cli *cli, const cJSON *link)
{
	char verb[64], state[64];

	fprintf(cli->out, " %s: %s\n", cell(link, "verb", verb, sizeof(verb)),
	        cell(link, "state", state, sizeof(state)));
	km_print_list(cli, link, outcome_rows);
}

static void verdict(struct km_cli *cli, const cJSON *link)
{
	const cJSON *v = inner(link, "verdict");
	const char *path = cJSON_IsString(km_path(v, "verdict")) ? "verdict" : "kind";
	char text[128];

	fprintf(cli->out, " %s\n", cell(v, path, text, sizeof(text)));
	km_print_list(cli, v, verdict_rows);
}

static const struct {
	const char *what;
	void (*print)(struct km_cli *cli, const cJSON *link);
} links[] = {
	{ "evidence", evidence }, { "forecast", forecast }, { "decision", decision },
	{ "outcome", outcome },   { "verdict", verdict },
};

static void print_chain(struct km_cli *cli, const cJSON *incident)
{
	char id[32], service[512], when[64];
	const cJSON *link;

	fprintf(cli->out, "incident %s: %s\n", cell(incident, "id", id, sizeof(id)),
	        cell(incident, "service", service, sizeof(service)));
	cJSON_ArrayForEach(link, km_path(incident, "chain"))
	{
		const char *what = cJSON_GetStringValue(km_path(link, "what"));

		for (size_t i = 0; what && i < KM_ARRAY_SIZE(links); i++) {
			if (strcmp(links[i].what, what) != 0)
				continue;
			fprintf(cli->out, "%s  %s", km_cell(link, &time_cell, when, sizeof(when)),
			        what);
			links[i].print(cli, link);
		}
	}
}

static int on_data(void *userdata, const void *data, size_t len)
{
	const int *fd = userdata;

	return write(*fd, data, len) == (ssize_t)len ? 0 : KM_EXIT_FAILED;
}

/* The evidence of one decision into *RET_FD; -1: none is kept. */
static int fetch(struct km_cli *cli, const struct km_word *id, const char *decision, int *ret_fd)
{
	const struct km_word words[] = {
		*id,
		{ .name = "decision", .kind = KM_WORD_COUNT, .value = decision },
		{ 0 },
	};
	km_autoclose int fd = memfd_create("kmend-evidence", MFD_CLOEXEC);

	if (fd < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "memfd: %s", strerror(errno));
	if (km_request(cli,
	               &(struct km_request_opts){ .object = "incident",
	                                          .command = "evidence",
	                                          .words = words,
	                                          .data = on_data,
	                                          .userdata = &fd,
	                                          .quiet = true },
	               NULL) != KM_EXIT_DONE)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "memfd: %s", strerror(errno));
	*ret_fd = km_take_fd(&fd);
	return 0;
}

static bool is_decision(const cJSON *link)
{
	const char *what = cJSON_GetStringValue(km_path(link, "what"));

	return what && strcmp(what, "decision") == 0;
}

/* Adds {decision, same} to RESULTS. -1: nothing to replay it from. */
static int replay_one(struct km_cli *cli, const struct km_word *id, const cJSON *link,
                      cJSON *results)
{
	km_autoclose int fd = -1;
	bool same = false;
	char text[32];
	uint64_t decision;
	cJSON *one;
	int r;

	if (!is_decision(link) ||
	    km_word_u64(cell(inner(link, "decision"), "id", text, sizeof(text)), &decision) < 0)
		return -1;
	r = fetch(cli, id, text, &fd);
	if (r)
		return r;
	r = km_replay_fd(cli, fd, decision, &same);
	if (r == -ENOENT)
		return -1;
	if (r < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "the evidence cannot be replayed: %s",
		              strerror(-r));
	one = cJSON_CreateObject();
	cJSON_AddNumberToObject(one, "decision", (double)decision);
	cJSON_AddBoolToObject(one, "same", same);
	cJSON_AddItemToArray(results, one);
	return 0;
}

static int replay(struct km_cli *cli, const struct km_word *id, const cJSON *incident,
                  cJSON *results)
{
	const cJSON *link;

	cJSON_ArrayForEach(link, km_path(incident, "chain"))
	{
		int r = replay_one(cli, id, link, results);

		if (r > 0)
			return r;
	}
	if (!results->child)
		return km_say(cli, KM_EXIT_FAILED,
		              "only for root, and evidence is removed by age and room",
		              "no evidence of this incident could be fetched");
	return KM_EXIT_DONE;
}

static int print_replay(struct km_cli *cli, const cJSON *results)
{
	int r = KM_EXIT_DONE;
	const cJSON *one;

	cJSON_ArrayForEach(one, results)
	{
		const bool same = cJSON_IsTrue(km_path(one, "same"));
		char id[32];

		if (cli->format == KM_PLAIN)
			fprintf(cli->out, "replay: decision %s comes out %s\n",
			        cell(one, "decision", id, sizeof(id)),
			        same ? "the same, byte for byte" : "DIFFERENT");
		r = same ? r : KM_EXIT_FAILED;
	}
	return r;
}

static int print(struct km_cli *cli, const cJSON *root)
{
	if (cli->format != KM_PLAIN)
		return km_print_json(cli, root);
	print_chain(cli, km_path(root, "incident"));
	return KM_EXIT_DONE;
}

int km_cmd_explain(struct km_cli *cli, int argc, char **argv)
{
	struct km_word words[] = { { .name = "id", .kind = KM_WORD_COUNT, .required = true },
		                   { .name = "--replay", .kind = KM_WORD_FLAG, .local = true },
		                   { 0 } };
	km_autofree(km_json_freep) struct km_json *end = NULL;
	cJSON *root, *results;
	int r;

	r = km_words(cli, argc, argv, words);
	if (r)
		return r;
	r = km_request(cli,
	               &(struct km_request_opts){
			       .object = "incident", .command = "explain", .words = words },
	               &end);
	if (r || !end)
		return r;
	root = (cJSON *)km_json_root(end);
	if (!km_word(words, "--replay"))
		return print(cli, root);
	results = cJSON_AddArrayToObject(root, "replay");
	r = replay(cli, &words[0], km_path(root, "incident"), results);
	if (r)
		return r;
	r = print(cli, root);
	return r ? r : print_replay(cli, results);
}
