/* SPDX-License-Identifier: Apache-2.0 */
/* Inside phase 1: parsers of what the kernel says about the whole host. */
#ifndef KM_COLLECT_HOST_H
#define KM_COLLECT_HOST_H

#include "collect/raw.h"

/* "some avg10=1.23 ..." of a line of /proc/pressure/X, as parts per million; -ENOENT. */
int km_psi_parse(const char *text, const char *line, uint32_t *ret_ppm);
/* "OPEN FREE MAX" of /proc/sys/fs/file-nr; -EBADMSG. */
int km_file_nr_parse(const char *text, uint64_t *open, uint64_t *max);
/* The members that /proc/meminfo tells; -ENOENT if one is missing. */
int km_meminfo_parse(const char *text, struct km_raw_host *ret);

/* "0.00 0.01 0.05 1/234 4711" of /proc/loadavg: tasks there are; -EBADMSG. */
int km_loadavg_parse(const char *text, uint64_t *tasks);
/* /proc/net/sockstat; -EBADMSG. */
int km_sockstat_parse(const char *text, uint64_t *timewait);

/* /proc/net/snmp; -EBADMSG. */
int km_snmp_parse(const char *text, uint64_t *established);

#define KM_THERMAL_FILE  "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
#define KM_WARNINGS_FILE "/sys/kernel/warn_count"

/* What the kernel counts of its troubles in /proc/vmstat; 0 where it does not. */
struct km_troubles {
	uint64_t oom_kills;
	uint64_t reclaim_stalls;
	uint64_t compaction_stalls;
	uint64_t major_faults;
};
#define KM_TROUBLES 4
void km_vmstat_parse(const char *text, struct km_troubles *ret);

/* Value of the line "KEY VALUE"; KM_UNKNOWN: there is none. */
uint64_t km_stat_value(const char *text, const char *key);

/* Lines of pressure that are told: cpu some; memory and io some and full. */
#define KM_PRESSURES 5

#endif
