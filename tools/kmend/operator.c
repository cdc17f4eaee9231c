// SPDX-License-Identifier: Apache-2.0
#include "cli.h"

static const struct km_column rows[] = {
	{ "paused", "paused", KM_CELL_TEXT },
	{ 0 },
};

static int pause_all(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = { .object = "operator", .command = "pause", .rows = rows };

	return km_ask(cli, argc, argv, &ask);
}

static int resume(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = { .object = "operator",
		                           .command = "resume",
		                           .rows = rows };

	return km_ask(cli, argc, argv, &ask);
}

const struct km_cmd km_pause_cmds[] = {
	{ "", pause_all, "", "nothing is done by itself until resumed (root)" },
	{ 0 },
};

const struct km_cmd km_resume_cmds[] = {
	{ "", resume, "", "what was held back is looked at now (root)" },
	{ 0 },
};
