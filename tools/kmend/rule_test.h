/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KM_RULE_TEST_H
#define KM_RULE_TEST_H

#include <stdio.h>

#include "review/test.h"

struct km_rule_test_sum {
	unsigned int rules, untested, tests, failed;
	unsigned int errors;           /* files that could not be read, tests that are missing */
	unsigned int sides, uncovered; /* of conditions of rules with tests: true and false */
};

/* Each of PATHS[N] as km_files_find() takes it. One of JSON and TEXT is NULL.
 *
 * JSON: adds "rules" (array of {file, id, tests, uncovered, error}), "tests", "failed", "errors"
 * and "untested" to the object that the caller has open. TEXT: a line for whatever failed or was
 * never seen, then one that sums up.
 *
 * *RET is always filled in. 0: all passed; -EBADMSG: not; -ENOMEM. */
int km_rule_test_paths(char *const *paths, size_t n, struct km_json_writer *json, FILE *text,
                       struct km_rule_test_sum *ret);

#endif
