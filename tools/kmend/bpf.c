/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

static const struct km_column columns[] = {
	{ "NAME", "name", KM_CELL_TEXT },      { "KIND", "kind", KM_CELL_TEXT },
	{ "HOOK", "hook", KM_CELL_TEXT },      { "STATE", "state", KM_CELL_TEXT },
	{ "RUNS", "run_count", KM_CELL_TEXT }, { "RUN TIME", "run_time_ns", KM_CELL_NS },
	{ "SEEN", "seen", KM_CELL_TEXT },      { "LOST", "lost", KM_CELL_TEXT },
	{ "REASON", "reason", KM_CELL_TEXT },  { 0 },
};

static int list(struct km_cli *cli, int argc, char **argv)
{
	static const struct km_ask ask = {
		.object = "bpf",
		.command = "list",
		.array = "objects",
		.columns = columns,
		.none = "nothing is loaded: see kmend doctor",
	};

	return km_ask(cli, argc, argv, &ask);
}

const struct km_cmd km_bpf_cmds[] = {
	{ "list", list, "", "each program and map: hook, state, runs, time, losses" },
	{ 0 },
};
