/* SPDX-License-Identifier: Apache-2.0 */
/* Which history rule backtest and rule diff go through: traces that are named, or what the daemon
 * kept of the last so many days. */
#ifndef KM_PAST_H
#define KM_PAST_H

#include "cli.h"
#include "review/source.h"
#include "since.h"

#define KM_PAST_WORDS                            \
	{ .name = "--since" },                   \
	{                                        \
		.name = "--state", .local = true \
	}

struct km_past {
	char **traces; /* the array is owned */
	size_t count;
	struct km_since own;
	struct km_source *source;
	uint64_t records, shown_ns; /* of the progress bar */
};

/* Takes "--trace FILE..." out of ARGV, all words up to the next option. How many are left. */
int km_past_take(int argc, char **argv, struct km_past *ret);
void km_past_clear(struct km_past *p);
/* Exactly one of --trace and --since was said. */
bool km_past_is_said(const struct km_past *p, const struct km_word *words);
/* -EBADMSG with *ERR. */
int km_past_open(struct km_past *p, const struct km_word *words, struct km_error *err);
/* The next record, with a progress bar on a terminal's stderr; as km_source_next(). */
ssize_t km_past_next(struct km_past *p, struct km_cli *cli, struct km_error *err, const void **ret,
                     bool *begins);
/* How much of what was asked for there is; nothing where traces were named. */
void km_past_print(const struct km_past *p, struct km_cli *cli);
void km_past_write(const struct km_past *p, struct km_json_writer *w);

#endif
