/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's own recorded history: its rolling recording, and of before that what led to its
 * decisions. */
#ifndef KM_SINCE_H
#define KM_SINCE_H

#include "base/json.h"

struct km_since {
	char **path; /* owned, oldest first */
	size_t count;
	uint64_t asked_ns; /* how long that is */
};

/* Those below STATE (NULL: where kmendd keeps its state) of the last SINCE, like "7d". -EBADMSG
 * with *ERR, also where there are none. */
int km_since_find(const char *since, const char *state, struct km_error *err, struct km_since *ret);
void km_since_clear(struct km_since *s);

#endif
