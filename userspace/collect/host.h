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

#endif
