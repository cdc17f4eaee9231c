/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked at once, just before a step that may wipe it out: small files of the kernel, as
 * text for people. It decides nothing. */
#ifndef KM_CAPTURE_H
#define KM_CAPTURE_H

#include "base/base.h"

/* As rules write them; a step has a set of them, bit 1 << kind. */
enum km_capture_kind {
	KM_CAPTURE_MEMORY = 0,    /* of the service's cgroup: memory.stat, memory.events */
	KM_CAPTURE_CPU = 1,       /* cpu.stat, cpu.pressure */
	KM_CAPTURE_IO = 2,        /* io.stat, io.pressure */
	KM_CAPTURE_PROCESSES = 3, /* cgroup.procs, pids.current */
	KM_CAPTURE_STATUS = 4,    /* of the main process: status, limits */
	KM_CAPTURE_HOST = 5,      /* pressure and memory of the host */
	KM_CAPTURE_MAX
};

extern const char *const km_capture_names[KM_CAPTURE_MAX + 1];

/* Bytes of one file that are kept; the rest is cut. */
#define KM_CAPTURE_BYTES 8192

/* Each file of KINDS that can be read, with the start of its text. TGID: main process of the
 * service, 0: none, then only the host's files are there. */
void km_capture(uint32_t kinds, uint32_t tgid,
                void (*cb)(void *userdata, const char *file, const char *text), void *userdata);

#endif
