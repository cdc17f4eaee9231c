// SPDX-License-Identifier: Apache-2.0
/* Whether a file was written lately. */
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "health/internal.h"

void km_file_begin(struct km_prober *p, struct km_check *c)
{
	struct timespec now;
	struct stat st;
	int64_t age_s;

	if (stat(c->def->target, &st) < 0) {
		km_check_done(p, c, errno == EACCES ? KM_PROBE_NOT_MEASURED : KM_PROBE_BAD,
		              "cannot look at the file: %s", strerror(errno));
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	age_s = now.tv_sec - st.st_mtim.tv_sec;
	if (age_s > (int64_t)(c->def->within_ns / KM_NS_PER_S))
		km_check_done(p, c, KM_PROBE_BAD, "was last written %lld s ago", (long long)age_s);
	else
		km_check_done(p, c, KM_PROBE_GOOD, "was written %lld s ago", (long long)age_s);
}
