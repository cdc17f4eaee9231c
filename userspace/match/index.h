/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules can speak at all at this moment, without asking each. From every rule conditions are
 * picked of which one must hold for it to speak or to remember anything (its triggers); those that
 * look at the same thing lie together, ordered by their bounds, so that one reading finds all that
 * hold. Made once for a set of rules, const from then on. Nothing outside this folder includes it.
 */
#ifndef KM_INDEX_H
#define KM_INDEX_H

#include "match/match.h"

struct km_index;

/* Of those of RULES that are about this kind of entity; they must outlive it. */
int km_index_new(const struct km_rules *rules, enum km_entity entity, struct km_index **ret);
struct km_index *km_index_free(struct km_index *x);
KM_DEFINE_FREEP(struct km_index, km_index_free)

/* Sets the bit of each rule one of whose triggers holds, or may. BITS: one for each of RULES. */
void km_index_mark(const struct km_index *x, const struct km_match_input *in, uint64_t *bits);

#endif
