/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "explain.h"

static const struct km_column columns[] = {
	{ "ID", "id", KM_CELL_TEXT },
	{ "OPENED", "opened_ms", KM_CELL_TIME },
	{ "CHANGED", "changed_ms", KM_CELL_TIME },
	{ "SERVICE", "service", KM_CELL_TEXT },
	{ "RULE", "rule", KM_CELL_TEXT },
	{ "DECISIONS", "decisions", KM_CELL_TEXT },
	{ "ACTS", "acts", KM_CELL_TEXT },
	{ "LAST", "answer", KM_CELL_TEXT },
	{ "VERDICT", "verdict", KM_CELL_TEXT },
	{ "REASON", "reason", KM_CELL_TEXT },
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
	km_print_table(cli, km_path(end, "incidents"), columns, "none");
	fputs("\ndecisions, newest first\n", cli->out);
	km_print_table(cli, km_path(end, "actions"), actions, "none");
}

static int list(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "incident",
		.command = "list",
		.words = { { .name = "--service" }, { .name = "--limit", .kind = KM_WORD_COUNT } },
		.array = "incidents",
		.columns = columns,
		.none = "no incident yet",
	};

	return km_ask(cli, argc, argv, &ask);
}

static int show(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "incident",
		.command = "show",
		.words = { { .name = "id", .kind = KM_WORD_COUNT, .required = true } },
		.plain = plain,
	};

	return km_ask(cli, argc, argv, &ask);
}

const struct km_cmd km_incident_cmds[] = {
	{ "list", list, "[--service NAME] [--limit N]", "newest first" },
	{ "show", show, "ID", "one of them with its decisions" },
	{ "explain", km_cmd_explain, "ID [--replay]",
	  "evidence, forecast, rule line, guards, verdict" },
	{ 0 },
};
