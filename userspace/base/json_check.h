/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the JSON reader: the strict check and the places it finds. Not for other folders. */
#ifndef KM_JSON_CHECK_H
#define KM_JSON_CHECK_H

#include "base/json.h"

/* Both count from 1; a column is a character, not a byte. */
struct km_json_place {
	uint32_t line;
	uint32_t column;
};

/* One place for each value in the order in which they are opened; a member's is its key's. */
struct km_json_places {
	struct km_json_place *at; /* owned */
	size_t count;
	size_t size;
};

void km_json_places_clear(struct km_json_places *places);

/* All rules of json.h but duplicate keys, which are known only after unescaping. PLACES starts
 * zeroed and is cleared by the caller in any case. 0, -EBADMSG with *ERR, -ENOMEM. */
int km_json_check(const char *text, size_t len, const char *file, struct km_error *err,
                  struct km_json_places *places);

#endif
