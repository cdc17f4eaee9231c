/* SPDX-License-Identifier: Apache-2.0 */
#include "forecast_explain.h"
#include "replay_csv.h"

static const struct km_column columns[] = {
	{ "SERVICE", "service", KM_CELL_TEXT },
	{ "KIND", "kind", KM_CELL_TEXT },
	{ "RESOURCE", "resource", KM_CELL_TEXT },
	{ "IN", "eta_s", KM_CELL_SECONDS },
	{ "EARLIEST", "eta_lo_s", KM_CELL_SECONDS },
	{ "LATEST", "eta_hi_s", KM_CELL_SECONDS },
	{ "P", "p", KM_CELL_PERCENT },
	{ "CALIBRATED", "calibrated", KM_CELL_YES },
	{ "WHY NOT", "why", KM_CELL_TEXT },
	{ 0 },
};

static const struct km_column forgotten[] = {
	{ "calibrated", "calibrated", KM_CELL_TEXT },
	{ 0 },
};

static int list(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "forecast",
		.command = "list",
		.words = { { .name = "--all", .kind = KM_WORD_FLAG },
		           { .name = "--limit", .kind = KM_WORD_COUNT },
		           { .name = "--offset", .kind = KM_WORD_COUNT } },
		.array = "forecasts",
		.columns = columns,
		.none = "no failure is forecast",
	};

	return km_ask(cli, argc, argv, &ask);
}

static int show(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "forecast",
		.command = "show",
		.words = { { .name = "name", .required = true } },
		.array = "forecasts",
		.columns = columns,
		.none = "nothing was looked at yet",
	};

	return km_ask(cli, argc, argv, &ask);
}

static int explain(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "forecast",
		.command = "explain",
		.words = { { .name = "name", .required = true } },
		.plain = km_forecast_explain,
	};

	if (km_word_given(argv, "--csv"))
		return km_cmd_explain_csv(cli, argc, argv);
	return km_ask(cli, argc, argv, &ask);
}

static int forget(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = { .object = "forecast",
		                           .command = "forget",
		                           .rows = forgotten };

	return km_ask(cli, argc, argv, &ask);
}

const struct km_cmd km_forecast_cmds[] = {
	{ "list", list, "[--all] [--limit N] [--offset N]", "in force; with --all also why not" },
	{ "show", show, "SERVICE", "all that was looked at for one service" },
	{ "explain", explain, "SERVICE | --csv FILE --limit COLUMN=VALUE [--interval S] [--row N]",
	  "evidence, and a plot of level, line, limit and interval" },
	{ "forget", forget, "", "how often forecasts came true here: learnt anew (root)" },
	{ 0 },
};
