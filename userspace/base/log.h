/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines of the daemon and tools: to stderr, with sd-daemon priority prefixes when stderr is the
 * journal. Library folders return errors and do not log. Every line is escaped here. */
#ifndef KM_LOG_H
#define KM_LOG_H

#include "base/base.h"

enum km_level { KM_ERR = 3, KM_WARNING = 4, KM_NOTICE = 5, KM_INFO = 6, KM_DEBUG = 7 };

/* PROCESS stands before each line; levels past MOST_VERBOSE are dropped. Until then:
 * "kmend" and KM_INFO. */
void km_log_open(const char *process, enum km_level most_verbose);
/* Cut at 1 KiB. Never waits: what nobody makes room for is lost, and how many lines were is told as
 * soon as there is room again. Leaves errno alone. */
void km_log(enum km_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
