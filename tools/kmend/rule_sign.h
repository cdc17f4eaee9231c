/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KM_RULE_SIGN_H
#define KM_RULE_SIGN_H

#include "cli.h"

int km_rule_sign(struct km_cli *cli, int argc, char **argv);

#endif
