/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

static const struct km_column rows[] = {
	{ "mode", "mode", KM_CELL_TEXT },
	{ "up", "up_s", KM_CELL_SECONDS },
	{ "services up", "services.up", KM_CELL_TEXT },
	{ "services down", "services.down", KM_CELL_TEXT },
	{ "services unknown", "services.unknown", KM_CELL_TEXT },
	{ "signals available", "signals.available", KM_CELL_TEXT },
	{ "signals known", "signals.known", KM_CELL_TEXT },
	{ "rules in force", "rules.in_force", KM_CELL_TEXT },
	{ "rules digest", "rules.digest", KM_CELL_TEXT },
	{ "rules refused", "rules.refused", KM_CELL_TEXT },
	{ "verbs allowed", "policy.verbs", KM_CELL_LIST },
	{ "paused", "policy.paused", KM_CELL_TEXT },
	{ "forecasts", "forecasts", KM_CELL_TEXT },
	{ "waiting for you", "waiting", KM_CELL_TEXT },
	{ "decisions", "decisions", KM_CELL_TEXT },
	{ "records", "records", KM_CELL_TEXT },
	{ "records refused", "records_bad", KM_CELL_TEXT },
	{ "history", "history_trouble", KM_CELL_TEXT },
	{ "history rows lost", "history_lost", KM_CELL_TEXT },
	{ "state", "state_dir", KM_CELL_TEXT },
	{ 0 },
};

static int show(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = { .object = "status", .command = "show", .rows = rows };

	return km_ask(cli, argc, argv, &ask);
}

const struct km_cmd km_status_cmds[] = {
	{ "", show, "", "mode, counts, what is refused or lost" },
	{ 0 },
};
