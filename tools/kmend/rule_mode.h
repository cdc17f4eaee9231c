/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KM_RULE_MODE_H
#define KM_RULE_MODE_H

#include "cli.h"

int km_rule_promote(struct km_cli *cli, int argc, char **argv);
int km_rule_demote(struct km_cli *cli, int argc, char **argv);

#endif
