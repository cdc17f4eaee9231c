/* SPDX-License-Identifier: Apache-2.0 */
/* A rolling recording: all that entered phase 2 lately, as traces one behind the other. Each begins
 * with a checkpoint; where its number is one more than that of the trace before, nothing is missing
 * between the two. The oldest go when they take more room than they may. */
#ifndef KM_RECORDING_H
#define KM_RECORDING_H

#include "record/trace.h"

/* Of the room: what is lost when the oldest goes. */
#define KM_RECORDING_PARTS 16
/* Digits of a name, so that names sort as numbers do. */
#define KM_RECORDING_DIGITS 16

struct km_recording; /* everywhere below NULL stands for none: nothing is kept */

/* Below ENGINE_FD, which stays the caller's. *RET is the caller's. */
int km_recording_open(int engine_fd, struct km_recording **ret);
struct km_recording *km_recording_close(struct km_recording *r);
KM_DEFINE_FREEP(struct km_recording, km_recording_close)

/* What entered since the last call: LEN bytes of raw records. The checkpoint of before them is
 * asked for where a trace begins with it. */
struct km_recorded {
	const void *records;
	size_t len;
	int (*checkpoint)(const void *userdata,
	                  int (*add)(void *writer, const struct kmend_hdr *raw), void *writer);
	const void *userdata;
};
/* MAX: room of all; 0: none is kept. On failure nothing of it is, and what comes next begins a
 * trace of its own. */
int km_recording_add(struct km_recording *r, const struct km_recorded *what, uint64_t max);
/* What comes next does not follow what was added. */
void km_recording_gap(struct km_recording *r);

/* The number of a trace at PATH, 0: it is none of a recording. */
uint64_t km_recording_number(const char *path);

#endif
