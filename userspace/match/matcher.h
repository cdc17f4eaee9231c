/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a matcher; nothing outside this folder includes it. */
#ifndef KM_MATCHER_H
#define KM_MATCHER_H

#include "match/index.h"
#include "match/memory.h"

struct km_matcher {
	struct km_memory memory;
	const struct km_rules *rules; /* in force; NULL: none yet */
	/* Found out anew at any time, so no state: what may speak, and for each service that was
	 * looked at which rules cover it and of which something is kept. Without them (no memory)
	 * every rule is looked at. */
	struct km_index *index[KM_ENTITY_MAX]; /* of rules about each kind */
	struct km_table *rounds;
	km_match_ear ear; /* NULL: none */
	void *ear_data;
};

/* round.c: drops what is no state. */
void km_round_forget(struct km_matcher *m);

/* One rule on a service that it covers, as km_matcher_rule(); false: nothing is remembered of the
 * two from now on. */
bool km_matcher_ask(struct km_matcher *m, const struct km_rule *rule,
                    const struct km_match_input *in, struct km_match *ret);

#endif
