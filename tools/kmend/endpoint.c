/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

static const struct km_column columns[] = {
	{ "SERVICE", "service", KM_CELL_TEXT },
	{ "ENDPOINT", "endpoint", KM_CELL_TEXT },
	{ "PRIMARY", "primary", KM_CELL_TEXT },
	{ "HEALTH", "health", KM_CELL_TEXT },
	{ "FOR", "health_for_s", KM_CELL_SECONDS },
	{ "TRAFFIC TO", "traffic", KM_CELL_TEXT },
	{ "STANDBY IN USE", "standby", KM_CELL_TEXT },
	{ "CONNECT US", "connect_us", KM_CELL_TEXT },
	{ "FAILURES/S", "failures_per_s", KM_CELL_TEXT },
	{ "FORECAST", "forecast", KM_CELL_FORECAST },
	{ 0 },
};

static const struct km_column rows[] = {
	{ "service", "service", KM_CELL_TEXT },
	{ "endpoint", "endpoint", KM_CELL_TEXT },
	{ "primary", "primary", KM_CELL_TEXT },
	{ "health", "health", KM_CELL_TEXT },
	{ "  for", "health_for_s", KM_CELL_SECONDS },
	{ "traffic to", "traffic", KM_CELL_TEXT },
	{ "  for", "traffic_for_s", KM_CELL_SECONDS },
	{ "standby in use", "standby", KM_CELL_TEXT },
	{ "  its share", "share_to_standby", KM_CELL_PERCENT },
	{ "  when kmend stops", "when_kmend_stops", KM_CELL_TEXT },
	{ "forecast", "forecast", KM_CELL_FORECAST },
	{ 0 },
};

static const struct km_column places[] = {
	{ "ADDRESS", "address", KM_CELL_TEXT },
	{ "ROLE", "role", KM_CELL_TEXT },
	{ "IN USE", "in_use", KM_CELL_YES },
	{ "HEALTH", "health", KM_CELL_TEXT },
	{ "FOR", "health_for_s", KM_CELL_SECONDS },
	{ "FAILURES IN A ROW", "failures_in_a_row", KM_CELL_TEXT },
	{ "CHECK", "check", KM_CELL_TEXT },
	{ "TOOK NS", "latency_ns", KM_CELL_TEXT },
	{ "USUALLY", "usual_latency_ns", KM_CELL_TEXT },
	{ "REASON", "reason", KM_CELL_TEXT },
	{ 0 },
};

static void plain(struct km_cli *cli, const cJSON *end)
{
	const cJSON *e = km_path(end, "endpoint");

	km_print_list(cli, e, rows);
	fputs("\nplaces\n", cli->out);
	km_print_table(cli, km_path(e, "places"), places, "none");
}

static int list(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "endpoint",
		.command = "list",
		.words = { { .name = "--limit", .kind = KM_WORD_COUNT },
		           { .name = "--offset", .kind = KM_WORD_COUNT } },
		.array = "endpoints",
		.columns = columns,
		.none = "no service connects to anything that is followed",
	};

	return km_ask(cli, argc, argv, &ask);
}

static int show(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "endpoint",
		.command = "show",
		.words = { { .name = "service", .required = true },
		           { .name = "name", .required = true } },
		.plain = plain,
	};

	return km_ask(cli, argc, argv, &ask);
}

const struct km_cmd km_endpoint_cmds[] = {
	{ "list", list, "[--limit N] [--offset N]", "what services connect to, defined or learnt" },
	{ "show", show, "SERVICE ENDPOINT", "primary, standbys, and where connections go" },
	{ 0 },
};
