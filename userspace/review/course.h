/* SPDX-License-Identifier: Apache-2.0 */
/* The course of one level over time, as a rule's test writes it: "100MiB for 60s", "to 90% in 5m",
 * "none for 30s". */
#ifndef KM_COURSE_H
#define KM_COURSE_H

#include "base/base.h"

#define KM_PIECES_MAX 64

enum km_piece_kind { KM_PIECE_HOLD = 0, KM_PIECE_LINE, KM_PIECE_NONE };

struct km_piece {
	enum km_piece_kind kind;
	bool share;   /* VALUE is a share of the limit */
	double value; /* HOLD: the level; LINE: the level at its end */
	uint64_t long_ns;
};

struct km_course {
	struct km_piece piece[KM_PIECES_MAX];
	size_t count;
	uint64_t repeat;
	uint64_t begin_ns;
	uint64_t limit; /* KM_UNKNOWN: none */
	double noise;   /* evenly spread, so much up and down */
	uint64_t seed;
};

/* "250", "0.25", "64MiB" or "85%" (then *RET_SHARE): 0 or -EINVAL. */
int km_course_value(const char *s, double *ret, bool *ret_share);
/* One piece: 0 or -EINVAL. */
int km_course_piece(const char *s, struct km_piece *ret);
/* Of all its pieces; saturates. */
uint64_t km_course_long_ns(const struct km_course *c);
/* T_NS since the time of the course's own zero. 1 and the level, never negative; 0: nothing is
 * measured. The same on every machine. */
int km_course_at(const struct km_course *c, uint64_t t_ns, double *ret);

#endif
