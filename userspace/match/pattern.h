/* SPDX-License-Identifier: Apache-2.0 */
/* The pattern of a condition "text"; nothing outside this folder includes it. */
#ifndef KM_PATTERN_H
#define KM_PATTERN_H

#include "match/compile.h"
#include "match/truth.h"

struct km_pattern;

/* Both take a NULL. */
bool km_pattern_same(const struct km_pattern *a, const struct km_pattern *b);
struct km_pattern *km_pattern_free(struct km_pattern *p);

/* TEXT: what its health checks say. */
enum km_truth km_truth_of_text(const struct km_cond *c, const struct km_match_input *in);

#endif
