/* SPDX-License-Identifier: Apache-2.0 */
/* What another part provides; weak, so that the command links and says so until it is there. */
#include "replay.h"
#include "rule_check.h"

#define ABSENT __attribute__((weak))

ABSENT int km_cmd_replay(struct km_cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return km_say(cli, KM_EXIT_FAILED, NULL, "this build has no replay");
}

ABSENT int km_cmd_trace_info(struct km_cli *cli, int argc, char **argv)
{
	return km_cmd_replay(cli, argc, argv);
}

ABSENT int km_replay_fd(struct km_cli *cli, int fd, uint64_t decision_id, bool *ret_same)
{
	(void)cli;
	(void)fd;
	(void)decision_id;
	(void)ret_same;
	return -ENOSYS;
}

ABSENT int km_rule_check_paths(char *const *paths, size_t n, struct km_json_writer *json,
                               FILE *text, struct km_rule_check_sum *ret)
{
	(void)paths;
	(void)n;
	(void)json;
	(void)text;
	*ret = (struct km_rule_check_sum){ 0 };
	return -ENOSYS;
}
