/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

static const struct km_column columns[] = {
	{ "NAME", "name", KM_CELL_TEXT },
	{ "STATE", "state", KM_CELL_TEXT },
	{ "FOR", "for_s", KM_CELL_SECONDS },
	{ "HEALTH", "health", KM_CELL_TEXT },
	{ "PROCS", "processes", KM_CELL_TEXT },
	{ "MEMORY", "memory", KM_CELL_LEVEL },
	{ "DESCRIPTORS", "descriptors", KM_CELL_LEVEL },
	{ "THREADS", "threads", KM_CELL_LEVEL },
	{ "QUARANTINED", "quarantined", KM_CELL_YES },
	{ "FORECAST", "forecast", KM_CELL_FORECAST },
	{ 0 },
};

static const struct km_column rows[] = {
	{ "name", "name", KM_CELL_TEXT },
	{ "kind", "kind", KM_CELL_TEXT },
	{ "defined", "defined", KM_CELL_TEXT },
	{ "state", "state", KM_CELL_TEXT },
	{ "for", "for_s", KM_CELL_SECONDS },
	{ "health", "health", KM_CELL_TEXT },
	{ "quarantined", "quarantined", KM_CELL_TEXT },
	{ "maintained for", "maintenance_s", KM_CELL_SECONDS },
	{ "processes", "processes", KM_CELL_TEXT },
	{ "main process", "main_tgid", KM_CELL_PID },
	{ "new version since", "deployed_s", KM_CELL_SECONDS },
	{ "memory", "memory", KM_CELL_LEVEL },
	{ "descriptors", "descriptors", KM_CELL_LEVEL },
	{ "threads", "threads", KM_CELL_LEVEL },
	{ "starts", "starts", KM_CELL_TEXT },
	{ "exits", "exits", KM_CELL_TEXT },
	{ "OOM kills", "oom_kills", KM_CELL_TEXT },
	{ "forks", "forks", KM_CELL_TEXT },
	{ "retransmits", "retransmits", KM_CELL_TEXT },
	{ "failed connects", "connect_failures", KM_CELL_TEXT },
	{ "last end, ago", "last_end.ago_s", KM_CELL_SECONDS },
	{ "  exit code", "last_end.exit_code", KM_CELL_TEXT },
	{ "  by signal", "last_end.exit_signal", KM_CELL_TEXT },
	{ "  OOM", "last_end.oom", KM_CELL_TEXT },
	{ "  sent by", "last_end.sender_comm", KM_CELL_TEXT },
	{ "  sender", "last_end.sender_tgid", KM_CELL_PID },
	{ "  sender's uid", "last_end.sender_uid", KM_CELL_TEXT },
	{ 0 },
};

static const struct km_column forecasts[] = {
	{ "KIND", "kind", KM_CELL_TEXT },          { "RESOURCE", "resource", KM_CELL_TEXT },
	{ "IN", "eta_s", KM_CELL_SECONDS },        { "EARLIEST", "eta_lo_s", KM_CELL_SECONDS },
	{ "LATEST", "eta_hi_s", KM_CELL_SECONDS }, { "P", "p", KM_CELL_PERCENT },
	{ "WHY NOT", "why", KM_CELL_TEXT },        { 0 },
};

static const struct km_column checks[] = {
	{ "CHECK", "name", KM_CELL_TEXT },
	{ "HEALTH", "health", KM_CELL_TEXT },
	{ "TARGET", "target", KM_CELL_TEXT },
	{ "LATENCY NS", "latency_ns", KM_CELL_TEXT },
	{ "REASON", "reason", KM_CELL_TEXT },
	{ "CERTIFICATE DAYS", "certificate_days_left", KM_CELL_TEXT },
	{ 0 },
};

static const struct km_column actions[] = {
	{ "ID", "id", KM_CELL_TEXT },
	{ "TIME", "realtime_ms", KM_CELL_TIME },
	{ "RULE", "rule", KM_CELL_TEXT },
	{ "ANSWER", "answer", KM_CELL_TEXT },
	{ "VERB", "verb", KM_CELL_TEXT },
	{ "OUTCOME", "outcome.state", KM_CELL_TEXT },
	{ "VERDICT", "verdict", KM_CELL_TEXT },
	{ "REASON", "reason", KM_CELL_TEXT },
	{ 0 },
};

static void plain(struct km_cli *cli, const cJSON *end)
{
	const cJSON *s = km_path(end, "service"), *sample, *series;

	km_print_list(cli, s, rows);
	fputs("\nhealth checks\n", cli->out);
	km_print_table(cli, km_path(s, "checks"), checks, "none is defined");
	fputs("\nforecasts\n", cli->out);
	km_print_table(cli, km_path(s, "forecasts"), forecasts, "none was looked for yet");
	fputs("\nlast decisions\n", cli->out);
	km_print_table(cli, km_path(s, "actions"), actions, "none");
	cJSON_ArrayForEach(series, km_path(s, "samples"))
	{
		fprintf(cli->out, "\nsamples of %s\n", series->string);
		cJSON_ArrayForEach(sample, series)
		{
			const struct km_column c = { "", "", KM_CELL_TIME };
			char when[64];

			km_cell(cJSON_GetArrayItem(sample, 0), &c, when, sizeof(when));
			fprintf(cli->out, "%s  %.0f\n", when,
			        cJSON_GetNumberValue(cJSON_GetArrayItem(sample, 1)));
		}
	}
}

static int list(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "service",
		.command = "list",
		.words = { { .name = "--limit", .kind = KM_WORD_COUNT },
		           { .name = "--offset", .kind = KM_WORD_COUNT } },
		.array = "services",
		.columns = columns,
		.none = "no service was seen yet",
	};

	return km_ask(cli, argc, argv, &ask);
}

static int show(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "service",
		.command = "show",
		.words = { { .name = "name", .required = true },
		           { .name = "--samples", .kind = KM_WORD_COUNT } },
		.plain = plain,
	};

	return km_ask(cli, argc, argv, &ask);
}

static int maintain(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_column said[] = {
		{ "service", "service", KM_CELL_TEXT },
		{ "nothing is done for", "for_s", KM_CELL_SECONDS },
		{ 0 },
	};
	static const struct km_ask ask = {
		.object = "service",
		.command = "maintain",
		.words = { { .name = "name", .required = true },
		           { .name = "for", .required = true } },
		.rows = said,
	};

	return km_ask(cli, argc, argv, &ask);
}

const struct km_cmd km_service_cmds[] = {
	{ "list", list, "[--limit N] [--offset N]", "state, levels and nearest forecast of each" },
	{ "show", show, "NAME [--samples N]", "one of them with its last end and decisions" },
	{ "maintain", maintain, "NAME DURATION|end", "nothing is done to it for so long (root)" },
	{ 0 },
};
