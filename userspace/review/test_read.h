/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read a rule's tests share; nothing outside this folder includes it. */
#ifndef KM_TEST_READ_H
#define KM_TEST_READ_H

#include "review/test.h"

struct km_test_reading {
	const struct km_rule *rule;
	const struct km_json *doc;
	struct km_error *err;
	struct km_test *test; /* under way */
	const char *file;
};

/* Each takes the array of its name; 0 or -EBADMSG with *r->err, -ENOMEM. */
int km_test_read_series(const struct km_test_reading *r, const cJSON *array);
int km_test_read_events(const struct km_test_reading *r, const cJSON *array);
int km_test_read_expect(const struct km_test_reading *r, const cJSON *array);

/* The member KEY of NODE names a service of the test; absent: the first. */
int km_test_read_service(const struct km_test_reading *r, const cJSON *node, size_t *ret);
/* The member KEY of NODE names a service, or what has a series; absent: the first service. MAKE: an
 * entity with a new name is a new one. */
int km_test_read_subject(const struct km_test_reading *r, const cJSON *node, const char *key,
                         bool make, size_t *ret);
/* A new array of at most MAX zeroed members of SIZE for ARRAY, which WHAT names; *RET the caller's.
 */
int km_test_read_room(const struct km_test_reading *r, const cJSON *array, size_t max, size_t size,
                      void *ret);

#endif
