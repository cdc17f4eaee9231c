/* SPDX-License-Identifier: Apache-2.0 */
/* kmend rule check PATH...: errors and warnings of rule files, with file:line:column, reason and
 * remedy. Offline: no daemon, no root. Uses the validator that start and reload use. */
#ifndef KM_RULE_CHECK_H
#define KM_RULE_CHECK_H

#include <stdio.h>

#include "base/json.h"
#include "review/lookout.h"

struct km_rule_check_sum {
	unsigned int files; /* that were looked at */
	unsigned int rules; /* that the daemon would load */
	unsigned int errors;
	unsigned int warnings;
};

/* Each of IN->paths is a rule file, a folder of one class, or a whole rules folder; the ids of all
 * of them must differ. One of JSON and TEXT is NULL.
 *
 * JSON: adds the members "files", "rules", "errors", "warnings" (numbers) and "findings" (array of
 * {severity, file, line, column, what, remedy}) to the object that the caller has open.
 * TEXT: a line a finding, "file:line:column: error|warning: what; remedy", then one that sums up.
 *
 * *RET is always filled in. 0: no error (there may be warnings); -EBADMSG: at least one error;
 * -ENOMEM. A path that cannot be read is an error among the findings. */
struct km_rule_check_in {
	char *const *paths;
	size_t count;
	const struct km_host_services
		*host;      /* whose services the scopes are held against, or NULL */
	const char *policy; /* file that the steps are held against, or NULL */
};
int km_rule_check_paths(const struct km_rule_check_in *in, struct km_json_writer *json, FILE *text,
                        struct km_rule_check_sum *ret);

#endif
