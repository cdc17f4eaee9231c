/* SPDX-License-Identifier: Apache-2.0 */
/* kmend incident explain ID [--replay]. */
#ifndef KM_EXPLAIN_H
#define KM_EXPLAIN_H

#include "cli.h"

int km_cmd_explain(struct km_cli *cli, int argc, char **argv);

#endif
