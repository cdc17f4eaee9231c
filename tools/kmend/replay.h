/* SPDX-License-Identifier: Apache-2.0 */
/* Replaying a trace: phases 2 to 7 and 9 on a recorded stream, without touching the host. */
#ifndef KM_REPLAY_H
#define KM_REPLAY_H

#include "cli.h"

/* kmend replay FILE [--rules DIR] and kmend trace info FILE. Exit codes. */
int km_cmd_replay(struct km_cli *cli, int argc, char **argv);
int km_cmd_trace_info(struct km_cli *cli, int argc, char **argv);

/* Replays the trace in FD (from its position) up to decision DECISION_ID; *RET_SAME: it came out
 * byte for byte as the trace says it did live. 0; -ENOENT: the decision is not in it; -EBADMSG: not
 * a trace. Prints nothing. */
int km_replay_fd(struct km_cli *cli, int fd, uint64_t decision_id, bool *ret_same);

#endif
