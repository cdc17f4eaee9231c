/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

static const struct km_column columns[] = {
	{ "TIME", "realtime_ms", KM_CELL_TIME },
	{ "UID", "uid", KM_CELL_TEXT },
	{ "PROCESS", "tgid", KM_CELL_TEXT },
	{ "WHAT", "what", KM_CELL_TEXT },
	{ 0 },
};

static int list(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "audit",
		.command = "list",
		.words = { { .name = "--limit", .kind = KM_WORD_COUNT } },
		.array = "audit",
		.columns = columns,
		.none = "nobody was denied, nobody approved",
	};

	return km_ask(cli, argc, argv, &ask);
}

const struct km_cmd km_audit_cmds[] = {
	{ "list", list, "[--limit N]", "denied requests, approvals and denials, newest first" },
	{ 0 },
};
