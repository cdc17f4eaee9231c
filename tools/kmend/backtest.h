/* SPDX-License-Identifier: Apache-2.0 */
/* What rule backtest and rule diff share. */
#ifndef KM_BACKTEST_CLI_H
#define KM_BACKTEST_CLI_H

#include "past.h"
#include "review/backtest.h"
#include "review/score.h"

/* Rules at PATH (a file, a class, a rules folder), with the POLICY file if not NULL. -EBADMSG with
 * *ERR. */
int km_backtest_texts(const char *path, const char *policy, struct km_error *err,
                      struct km_texts *ret);

/* What one rule or set did over the traces, said to nobody. -EBADMSG with *ERR. */
struct km_backtest_sum {
	uint64_t acted, needless, records;
};
int km_backtest_sum(struct km_cli *cli, const char *rules, char *const *traces, size_t count,
                    struct km_error *err, struct km_backtest_sum *ret);

int km_rule_backtest(struct km_cli *cli, int argc, char **argv);
int km_rule_diff(struct km_cli *cli, int argc, char **argv);

#endif
