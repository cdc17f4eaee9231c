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
	{ "    slope per second", "fit.slope", KM_CELL_TEXT },
	{ "    standard error", "fit.slope_se", KM_CELL_TEXT },
	{ "    noise", "fit.noise", KM_CELL_TEXT },
	{ "    ends counted", "ends", KM_CELL_TEXT },
	{ "    looked at", "span_s", KM_CELL_SECONDS },
	{ 0 },
};

static const struct km_column decision_rows[] = {
	{ "    rule", "rule", KM_CELL_TEXT },
	{ "    line that spoke", "line", KM_CELL_TEXT },
	{ "    event", "event", KM_CELL_TEXT },
	{ "    main process", "tgid", KM_CELL_TEXT },
	{ "    ended by signal of", "ending.sender_comm", KM_CELL_TEXT },
	{ "    sender", "ending.sender_tgid", KM_CELL_TEXT },
	{ "    guards passed", "passed", KM_CELL_LIST },
	{ "    guards failed", "failed", KM_CELL_LIST },
	{ "    step", "step", KM_CELL_TEXT },
	{ "    attempt", "attempt", KM_CELL_TEXT },
	{ "    rules", "rules", KM_CELL_TEXT },
	{ 0 },
};

static const struct km_column outcome_rows[] = {
	{ "    error", "error", KM_CELL_TEXT },
	{ "    process now", "tgid", KM_CELL_TEXT },
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

static int fetch(struct km_cli *cli, const struct km_word *id, int *ret_fd)
{
	const struct km_word words[] = { *id, { 0 } };
	km_autoclose int fd = memfd_create("kmend-evidence", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "memfd: %s", strerror(errno));
	r = km_request(cli,
	               &(struct km_request_opts){ .object = "incident",
	                                          .command = "evidence",
	                                          .words = words,
	                                          .data = on_data,
	                                          .userdata = &fd },
	               NULL);
	if (r)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "memfd: %s", strerror(errno));
	*ret_fd = km_take_fd(&fd);
	return 0;
}

static bool decision_id(const cJSON *link, uint64_t *ret)
{
	const char *what = cJSON_GetStringValue(km_path(link, "what"));
	char text[32];

	return what && strcmp(what, "decision") == 0 &&
	       km_word_u64(cell(inner(link, "decision"), "id", text, sizeof(text)), ret) == 0;
}

/* -1: not in the evidence. */
static int replay_one(struct km_cli *cli, int fd, uint64_t id, bool *all_same)
{
	bool same = false;
	int r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return KM_EXIT_FAILED;
	r = km_replay_fd(cli, fd, id, &same);
	if (r == -ENOENT)
		return -1;
	if (r < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "the evidence cannot be replayed: %s",
		              strerror(-r));
	if (cli->format == KM_PLAIN)
		fprintf(cli->out, "replay: decision %llu comes out %s\n", (unsigned long long)id,
		        same ? "the same, byte for byte" : "DIFFERENT");
	*all_same = *all_same && same;
	return 0;
}

static int replay(struct km_cli *cli, const struct km_word *id, const cJSON *incident)
{
	km_autoclose int fd = -1;
	bool all_same = true;
	unsigned int found = 0;
	const cJSON *link;
	int r;

	r = fetch(cli, id, &fd);
	if (r)
		return r;
	cJSON_ArrayForEach(link, km_path(incident, "chain"))
	{
		uint64_t decision;

		if (!decision_id(link, &decision))
			continue;
		r = replay_one(cli, fd, decision, &all_same);
		if (r > 0)
			return r;
		found += r == 0;
	}
	if (!found)
		return km_say(cli, KM_EXIT_FAILED, "its evidence may have been removed by age",
		              "no decision of this incident is in the stored evidence");
	return all_same ? KM_EXIT_DONE : KM_EXIT_FAILED;
}

int km_cmd_explain(struct km_cli *cli, int argc, char **argv)
{
	struct km_word words[] = { { .name = "id", .kind = KM_WORD_COUNT, .required = true },
		                   { .name = "--replay", .kind = KM_WORD_FLAG, .local = true },
		                   { 0 } };
	km_autofree(km_json_freep) struct km_json *end = NULL;
	const cJSON *incident;
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
	incident = km_path(km_json_root(end), "incident");
	if (cli->format != KM_PLAIN)
		r = km_print_json(cli, km_json_root(end));
	else
		print_chain(cli, incident);
	if (r || !km_word(words, "--replay"))
		return r;
	return replay(cli, &words[0], incident);
}
