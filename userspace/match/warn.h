/* SPDX-License-Identifier: Apache-2.0 */
/* What a reviewer should see: within one rule (warn.c, warn_tree.c), and between two. */
#ifndef KM_WARN_H
#define KM_WARN_H

#include "match/compile.h"

/* Conditions of the rule under way; WHEN and UNLESS (may be NULL) are their texts. */
void km_compile_warn_of_trees(struct km_compile *c, const cJSON *when, const cJSON *unless,
                              bool disrupts);

/* The same condition, wherever it stands. */
bool km_cond_same(const struct km_cond *a, const struct km_cond *b);
/* Whenever the tree A is true, B is: the same trees, or one condition each. */
bool km_cond_implies(const struct km_cond *a, const struct km_cond *b);

#endif
